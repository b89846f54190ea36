"""``LimitedSet``: a set with a limit of number and age. It carries revoked ids."""

from __future__ import annotations

import time
from collections.abc import Iterator, MutableSet
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

__all__ = ("LimitedSet",)


class LimitedSet:
    """A set that forgets its oldest members, by number (``maxlen``) and by age (``expires``, above ``minlen``)."""

    max_heap_percent_overload = 15

    def __init__(
        self, maxlen: int | None = 0, expires: float | None = 0, data: Any = None, minlen: int | None = 0
    ) -> None:
        self.maxlen, self.minlen, self.expires = maxlen or 0, minlen or 0, expires or 0
        self._data: dict[Any, tuple[float, int, Any]] = {}
        self._heap: list[tuple[float, int, Any]] = []
        self._seq = count()
        if data:
            self.update(data)
        if not self.maxlen >= self.minlen >= 0:
            raise ValueError("minlen must be a positive number, less or equal to maxlen.")
        if self.expires < 0:
            raise ValueError("expires cannot be negative!")

    @property
    def _heap_overload(self) -> float:
        """Per cent of stale entries in the heap."""
        return len(self._heap) * 100 / max(len(self._data), 1) - 100

    def _refresh_heap(self) -> None:
        self._heap[:] = self._data.values()
        heapify(self._heap)

    def _maybe_refresh_heap(self) -> None:
        if self._heap_overload >= self.max_heap_percent_overload:
            self._refresh_heap()

    def _is_current(self, entry: tuple[float, int, Any]) -> bool:
        return self._data.get(entry[2]) is entry

    def clear(self) -> None:
        self._data.clear()
        self._heap.clear()

    def add(self, item: Any, now: float | None = None) -> None:
        moment = time.monotonic() if now is None else float(now)
        if item in self._data:
            self.discard(item)
        entry = (moment, next(self._seq), item)
        self._data[item] = entry
        heappush(self._heap, entry)
        if self.maxlen and len(self._data) >= self.maxlen:
            self.purge()

    def update(self, other: Any) -> None:
        if not other:
            return
        if isinstance(other, LimitedSet):
            for moment, _, item in sorted(other._data.values(), key=lambda entry: entry[:2]):
                self._data[item] = (moment, next(self._seq), item)
            self._refresh_heap()
            self.purge()
        elif isinstance(other, dict):
            for item, inserted in other.items():
                moment = inserted[0] if isinstance(inserted, (tuple, list)) else inserted
                if not isinstance(moment, float):
                    raise ValueError(f"Expecting float timestamp, got type {type(moment)!r} with value: {moment}")
                self.add(item, moment)
        else:
            for item in other:
                self.add(item)

    def discard(self, item: Any) -> None:
        self._data.pop(item, None)
        self._maybe_refresh_heap()

    pop_value = discard

    def purge(self, now: Any = None) -> None:
        """Drop what is over the limits."""
        if callable(now):
            now = now()
        moment = time.monotonic() if now is None else now
        if self.maxlen:
            while len(self._data) > self.maxlen:
                self.pop()
        if self.expires:
            while len(self._data) > self.minlen >= 0:
                oldest = self._heap[0]
                if not self._is_current(oldest):
                    heappop(self._heap)
                elif oldest[0] + self.expires > moment:
                    break
                else:
                    self.pop()

    def pop(self, default: Any = None) -> Any:
        """Remove and give the oldest member."""
        while self._heap:
            entry = heappop(self._heap)
            if self._is_current(entry):
                del self._data[entry[2]]
                return entry[2]
        return default

    def as_dict(self) -> dict[Any, float]:
        return {item: moment for moment, _, item in self._data.values()}

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, LimitedSet):
            return NotImplemented
        return self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        limits = f"maxlen={self.maxlen}, expires={self.expires}, minlen={self.minlen}"
        return f"<{type(self).__name__}({len(self)}): {limits}>"

    def __iter__(self) -> Iterator[Any]:
        return (item for _, _, item in sorted(self._data.values()))

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, key: Any) -> bool:
        return key in self._data

    def __reduce__(self) -> Any:
        return type(self), (self.maxlen, self.expires, self.as_dict(), self.minlen)

    def __bool__(self) -> bool:
        return bool(self._data)

    __nonzero__ = __bool__


MutableSet.register(LimitedSet)
