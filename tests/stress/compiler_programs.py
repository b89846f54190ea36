"""Random functions of the compiled subset, from a seed: their statements. Expressions are in `compiler_expressions`."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from .compiler_arguments import SEQUENCES
from .compiler_expressions import Callee, Expressions
from .compiler_searches import search_lines, small

SCALARS = ["int", "int", "int", "float", "float", "bool"]

HEADER = "import math\nfrom math import sqrt, gcd as common\nCONST_I = 12\nCONST_F = 2.75\nCONST_B = True\n\n"


@dataclass
class Program(Callee):
    """One function and its text. ``callable``: it takes and gives numbers alone."""

    text: str = ""
    callable: bool = False


class Writer:
    """Writes one function at a time; later ones may call earlier ones."""

    def __init__(self, seed: int) -> None:
        self.rnd = random.Random(seed)
        self.programs: list[Program] = []

    def function(self, name: str) -> Program:
        callees = [one for one in self.programs[-6:] if one.callable]
        made = _Function(self.rnd, callees, name=name)
        return made.write_search() if self.rnd.random() < 0.12 else made.write()

    def module(self, count: int, prefix: str) -> str:
        for index in range(count):
            self.programs.append(self.function(f"{prefix}{index}"))
        return HEADER + "\n\n".join(program.text for program in self.programs) + "\n"


@dataclass
class _Function(Expressions):
    """Writes one function, statement by statement."""

    name: str = ""
    lines: list[str] = field(default_factory=list)
    protected: set[str] = field(default_factory=set)
    depth: int = 0
    counter: int = 0
    tuple_size: int = 0
    returns_none: bool = False
    self_call: tuple[str, list[str], list[str]] | None = None

    def write(self) -> Program:
        rnd = self.rnd
        scalars = [rnd.choice(SCALARS) for _ in range(rnd.randint(1, 3))]
        seqs = [rnd.choice(SEQUENCES) for _ in range(rnd.choice([0, 0, 1, 1, 2]))]
        params = []
        for index, kind in enumerate(scalars):
            params.append(f"p{index}")
            (self.ints if kind != "float" else self.numbers).append(f"p{index}")
        for index, _ in enumerate(seqs):
            params.append(f"s{index}")
            self.sequences.append(f"s{index}")
        self.numbers += self.ints
        tuple_size = rnd.choice([0, 0, 0, 0, 2, 3])
        self.tuple_size = tuple_size
        self.returns_none = rnd.random() < 0.05 and not tuple_size
        recursive = rnd.random() < 0.12
        if recursive:
            params.insert(0, "depth")
            self.ints.append("depth")
            self.protected.add("depth")
            scalars.insert(0, "depth")
            self.lines += ["    if depth <= 0:", f"        return {self.result()}"]
        if recursive and not tuple_size:
            self.self_call = (self.name, scalars, self.sequences[:])
        self.block(1, rnd.randint(1, 4))
        if not self.returns_none or rnd.random() < 0.5:
            self.lines.append(f"    return {self.result()}")
        text = f"def {self.name}({', '.join(params)}):\n" + "\n".join(self.lines)
        simple = not (seqs or tuple_size or recursive or self.returns_none)
        return Program(self.name, scalars + seqs, text, simple)

    def write_search(self) -> Program:
        """A function that only looks for something, with numbers that lanes can hold."""
        rnd = self.rnd
        self.ints = [f"p{index}" for index in range(rnd.randint(1, 3))]
        self.numbers = self.ints[:]
        params = self.ints[:]
        result = rnd.choice(["k0", "p0, k0", "k0 * 2 + p0"])
        for number in range(rnd.choice([1, 1, 2])):
            for line in search_lines(rnd, f"k{number}", params, result):
                self.put(1, line)
            if rnd.random() < 0.3:
                self.put(1, "else:")
                self.put(2, f"p0 {rnd.choice(['=', '+=', '*='])} 2")
            self.learn(f"k{number}", True)
        self.put(1, f"return {result}")
        text = f"def {self.name}({', '.join(params)}):\n" + "\n".join(self.lines)
        return Program(self.name, ["lane"] * len(params), text, False)

    def result(self) -> str:
        if self.tuple_size:
            return ", ".join(self.number(2) for _ in range(self.tuple_size))
        if self.self_call is not None and self.rnd.random() < 0.5:
            name, scalars, seqs = self.self_call
            args = ["depth - 1"] + [self.integer(1) if kind != "float" else self.number(1) for kind in scalars[1:]]
            return f"{name}({', '.join(args + seqs)})" + self.rnd.choice(["", " + 1", " * 0.5"])
        return self.rnd.choice([self.number, self.number, self.integer, self.boolean])(3)

    # -- statements

    def put(self, level: int, text: str) -> None:
        self.lines.append("    " * level + text)

    def block(self, level: int, count: int) -> None:
        for _ in range(count):
            self.statement(level)

    def new_name(self, integer: bool) -> str:
        pool = [name for name in (self.ints if integer else self.numbers) if name not in self.protected]
        if pool and self.rnd.random() < 0.5:
            name = self.rnd.choice(pool)
            if not integer and name in self.ints:
                self.ints.remove(name)
            return name
        name = f"{'i' if integer else 'x'}{self.rnd.randint(0, 3)}"
        return name

    def learn(self, name: str, integer: bool) -> None:
        if integer and name not in self.ints:
            self.ints.append(name)
        if name not in self.numbers:
            self.numbers.append(name)

    def statement(self, level: int) -> None:
        rnd = self.rnd
        choice = rnd.random()
        if level >= 4:
            choice *= 0.45
        if choice < 0.3:
            integer = rnd.random() < 0.5
            value = self.integer(3) if integer else self.number(3)
            name = self.new_name(integer)
            self.put(level, f"{name} = {value}")
            self.learn(name, integer)
        elif choice < 0.42 and self.numbers:
            self.augmented(level)
        elif choice < 0.45:
            self.unpack(level)
        elif choice < 0.65:
            self.if_statement(level)
        elif choice < 0.81:
            self.loop(level)
        elif choice < 0.85:
            self.search(level)
        elif choice < 0.9:
            self.put(level, f"assert {self.condition(2)} or {self.condition(1)} or {self.numbers[0]} > -9")
        elif choice < 0.93:
            self.put(level, f"if {self.condition(1)}:")
            self.put(level + 1, rnd.choice(["raise ValueError('no')", f"return {self.result()}", "pass"]))
        elif choice < 0.96 and self.loops:
            self.put(level, f"if {self.condition(1)}:")
            self.put(level + 1, rnd.choice(["break", "continue"]))
        else:
            value = self.number(1)
            self.put(level, f"a = b = {value}")
            self.learn("a", False)
            self.learn("b", False)

    def augmented(self, level: int) -> None:
        pool = [name for name in self.numbers if name not in self.protected]
        if not pool:
            self.put(level, "pass")
            return
        name = self.rnd.choice(pool)
        if name in self.ints:
            op, value = self.rnd.choice(
                [
                    ("+=", self.integer(2)),
                    ("-=", self.integer(2)),
                    ("//=", self.integer(1)),
                    ("%=", self.integer(1)),
                    ("&=", self.integer(1)),
                    ("|=", self.integer(1)),
                    ("^=", self.integer(1)),
                    (">>=", f"({self.integer(1)} & 7)"),
                    ("*=", self.rnd.choice(["2", "3", "-1"])),
                ]
            )
        else:
            op = self.rnd.choice(["+=", "-=", "/=", "//=", "%="])
            value = self.number(2)
        self.put(level, f"{name} {op} {value}")

    def unpack(self, level: int) -> None:
        if self.rnd.random() < 0.5:
            self.put(level, f"q, r = divmod({self.number(1)}, {self.number(1)})")
        else:
            self.put(level, f"q, r = {self.number(1)}, {self.number(1)}")
        for name in ("q", "r"):
            if name in self.ints:
                self.ints.remove(name)
            self.learn(name, False)

    def if_statement(self, level: int) -> None:
        known = (self.ints[:], self.numbers[:])
        self.put(level, f"if {self.condition(2)}:")
        self.block(level + 1, self.rnd.randint(1, 2))
        # Most names made in a branch stay known: reading them may be an UnboundLocalError.
        if self.rnd.random() < 0.8:
            self.ints, self.numbers = known[0][:], known[1][:]
        if self.rnd.random() < 0.5:
            if self.rnd.random() < 0.3:
                self.put(level, f"elif {self.condition(1)}:")
                self.block(level + 1, 1)
            self.put(level, "else:")
            self.block(level + 1, self.rnd.randint(1, 2))

    def search(self, level: int) -> None:
        """A loop that looks for something among a few dozen numbers."""
        rnd = self.rnd
        self.counter += 1
        mine = f"n{self.counter}"
        names = [f"{mine}{letter}" for letter in "ab"[: rnd.randint(1, 2)]]
        for name in names:
            self.put(level, f"{name} = {small(rnd, self.integer(1))}")
            self.learn(name, True)
        if rnd.random() < 0.1:
            names.append(rnd.choice(self.ints))
        for line in search_lines(rnd, mine, names, self.result()):
            self.put(level, line)
        self.learn(mine, True)
        if rnd.random() < 0.2:
            self.put(level, "else:")
            self.block(level + 1, 1)

    def loop(self, level: int) -> None:
        rnd = self.rnd
        if self.loops >= 2:
            self.put(level, "pass")
            return
        self.counter += 1
        mine = f"k{self.counter}"
        kind = rnd.random()
        limited = False
        if kind < 0.3:
            self.put(level, f"{mine} = 0")
            self.put(
                level,
                f"while {mine} < {rnd.randint(1, 3)}" + (f" and {self.condition(1)}:" if rnd.random() < 0.5 else ":"),
            )
            self.put(level + 1, f"{mine} += 1")
            name = mine
        elif kind < 0.5 and self.sequences:
            name = f"e{self.counter}"
            source = rnd.choice(self.sequences)
            self.put(level, f"{mine} = 0")
            if rnd.random() < 0.3:
                start = rnd.choice(["", f", {self.integer(1)}"])
                self.put(level, f"for {name}n, {name} in enumerate({source}{start}):")
                self.learn(f"{name}n", True)
            else:
                self.put(level, f"for {name} in {source}:")
            self.learn(name, False)
            limited = True
        elif kind < 0.8:
            name = f"i{rnd.randint(0, 3)}"
            self.put(level, f"for {name} in range({self.integer(1)} & 3):")
            self.learn(name, True)
        else:
            name = f"i{rnd.randint(0, 3)}"
            self.put(level, f"{mine} = 0")
            args = [self.integer(1), self.integer(1)]
            if rnd.random() < 0.7:
                args.append(rnd.choice(["1", "-1", "2", "-3", "0", self.integer(1)]))
            self.put(level, f"for {name} in range({', '.join(args)}):")
            self.learn(name, True)
            limited = True
        if name == mine:
            self.protected.add(mine)
            self.learn(mine, True)
        self.loops += 1
        if limited:
            self.protected.add(mine)
            self.put(level + 1, f"{mine} += 1")
            self.put(level + 1, f"if {mine} > 4:")
            self.put(level + 2, "break")
        self.block(level + 1, rnd.randint(1, 3))
        self.loops -= 1
        if rnd.random() < 0.2:
            self.put(level, "else:")
            self.block(level + 1, 1)
