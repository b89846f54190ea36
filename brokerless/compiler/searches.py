"""Loops that look for something: the turns that only count are worked out four at a time before the loop begins.

Such a loop is ``while`` with a step at its end, or ``for`` over a ``range()``, in which nothing else happens but ``if``s
that leave it::

    while k * k <= n:
        if n % k == 0:
            return False
        k += 1

Four turns are skipped together when in each of them the loop goes on and no ``if`` is taken. The first turn that differs,
or that lanes cannot judge (see ``cvectors``), is where the ordinary loop begins: it decides everything, so a skipped turn
is the only thing that can be wrong here. Conditions of whole numbers with ``+ - * // %``, comparisons, ``and or not``.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .cvectors import WIDEST
from .types import INT
from .values import Val, int_text

if TYPE_CHECKING:
    from .emit import FunctionEmitter
    from .expressions import Expressions

__all__ = ["Searches"]

_LONGEST_STEP = 1024
_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


class _Unsuited(Exception):
    """This loop is worked out turn by turn."""


class Searches:
    """Emits what comes before such loops for one ``FunctionEmitter``."""

    def __init__(self, owner: FunctionEmitter, expressions: Expressions) -> None:
        self._owner = owner
        self._expressions = expressions

    def before_while(self, node: ast.While) -> None:
        """Moves the variable that the loop counts with to the first turn that does more than count."""
        found = _step(node.body[-1])
        tests = _leaving(node.body[:-1])
        if found is None or tests is None:
            return
        name, step = found
        if self._owner.env_type(name) != INT:
            return
        forever = isinstance(node.test, ast.Constant) and bool(node.test.value)
        goes_on = [] if forever else [node.test]
        variable = self._owner.read(name, INT).c
        self._skip(variable, name, step, goes_on, tests, f"{variable} {_within(step)}", tried=True)

    def before_range(self, node: ast.For, start: Val, limit: Val, step: Val) -> Val:
        """Where the range begins once such turns are skipped: as it did, or later, with at least one turn left."""
        tests = _leaving(node.body)
        size = step.literal
        if not tests or not size or abs(size) > _LONGEST_STEP or not isinstance(node.target, ast.Name):
            return start
        owner = self._owner
        mark = owner.mark()
        begin = owner.held(Val(start.c, INT))
        low, high = (begin.c, limit.c) if size > 0 else (limit.c, begin.c)
        left = f"{low} < {high} && (u64){high} - (u64){low} > {4 * abs(size)}"
        if not self._skip(
            begin.c, node.target.id, size, [], tests, f"{begin.c} {_within(size)} && {left}", tried=False
        ):
            owner.rewind(mark)
            return start
        return begin

    def _skip(
        self,
        variable: str,
        name: str,
        step: int,
        goes_on: list[ast.expr],
        tests: list[ast.expr],
        more: str,
        *,
        tried: bool,
    ) -> bool:
        """``tried``: the first turn is worked out alone before, as the loop will do it; many searches end there."""
        owner = self._owner
        text = _Conditions(owner, name, variable, step)
        try:
            for _ in range(2):  # the second time all is known that is assumed
                ends = [f"~{text.condition(node)}" for node in goes_on] + [text.condition(node) for node in tests]
        except _Unsuited:
            return False
        if not text.moves:
            return False
        first = [*(f"brl_l_fits({value})" for value in (variable, *text.fixed)), *text.assumed]
        if tried:
            first += [self._expressions.condition(node) for node in goes_on]
            first += [f"!({self._expressions.condition(node)})" for node in tests]
        fits = " && ".join(first)
        size, four = int_text(step), int_text(4 * step)
        lines = [
            f"if ({fits}) {{",
            *(f"    const brl_f4 {lane} = brl_l_all({value});" for value, lane in text.fixed.items()),
            f"    brl_f4 lane = brl_l_turns({variable}, {size});",
            f"    while ({more}) {{",
            "        brl_i4 far = {0, 0, 0, 0}, ends;",
            "        u32 bits;",
            "        BRL_POLL(c);",
            f"        ends = {' | '.join(ends)};",
            "        bits = brl_l_bits(ends | far);",
            f"        if (bits) {{ {variable} += __builtin_ctz(bits) * {size}; break; }}",
            f"        {variable} += {four};",
            f"        lane += brl_l_all({four});",
            "    }",
            "}",
        ]
        for line in lines:
            owner.write(line)
        return True


@dataclass(frozen=True)
class _Lane:
    """The text of four numbers. ``least``: none of them is less, where that is known; ``exact``: none is ever ``far``.
    ``bare``: the same without the mark for those that are too large; ``remainder``: dividend and the part of it that the
    divisor divides, where these numbers are what is left."""

    c: str
    least: int | None = None
    exact: bool = False
    bare: str | None = None
    remainder: tuple[str, str] | None = None


_ZERO = _Lane("brl_l_all(0)", 0, True)


class _Conditions:
    """The text of conditions, each a mark per lane. Every operand is worked out, also behind ``and`` and ``or``: one that
    Python would not have looked at can only end the skipping early."""

    def __init__(self, owner: FunctionEmitter, moving: str, variable: str, step: int) -> None:
        self._owner = owner
        self._moving = moving
        self._variable = variable
        self._step = step
        self.moves = False
        """Whether a condition looks at the variable that the loop counts with."""
        self.fixed: dict[str, str] = {}
        """What stays the same while turns are skipped: C variable to the name of its lanes."""
        self.assumed: dict[str, None] = {}
        """What has to hold before the first turn, in the order in which it was needed."""

    def condition(self, node: ast.expr) -> str:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return f"(~{self.condition(node.operand)})"
        if isinstance(node, ast.BoolOp):
            joint = " & " if isinstance(node.op, ast.And) else " | "
            return "(" + joint.join(self.condition(item) for item in node.values) + ")"
        if isinstance(node, ast.Compare):
            return self._compare(node)
        return _pair(self._number(node), "!=", _ZERO)

    def _compare(self, node: ast.Compare) -> str:
        operands = [self._number(item) for item in (node.left, *node.comparators)]
        pairs = zip(operands, node.ops, operands[1:], strict=False)
        return "(" + " & ".join(_pair(left, _COMPARE[type(op)], right) for left, op, right in pairs) + ")"

    def _number(self, node: ast.expr, least: int | None = None) -> _Lane:
        """An expression; a variable in it is assumed to be ``least`` or more at the start, where that can be checked."""
        if isinstance(node, ast.Constant):
            return _constant(node.value)
        if isinstance(node, ast.Name):
            return self._name(node, least)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return _Lane(f"(-{self._number(node.operand).c})")
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        raise _Unsuited

    def _binary(self, node: ast.BinOp) -> _Lane:
        if isinstance(node.op, (ast.FloorDiv, ast.Mod)):
            return self._division(node)
        if type(node.op) not in _ARITHMETIC:
            raise _Unsuited
        left, right = self._number(node.left), self._number(node.right)
        text = f"{left.c} {_ARITHMETIC[type(node.op)]} {right.c}"
        if left.least is None or right.least is None or isinstance(node.op, ast.Sub):
            return _Lane(f"brl_l_kept({text}, &far)", bare=f"({text})")
        least = left.least * right.least if isinstance(node.op, ast.Mult) else left.least + right.least
        return _Lane(f"brl_l_kept_up({text}, &far)", least, bare=f"({text})")

    def _division(self, node: ast.BinOp) -> _Lane:
        left, right = self._number(node.left, 0), self._number(node.right, 1)
        if left.exact and left.least is not None and right.least:
            quotient = f"brl_l_floordiv_up({left.c}, {right.c})"
        else:
            quotient = f"brl_l_floordiv({left.c}, {right.c}, &far)"
        if isinstance(node.op, ast.FloorDiv):
            return _Lane(quotient, 0, True)
        divided = f"{quotient} * {right.c}"
        return _Lane(f"({left.c} - {divided})", 0, remainder=(left.c, f"({divided})"))

    def _name(self, node: ast.Name, least: int | None) -> _Lane:
        owner = self._owner
        if node.id == self._moving:
            self.moves = True
            # What counts down does not stay where it begins.
            return self._assuming(self._variable, "lane", least if self._step > 0 else None)
        if node.id not in owner.source.locals:
            return _constant(owner.scope.resolve(node).value)
        if owner.env_type(node.id) != INT:
            raise _Unsuited
        variable = owner.read(node.id, INT).c
        return self._assuming(variable, self.fixed.setdefault(variable, f"l{len(self.fixed)}"), least)

    def _assuming(self, variable: str, lane: str, least: int | None) -> _Lane:
        known = [bound for bound in (1, 0) if f"{variable} >= {bound}" in self.assumed]
        if least is not None and not (known and known[0] >= least):
            self.assumed[f"{variable} >= {least}"] = None
            known = [least]
        return _Lane(lane, known[0] if known else None, True)


def _pair(left: _Lane, symbol: str, right: _Lane) -> str:
    """One comparison. What is too large for a lane is beyond all that are not, however it was rounded, so one of the two
    need not be marked for it."""
    for one, other in ((left, right), (right, left)):
        if one.remainder is not None and other == _ZERO and symbol in ("==", "!="):
            dividend, divided = one.remainder
            return f"({divided} {symbol} {dividend})"
    if left.bare is not None:
        return f"({left.bare} {symbol} {right.c})"
    return f"({left.c} {symbol} {right.bare or right.c})"


def _constant(value: object) -> _Lane:
    if type(value) is not int or abs(value) >= WIDEST:
        raise _Unsuited
    return _Lane(f"brl_l_all({int_text(value)})", value if value >= 0 else None, True)


def _within(step: int) -> str:
    """The comparison that the first of four turns has to pass so that the last one has an exact number."""
    edge = WIDEST - 4 * abs(step)
    return f"<= {edge}" if step > 0 else f">= {int_text(-edge)}"


def _step(node: ast.stmt) -> tuple[str, int] | None:
    """The variable and the number of ``k += 1``, ``k -= 1`` or ``k = k + 1``."""
    places: list[ast.expr]
    if isinstance(node, ast.AugAssign):
        places, op, value = [node.target], node.op, node.value
    elif isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp):
        places, op, value = [*node.targets, node.value.left], node.value.op, node.value.right
    else:
        return None
    names = {place.id if isinstance(place, ast.Name) else None for place in places}
    name = names.pop()
    size = value.value if isinstance(value, ast.Constant) else None
    if names or name is None or type(size) is not int or not 0 < size <= _LONGEST_STEP:
        return None
    return (name, size if isinstance(op, ast.Add) else -size) if isinstance(op, (ast.Add, ast.Sub)) else None


def _leaving(body: Sequence[ast.stmt]) -> list[ast.expr] | None:
    """The conditions under which a turn leaves the loop; None when turns do something else."""
    tests = []
    for node in body:
        if not isinstance(node, ast.If) or node.orelse:
            return None
        if not isinstance(node.body[-1], (ast.Break, ast.Return, ast.Raise)):
            return None
        tests.append(node.test)
    return tests
