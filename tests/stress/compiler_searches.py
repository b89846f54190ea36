"""Random loops that look for something: those whose first turns are worked out four at a time (`compiler.searches`).

Most conditions are about small numbers, some about numbers around 2^24, up to which lanes are exact, and a few about
what lanes have to leave to the ordinary loop. Everything ends soon: some sixty turns at most.
"""

from __future__ import annotations

import re
from random import Random

from .compiler_grammar import HOLE

__all__ = ["search_lines", "small"]

# fmt: off
NUMBERS = [
    "{k}", "{k}", "{k}", "{v}", "{v}", "{v}", "{c}", "({x} + {x})", "({x} - {x})", "({x} * {x})", "({x} * {x})",
    "({v} % {k})", "({v} // {k})", "({x} % {x})", "({x} // {x})", "({v} % ({k} + {c}))", "({v} // ({k} - {c}))", "(-{x})",
]
CONDITIONS = [
    "{x} {o} {x}", "{x} {o} {x}", "{v} % {k} == 0", "{v} % {k} {o} {c}", "{v} // {k} {o} {c}", "{x} {o} {x} {o} {x}",
    "not {v} % {k}", "({v} % {k} == 0 or {v} % ({k} + 2) == 0)", "({x} {o} {x} and {x} {o} {x})", "{k} * {k} {o} {v}",
    "not ({x} {o} {x} or {x} {o} {x})", "{x}", "{k} == {v}",
]
LITERALS = ["0", "1", "2", "3", "5", "7", "12", "100", "4093", "4096", "16777215", "16777216", "16777217", "-1", "-3"]
SMALL = ["{i} % 1000", "{i} % 1000", "{i} % 31", "{i} % 16777259", "{i} % 40 - 20", "16777190 + {i} % 64", "4070 + {i} % 60"]
OPERATORS = ["<", "<=", ">", ">=", "==", "!="]
STARTS = [*("1", "1", "2", "2", "0", "3", "-6", "{v}"), *("{v}", "16777180", "16777213", "-16777230", "4080")]
STEPS = [*("1", "1", "1", "2", "3", "6"), *("-1", "-1", "-2", "1024", "1025")]
# fmt: on


def _filled(rnd: Random, form: str, counter: str, names: list[str], depth: int) -> str:
    """A form with its holes filled: {k} the counter, {v} an int, {o} an operator, {c} a literal, {x} any of them."""

    def fill(match: re.Match[str]) -> str:
        hole = match[0]
        if hole == "{k}":
            return counter
        if hole == "{v}":
            return rnd.choice(names)
        if hole == "{o}":
            return rnd.choice(OPERATORS)
        if hole == "{c}":
            return rnd.choice(LITERALS)
        if depth:
            return _filled(rnd, rnd.choice(NUMBERS), counter, names, depth - 1)
        return rnd.choice([counter, *names])

    return HOLE.sub(fill, form)


def _condition(rnd: Random, counter: str, names: list[str]) -> str:
    """Of the counter, of ints and of literals."""
    return _filled(rnd, rnd.choice(CONDITIONS), counter, names, rnd.randint(0, 2))


def _bounds(rnd: Random, names: list[str]) -> tuple[str, str, str]:
    """Where a counter begins, its step, and where it ends at the latest."""
    start, step = rnd.choice(STARTS), rnd.choice(STEPS)
    if "{" in start:
        start = rnd.choice(names)
    distance = rnd.choice([*range(9), *range(20, 60, 7)]) * int(step)
    return start, step, f"{start} + {distance}" if distance >= 0 else f"{start} - {-distance}"


def small(rnd: Random, integer: str) -> str:
    """An int that lanes can often hold, of any int."""
    return rnd.choice(SMALL).replace("{i}", integer)


def _leaving(rnd: Random, counter: str, names: list[str], result: str) -> list[str]:
    """Zero to three `if`s that leave the loop."""
    lines = []
    for _ in range(rnd.choice([0, 1, 1, 1, 2, 3])):
        end = rnd.choice(["break", "break", f"return {result}", f"raise ValueError({counter})"])
        lines += [f"if {_condition(rnd, counter, names)}:", f"    {end}"]
    return lines


def _while_lines(rnd: Random, counter: str, names: list[str], result: str) -> list[str]:
    """The loop with its counter's first value; `last` keeps it short."""
    start, step, last = _bounds(rnd, names)
    within = f"{counter} {'>' if step.startswith('-') else '<'} last"
    test = rnd.choice([within, within, f"{within} and {_condition(rnd, counter, names)}"])
    if rnd.random() < 0.1:
        test = f"{_condition(rnd, counter, names)} and {within}"
    sign = "-" if step.startswith("-") else "+"
    form = rnd.choice(["{k} {s}= {n}", "{k} {s}= {n}", "{k} = {k} {s} {n}"])
    body = [*_leaving(rnd, counter, names, result), form.format(k=counter, s=sign, n=step.lstrip("-"))]
    return [f"{counter} = {start}", f"last = {last}", f"while {test}:", *(f"    {line}" for line in body)]


def _for_lines(rnd: Random, counter: str, names: list[str], result: str) -> list[str]:
    """The same as a `for` over a `range()`."""
    start, step, last = _bounds(rnd, names)
    arguments = f"{start}, {last}" if step == "1" and rnd.random() < 0.7 else f"{start}, {last}, {step}"
    body = _leaving(rnd, counter, names, result) or ["pass"]
    return [f"for {counter} in range({arguments}):", *(f"    {line}" for line in body)]


def search_lines(rnd: Random, counter: str, names: list[str], result: str) -> list[str]:
    """One such loop; `result` is what its `return`s give."""
    return rnd.choice([_while_lines, _while_lines, _for_lines])(rnd, counter, names, result)
