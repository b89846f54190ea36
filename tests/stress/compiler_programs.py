"""Random functions of the compiled subset and random arguments for them, from a seed.

The grammar keeps Python itself quick: exponents, shifts and loop lengths are small, and nothing is squared in a loop.
Everything else is drawn at the edges: ±2^53, ±2^62 … 2^64, 0, -1, subnormals, nan, inf, -0.0, empty sequences.
"""

from __future__ import annotations

import array
import random
import re
import sys
from dataclasses import dataclass, field
from typing import Any

INT_EDGES = [
    0,
    1,
    -1,
    2,
    -2,
    3,
    7,
    10,
    -10,
    63,
    64,
    65,
    100,
    255,
    256,
    2**31,
    -(2**31),
    2**32,
    2**53 - 1,
    2**53,
    2**53 + 1,
    -(2**53),
    -(2**53) - 1,
    2**62,
    -(2**62),
    2**62 + 1,
    2**63 - 1,
    -(2**63),
    -(2**63) + 1,
]
WIDE_EDGES = [*INT_EDGES, 2**63, 2**64, -(2**64), 2**64 - 1, -(2**63) - 1]
FLOAT_EDGES = [
    0.0,
    -0.0,
    0.5,
    -0.5,
    1.0,
    -1.0,
    1.5,
    2.5,
    -2.5,
    0.1,
    1e-3,
    2.675,
    1e15 + 0.5,
    1e16,
    2.0**53,
    -(2.0**53),
    2.0**63,
    -(2.0**63),
    9.3e18,
    1e300,
    1.7e308,
    -1.7e308,
    5e-324,
    2.2e-308,
    1e-310,
    float("inf"),
    float("-inf"),
    float("nan"),
]
INT_LITERALS = [
    "0",
    "1",
    "2",
    "3",
    "-1",
    "-2",
    "5",
    "7",
    "8",
    "16",
    "10",
    "-7",
    "64",
    "1000003",
    "4294967296",
    "9007199254740993",
    "4611686018427387904",
    "9223372036854775807",
    "-9223372036854775808",
    "True",
    "False",
]
FLOAT_LITERALS = [
    "0.0",
    "-0.0",
    "0.5",
    "1.5",
    "-2.5",
    "0.1",
    "1e16",
    "1e308",
    "5e-324",
    "3.0",
    "math.inf",
    "math.nan",
    "math.pi",
    "CONST_F",
    "9007199254740992.0",
]
ONE = [
    "sqrt",
    "exp",
    "log",
    "log2",
    "log10",
    "log1p",
    "expm1",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "erf",
    "erfc",
    "fabs",
    "degrees",
    "radians",
]
if sys.version_info >= (3, 11):
    ONE += ["cbrt", "exp2"]
TO_INT = ["floor", "ceil", "trunc"]
TESTS = ["isnan", "isinf", "isfinite"]
SEQUENCES = [
    "list_q",
    "list_d",
    "tuple_q",
    "tuple_d",
    "bytes",
    "array_b",
    "array_H",
    "array_i",
    "array_q",
    "array_Q",
    "array_f",
    "array_d",
    "view_d",
    "view_q",
    "view_?",
]
SCALARS = ["int", "int", "int", "float", "float", "bool"]

HEADER = "import math\nfrom math import sqrt, gcd as common\nCONST_I = 12\nCONST_F = 2.75\nCONST_B = True\n\n"


@dataclass
class Program:
    """One function and the kinds of its parameters."""

    name: str
    kinds: list[str]
    text: str = ""
    callable_with: int = 0


class Writer:
    """Writes one function at a time; later ones may call earlier ones."""

    def __init__(self, seed: int) -> None:
        self.rnd = random.Random(seed)
        self.programs: list[Program] = []

    def function(self, name: str) -> Program:
        return _Function(self, name).write()

    def module(self, count: int, prefix: str) -> str:
        for index in range(count):
            self.programs.append(self.function(f"{prefix}{index}"))
        return HEADER + "\n\n".join(program.text for program in self.programs) + "\n"


@dataclass
class _Function:
    owner: Writer
    name: str
    lines: list[str] = field(default_factory=list)
    ints: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    sequences: list[str] = field(default_factory=list)
    protected: set[str] = field(default_factory=set)
    depth: int = 0
    loops: int = 0
    counter: int = 0
    tuple_size: int = 0
    returns_none: bool = False
    self_call: tuple[str, list[str], list[str]] | None = None

    def __post_init__(self) -> None:
        self.rnd = self.owner.rnd

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
        simple = 0 if seqs or tuple_size or recursive or self.returns_none else len(scalars)
        return Program(self.name, scalars + seqs, text, simple)

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
        elif choice < 0.85:
            self.loop(level)
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

    # -- expressions

    def pick(self, pool: list[str], literals: list[str]) -> str:
        if pool and self.rnd.random() < 0.75:
            return self.rnd.choice(pool)
        return self.rnd.choice(literals)

    def expand(self, form: str, depth: int) -> str:
        """A form with its holes filled: {i} an int, {n} any number, {c} a condition, {s} a sequence."""

        def fill(match: re.Match[str]) -> str:
            hole = match[0]
            if hole == "{i}":
                return self.integer(depth)
            if hole == "{n}":
                return self.number(depth)
            if hole == "{c}":
                return self.condition(depth)
            return self.rnd.choice(self.sequences if hole == "{s}" else _HOLES[hole])

        return _HOLE.sub(fill, form)

    def integer(self, depth: int) -> str:
        """An expression that is an int (or a bool)."""
        if depth <= 0 or self.rnd.random() < 0.25:
            return self.pick(self.ints, [*INT_LITERALS, "CONST_I"])
        forms = INT_FORMS + ([] if self.loops else INT_GROWING) + (SEQ_INT_FORMS if self.sequences else [])
        return self.expand(self.rnd.choice(forms), depth - 1)

    def number(self, depth: int) -> str:
        """An expression of any number type."""
        rnd = self.rnd
        if depth <= 0 or rnd.random() < 0.2:
            return self.pick(self.numbers, [*INT_LITERALS, *FLOAT_LITERALS])
        chance = rnd.random()
        if chance < 0.25:
            return self.integer(depth)
        if chance < 0.32:
            call = self.call(depth)
            if call:
                return call
        if chance < 0.45 and self.sequences:
            return self.expand(rnd.choice(SEQ_FORMS), depth - 1)
        forms = NUMBER_FORMS + ([] if self.loops else NUMBER_GROWING)
        return self.expand(rnd.choice(forms), depth - 1)

    def call(self, depth: int) -> str | None:
        if self.loops > 1 or depth < 2:
            return None
        known = [one for one in self.owner.programs[-6:] if one.callable_with]
        if not known:
            return None
        chosen = self.rnd.choice(known)
        args = [self.integer(0) if kind != "float" else self.number(0) for kind in chosen.kinds]
        return f"{chosen.name}({', '.join(args)})"

    def boolean(self, depth: int) -> str:
        forms = ["({c} & {c})", "(not {n})", "({c} ^ {c})", "{c}", "{c}", "math.{test}({n})"]
        return self.expand(self.rnd.choice(forms), depth - 1)

    def condition(self, depth: int) -> str:
        forms = COMPARE_FORMS * 3 + (["({c} and {c})", "({c} or {c})"] if depth > 0 else [])
        if self.sequences:
            forms.append("(len({s}) {op} {small})")
        return self.expand(self.rnd.choice(forms), max(depth - 1, 0))


COMPARE_FORMS = ["({n} {op} {n})", "({i} {op} {i})", "({n} {op} {n} {op} {i})", "(not {n})", "bool({n})"]
INT_FORMS = [
    "({i} + {i})",
    "({i} - {i})",
    "({i} // {i})",
    "({i} % {i})",
    "({i} & {i})",
    "({i} | {i})",
    "({i} ^ {i})",
    "({i} << ({i} & 15))",
    "({i} >> ({i} & 127))",
    "(-{i})",
    "(~({i} + 0))",
    "abs({i})",
    "int({i})",
    "(+{i})",
    "min({i}, {i})",
    "max({i}, {i}, 3)",
    "({i} if {c} else {i})",
    "({i} and {i})",
    "({i} or {i})",
    "round({i})",
    "math.gcd({i}, {i})",
    "common({i}, {i})",
    "pow({i}, {i} & 63, {modulus})",
    "({i} * 3)",
    "math.{toint}({n})",
    "round({n})",
    "int({n})",
    "math.isqrt(abs({i}))",
    "math.isqrt({i})",
    "math.factorial({i} % 23)",
    "math.lcm({i}, 6)",
    "({i} // {divisor})",
    "({i} % {divisor})",
    "({i} << ({i} % 70))",
    "({i} >> {i} % 9)",
]
INT_GROWING = ["({i} * {i})", "({i} * {i})", "({i} ** ({i} & 3))", "pow({i}, 2)"]
SEQ_INT_FORMS = ["len({s})", "len({s})"]
NUMBER_FORMS = [
    "({n} + {n})",
    "({n} + {n})",
    "({n} - {n})",
    "({n} / {n})",
    "({n} // {n})",
    "({n} % {n})",
    "(-{n})",
    "abs({n})",
    "float({n})",
    "(0.5 * {n})",
    "(+{n})",
    "min({n}, {n})",
    "max({n}, {n})",
    "max({n}, {n}, {i})",
    "math.{one}({n})",
    "math.{safe}({n})",
    "math.{safe}({n})",
    "math.fmod({n}, {n})",
    "math.pow({n}, {n})",
    "sqrt(abs({n}))",
    "math.atan2({n}, {n})",
    "math.copysign({n}, {n})",
    "math.log({n}, {n})",
    "math.log(1 + abs({n}), 10)",
    "round({n}, {digits})",
    "round({n}, {digits})",
    "({n} if {c} else {n})",
    "({n} and {n})",
    "({n} or {n})",
    "(float({n}) ** {n})",
    "(0.5 ** ({i} & 31))",
    "bool({n})",
    "pow(float({n}), {n})",
    "({n} / {divisor})",
]
NUMBER_GROWING = ["({n} * {n})", "({n} * {n})", "({n} ** {exponent})", "({n} ** ({i} % 4 - 2))"]
SEQ_FORMS = [
    "{s}[0]",
    "{s}[-1]",
    "{s}[{i}]",
    "{s}[{i} & 1]",
    "{s}[-2]",
    "sum({s})",
    "sum({s}, {i})",
    "sum({s}, {start})",
    "min({s})",
    "max({s})",
]
_HOLES = {
    "{op}": ["<", "<=", ">", ">=", "==", "!="],
    "{small}": ["0", "1", "2", "3"],
    "{modulus}": ["7", "-13", "1000003", "1", "-1", "4611686018427387904"],
    "{divisor}": ["2", "3", "-2", "-7", "8", "1", "-1", "64", "0", "10"],
    "{exponent}": ["2", "0.5", "-1", "3", "0", "True", "-0.0", "1.5"],
    "{digits}": ["0", "1", "2", "3", "5", "10", "22", "-1", "True"],
    "{start}": ["0.5", "1e16", "0", "-0.0", "True"],
    "{one}": ONE,
    "{safe}": ["sin", "cos", "atan", "tanh", "asinh", "erf", "erfc", "fabs", "degrees", "radians"],
    "{toint}": TO_INT,
    "{test}": TESTS,
}
_HOLE = re.compile(r"\{[a-z]+\}")


def argument(rnd: random.Random, kind: str) -> Any:
    """One argument of a kind."""
    if kind == "depth":
        return rnd.randint(-1, 5)
    if kind == "int":
        return rnd.choice(INT_EDGES) if rnd.random() < 0.3 else rnd.randint(-20, 20)
    if kind == "float":
        return rnd.choice(FLOAT_EDGES) if rnd.random() < 0.3 else rnd.uniform(-50, 50)
    if kind == "bool":
        return rnd.random() < 0.5
    size = rnd.choice([0, 1, 2, 3, 3, 5, 5, 30])
    family, code = kind.split("_") if "_" in kind else (kind, "B")
    values = [_element(rnd, code) for _ in range(size)]
    if family == "list":
        return values
    if family == "tuple":
        return tuple(values)
    if family == "bytes":
        return bytes(values)
    if family == "view" and code == "?":
        return memoryview(bytes(values)).cast("?")
    made = array.array(code, values)
    return memoryview(made) if family == "view" else made


_RANGES = {"b": (-128, 127), "B": (0, 255), "H": (0, 65535), "i": (-(2**31), 2**31 - 1), "Q": (0, 2**64 - 1)}


def _element(rnd: random.Random, code: str) -> Any:
    if code in ("d", "f"):
        value = rnd.choice(FLOAT_EDGES) if rnd.random() < 0.2 else rnd.uniform(-1e3, 1e3)
        return value if code == "d" or abs(value) < 1e38 else 1e30
    if code == "?":
        return rnd.randint(0, 1)
    low, high = _RANGES.get(code, (-(2**63), 2**63 - 1))
    if rnd.random() < 0.3:
        return min(max(rnd.choice(INT_EDGES), low), high)
    return min(max(rnd.randint(-50, 100), low), high)
