"""Random expressions over the names that a function knows so far. What stands around them is in `compiler_programs`."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .compiler_grammar import (
    COMPARE_FORMS,
    FLOAT_LITERALS,
    HOLE,
    HOLES,
    INT_FORMS,
    INT_GROWING,
    INT_LITERALS,
    NUMBER_FORMS,
    NUMBER_GROWING,
    SEQ_FORMS,
    SEQ_INT_FORMS,
)


@dataclass
class Callee:
    """A function of numbers that later ones may call, and the kinds of its parameters."""

    name: str
    kinds: list[str]


@dataclass
class Expressions:
    """Writes expressions. ``loops`` is how many loops are around: inside one nothing is squared."""

    rnd: random.Random
    callees: Sequence[Callee]
    ints: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    sequences: list[str] = field(default_factory=list)
    loops: int = 0

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
            return self.rnd.choice(self.sequences if hole == "{s}" else HOLES[hole])

        return HOLE.sub(fill, form)

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
        if not self.callees:
            return None
        chosen = self.rnd.choice(self.callees)
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
