"""Expressions ``a * x + b`` with literals a and b: for which x the result fits 64 bits, worked out before it runs.

Python's result is the exact number, so what the steps in between would give does not matter: they may wrap around as
long as the result is within range. Nothing here emits statements or looks at types.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from .values import int_text

_LEAST, _MOST = -(2**63), 2**63 - 1
_SMALL = 2**31


@dataclass(frozen=True)
class Linear:
    """``factor * base + offset``; the factor is neither 0 nor 1."""

    base: ast.Name
    factor: int
    offset: int

    def bounds(self) -> tuple[int, int]:
        """The least and the greatest 64-bit value of the base whose result has 64 bits."""
        ends = _LEAST - self.offset, _MOST - self.offset
        low, high = ends if self.factor > 0 else (ends[1], ends[0])
        return max(-(-low // self.factor), _LEAST), min(high // self.factor, _MOST)

    def arguments(self) -> str:
        """Factor, offset and bounds as C text."""
        return ", ".join(int_text(value) for value in (self.factor, self.offset, *self.bounds()))


def linear(node: ast.expr) -> Linear | None:
    """The form of an expression of one name and small literals that multiplies; None for any other."""
    found = _parts(node)
    if found is None:
        return None
    base, factor, offset = found
    return None if base is None or factor in (0, 1) else Linear(base, factor, offset)


_Parts = tuple[ast.Name | None, int, int]


def _parts(node: ast.expr) -> _Parts | None:
    """Base, factor and offset; a number alone has no base."""
    parts: _Parts | None = None
    if isinstance(node, ast.Name):
        parts = node, 1, 0
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        parts = None, 0, node.value
    elif isinstance(node, ast.BinOp):
        left, right = _parts(node.left), _parts(node.right)
        if left is not None and right is not None:
            parts = _combined(node.op, left, right)
    return parts if parts is not None and max(abs(parts[1]), abs(parts[2])) < _SMALL else None


def _combined(op: ast.operator, left: _Parts, right: _Parts) -> _Parts | None:
    if isinstance(op, ast.Mult):
        if left[0] is not None and right[0] is not None:
            return None
        number, other = (left[2], right) if left[0] is None else (right[2], left)
        return other[0], number * other[1], number * other[2]
    if not isinstance(op, (ast.Add, ast.Sub)):
        return None
    names = {part[0].id for part in (left, right) if part[0] is not None}
    if len(names) > 1:
        return None
    sign = 1 if isinstance(op, ast.Add) else -1
    return left[0] or right[0], left[1] + sign * right[1], left[2] + sign * right[2]
