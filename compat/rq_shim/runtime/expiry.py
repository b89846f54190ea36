"""When things end: keys in one bucket per second, the seconds in a heap. Finding what is due looks at nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

__all__ = ["Expiry"]


class Expiry:
    """Not thread-safe by itself: its owner's lock guards it. It stores no times, only in which second a key may end;
    the owner knows the exact time and puts a key back that is not due."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets: dict[int, dict[str, None]] = {}
        self.seconds: list[int] = []

    def add(self, key: str, at: float) -> bool:
        """Puts a key under its second; True when that is now the first one."""
        second = int(at)
        bucket = self.buckets.get(second)
        if bucket is None:
            self.buckets[second] = {key: None}
            heappush(self.seconds, second)
            return self.seconds[0] == second
        bucket[key] = None
        return False

    def discard(self, key: str, at: float) -> None:
        """Takes a key out that was added with that time."""
        bucket = self.buckets.get(int(at))
        if bucket is not None:
            bucket.pop(key, None)

    def first(self) -> int | None:
        """The first second that holds something."""
        while self.seconds:
            second = self.seconds[0]
            if self.buckets.get(second):
                return second
            heappop(self.seconds)
            self.buckets.pop(second, None)
        return None

    def pop_due(self, limit: float) -> Iterator[str]:
        """Takes out and gives all keys whose second has begun at `limit`."""
        while self.seconds and self.seconds[0] <= limit:
            yield from self.buckets.pop(heappop(self.seconds), ())

    def peek_due(self, limit: float) -> list[str]:
        """Keys whose second has begun at `limit`; they stay."""
        return [key for second in sorted(s for s in self.seconds if s <= limit) for key in self.buckets.get(second, ())]

    def clear(self) -> None:
        self.buckets.clear()
        self.seconds.clear()
