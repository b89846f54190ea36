"""Latency histogram and counts per second. Guarded by the engine's lock; they know nothing of tasks."""

from __future__ import annotations

from collections.abc import Sequence

STEPS = 16
RATE_SECONDS = 16


class Histogram:
    """Log-linear buckets, 16 steps to a power of two, from a nanosecond up: a value is off by at most 1/16."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.total = 0

    def add(self, seconds: float) -> None:
        nanoseconds = int(seconds * 1e9)
        if nanoseconds < STEPS:
            bucket = nanoseconds if nanoseconds > 0 else 0
        else:
            shift = nanoseconds.bit_length() - 5
            bucket = (shift << 4) + (nanoseconds >> shift)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.total += 1

    @staticmethod
    def middle(bucket: int) -> float:
        """The middle of a bucket, in seconds."""
        if bucket < 2 * STEPS:
            return bucket * 1e-9
        shift = (bucket >> 4) - 1
        low = (bucket - (shift << 4)) << shift
        return (low + ((1 << shift) - 1) / 2) * 1e-9

    def quantiles(self, wanted: Sequence[float]) -> list[float | None]:
        if not self.total:
            return [None for _ in wanted]
        buckets = sorted(self.counts.items())
        found: list[float | None] = []
        for q in wanted:
            rank = max(1, min(self.total, int(q * self.total + 0.999999)))
            seen = 0
            for bucket, count in buckets:
                seen += count
                if seen >= rank:
                    found.append(self.middle(bucket))
                    break
        return found


class Rate:
    """Counts of the last 16 seconds."""

    __slots__ = ("counts", "second")

    def __init__(self) -> None:
        self.second = -1
        self.counts = [0] * RATE_SECONDS

    def add(self, now: float, count: int = 1) -> None:
        second = int(now)
        if second != self.second:
            self._turn(second)
        self.counts[second % RATE_SECONDS] += count

    def _turn(self, second: int) -> None:
        first = max(self.second + 1, second - RATE_SECONDS + 1)
        if second < self.second:  # a hand-set clock went back: what was counted belongs to no second any more
            first = second - RATE_SECONDS + 1
        for passed in range(first, second + 1):
            self.counts[passed % RATE_SECONDS] = 0
        self.second = second

    def read(self, now: float) -> list[int]:
        """Count of the current second first, then of the ones before."""
        second = int(now)
        if second != self.second:
            self._turn(second)
        return [self.counts[(second - back) % RATE_SECONDS] for back in range(RATE_SECONDS)]
