"""Objects that are noted as long as somebody else keeps them, read whole while other threads add to them.

A `weakref.WeakSet` is read by iteration, which fails when another thread adds something meanwhile, and without a GIL also
when one drops something, which no lock of ours keeps it from. Not for objects of which equal ones count as one.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

__all__ = ["LiveSet"]

T = TypeVar("T")


class LiveSet(Generic[T]):
    """Safe for any number of threads, without a lock. What is in it is told by identity."""

    def __init__(self, members: Iterable[T] = ()) -> None:
        self._members: weakref.WeakValueDictionary[int, T] = weakref.WeakValueDictionary()
        for one in members:
            self.add(one)

    def add(self, one: T) -> None:
        """Raises `TypeError` for what cannot be referred to weakly."""
        self._members[id(one)] = one

    def discard(self, one: T) -> None:
        """Nothing happens when it is not there."""
        if one in self:
            self._members.pop(id(one), None)

    def __contains__(self, one: object) -> bool:
        return self._members.get(id(one)) is one

    def __iter__(self) -> Iterator[T]:
        """Over those that are there now, in the order in which they came; what comes or goes meanwhile changes nothing."""
        return iter([one for reference in self._members.valuerefs() if (one := reference()) is not None])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<LiveSet of {len(self)}>"
