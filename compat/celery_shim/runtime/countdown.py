"""``Countdown``: the members of one chord that have not ended yet, and the results of those that have.

Each member counts once, with the first end that is reported for it: success, failure, revoke, expiry, limit, a message
that was thrown away. Whoever reports the last one gets told so, exactly once. What happens then is in ``backends.local``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from ..result import ResultSet

__all__ = ("Countdown", "Part")

_LAST = float("inf")


class Part:
    """The end of one member."""

    __slots__ = ("id", "place", "state", "told", "value")

    def __init__(self, id: str, place: Any, state: str, value: Any, told: Any = ()) -> None:
        self.id, self.state, self.value, self.told = id, state, value, told
        self.place = _LAST if place is None else place


class Countdown:
    """One chord. ``size`` is None until all members are known; ``header`` are their handles, None when they are made one
    by one. Where some of those are groups, the results come out nested in the same way."""

    __slots__ = ("_header", "_lock", "_parts", "body", "born", "extra", "finished", "group_id", "size")

    def __init__(self, group_id: str, header: Any, body: Any) -> None:
        self.group_id, self.body = group_id, body
        self.size: int | None = None
        self.extra = 0
        self._header = header
        self.finished = False
        self.born = time.monotonic()
        self._parts: dict[str, Part] = {}
        self._lock = threading.Lock()

    def expect(self, size: int) -> bool:
        """All members are known now; True if they have ended already."""
        with self._lock:
            self.size = size
            return self._over()

    def expect_more(self) -> None:
        """A member joined while the chord was running."""
        with self._lock:
            self.extra += 1

    def count(self, id: str, place: Any, state: str, value: Any, told: Any = ()) -> bool:
        """A member has ended; True for the last one. ``told`` are errbacks that have heard of its failure."""
        with self._lock:
            if self.finished or id in self._parts:
                return False
            self._parts[id] = Part(id, place, state, value, told)
            return self._over()

    def _over(self) -> bool:
        if self.size is None or self.finished or len(self._parts) < self.size + self.extra:
            return False
        self.finished = True
        return True

    @property
    def nested(self) -> bool:
        """True if a member is a group."""
        return any(isinstance(member, ResultSet) for member in self._header or ())

    def in_order(self) -> list[Part]:
        """The ends of all members in the order of the header."""
        return sorted(self._parts.values(), key=_place)

    def values(self) -> list[Any]:
        """What the body is called with."""
        if not self.nested:
            return [part.value for part in self.in_order()]
        return list(self._nested_values(self._header))

    def _nested_values(self, members: Any) -> Iterator[Any]:
        for member in members:
            if isinstance(member, ResultSet):
                yield list(self._nested_values(member.results))
            else:
                part = self._parts.get(member.id)
                yield None if part is None else part.value


def _place(part: Part) -> Any:
    return part.place
