"""Copies of plain values, and ids: the twin of `native/binding/values.c`.

A copy is what a trip through JSON gives back, for values of exactly the built-in types; for all others the answer is
`NotImplemented`, and the caller really makes the trip.
"""

from __future__ import annotations

from itertools import count
from typing import Any

__all__ = ["Ids", "copy_arguments", "copy_plain"]

_ATOMS = frozenset({str, bool, type(None), float})
#: Deeper structures take the long way, which knows about cycles.
_DEPTH = 32
#: Longer integers take the long way: Python refuses to write them as text beyond a limit.
_BITS = 4096


class _LongWay(Exception):
    """The value needs a real serializer."""


def _copy(value: Any, depth: int, tuples: bool) -> Any:
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is int:
        if value.bit_length() <= _BITS:
            return value
    elif depth > 0:
        if kind is list or (tuples and kind is tuple):
            return [_copy(item, depth - 1, tuples) for item in value]
        # a dictionary by its type, such as a signature: JSON holds its items
        if kind is dict or (issubclass(kind, dict) and hasattr(kind, "__json__")):
            return _copy_pairs(value, depth, tuples)
    raise _LongWay


def _copy_pairs(pairs: dict[Any, Any], depth: int, tuples: bool) -> dict[Any, Any]:
    copied = {}
    for key, item in pairs.items():
        if type(key) is not str or key == "__type__":
            raise _LongWay
        copied[key] = _copy(item, depth - 1, tuples)
    return copied


def copy_plain(value: Any) -> Any:
    """The value as JSON gives it back, or `NotImplemented`."""
    try:
        return _copy(value, _DEPTH, True)
    except _LongWay:
        return NotImplemented


def copy_arguments(args: Any, kwargs: Any) -> Any:
    """A list and a dict as JSON gives them back, or `NotImplemented`; tuples inside are refused: their repr would change."""
    if type(args) not in (tuple, list) or type(kwargs) is not dict:
        return NotImplemented
    try:
        return [_copy(item, _DEPTH, False) for item in args], _copy_pairs(kwargs, _DEPTH, False)
    except _LongWay:
        return NotImplemented


class Ids:
    """Texts that count from `first`, unique in all threads: the prefix and a number of 12 hexadecimal digits."""

    def __init__(self, prefix: str, first: int) -> None:
        if not prefix.isascii():
            raise ValueError(f"the prefix of ids must be ASCII, not {prefix!r}")
        self._prefix = prefix
        self._next = count(first).__next__

    def next(self) -> str:
        return f"{self._prefix}{self._next():012x}"
