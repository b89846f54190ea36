"""Grows and shrinks one pool while there is work: more threads when tasks wait and the workers wait too (for disks,
networks, locks), fewer after a time without need. Threads that compute are not multiplied: they would share the same
core.

It looks ten times a second while the engine is busy and not at all while it is idle; the first push after that wakes
it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from .cputime import ThreadMeter, thread_demand
from .keeper import Timer
from .pools import Pool

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["Scaler"]

TICK = 0.1
LONG_WAIT = 0.05
"""Seconds in the queue from which on more threads are wanted."""
BUSY_CORES = 0.8
"""Workers that use more of a core compute; more threads would not help."""
IDLE_BEFORE_SHRINK = 30.0
JUDGED_PACE = 5
"""Ended tasks per look from which on a growth is judged by the pace after it."""
TRIAL_TICKS = 3
WORTHWHILE = 1.2
FIRST_HOLD = 5.0
LONGEST_HOLD = 60.0
"""Seconds without another try after a growth that was of no use; doubled each time."""


class _Trial:
    """A growth that has to show its use."""

    __slots__ = ("pace", "paces", "size")

    def __init__(self, size: int, pace: int) -> None:
        self.size = size
        self.pace = pace
        self.paces: list[int] = []


class Scaler:
    """Keeps one pool between `least` and `most` threads."""

    def __init__(self, engine: Engine, pool: Pool, least: int, most: int) -> None:
        self.engine = engine
        self.pool = pool
        self.least = least
        self.most = most
        self._reset()
        self._arm()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._meter = ThreadMeter(thread_demand)
        self._timer: Timer | None = None
        self._ended = 0
        self._needed_at = time.monotonic()
        self._trial: _Trial | None = None
        self._hold_until = 0.0
        self._hold = FIRST_HOLD

    def _arm(self) -> None:
        for queue in self.pool.queues:
            queue.wake_once(self._wake)

    def _wake(self) -> None:
        with self._lock:
            if self._timer is not None or self.engine.closed:
                return
            self._ended = self._count_ended()
            self._meter.read(self.pool.threads())
            self._timer = self.engine.keeper.look_later(TICK, self._tick)

    def _count_ended(self) -> int:
        totals = self.engine.totals()
        return int(totals["completed"] + totals["failed"] + totals["cancelled"] + totals["retried"])

    def _tick(self) -> None:
        pool = self.pool
        waiting = sum(queue.count() for queue in pool.queues)
        ended = self._count_ended()
        pace = ended - self._ended
        wait = self.queue_wait(waiting, pace)
        self._ended = ended
        cores = self._meter.read(pool.threads())
        now = time.monotonic()
        busy = pool.busy()
        if pool.paused or not pool.started:
            self._needed_at = now
        elif wait > LONG_WAIT:
            self._needed_at = now
            self._consider(now, cores, waiting, pace)
        elif busy >= pool.size:
            self._needed_at = now
        again = self._after(now, waiting, busy)
        with self._lock:
            self._timer = (
                None if again is None or self.engine.closed else self.engine.keeper.look_later(again, self._tick)
            )
        if again is None:
            self._arm()
            if any(queue.count() for queue in pool.queues):
                self._wake()  # pushed between the look and the arming

    def _consider(self, now: float, cores: float, waiting: int, pace: int) -> None:
        """Grows the pool, or takes the last growth back when it was of no use: threads that stand in line for the
        interpreter lock look like waiting ones, and only the pace tells."""
        pool, trial = self.pool, self._trial
        if trial is not None:
            trial.paces.append(pace)
            if len(trial.paces) < TRIAL_TICKS:
                return
            self._trial = None
            # The first tick has the starting of the threads in it.
            after = sum(trial.paces[1:]) / (TRIAL_TICKS - 1)
            if after < trial.pace * WORTHWHILE:
                pool.resize(max(self.least, trial.size))
                self._hold_until = now + self._hold
                self._hold = min(self._hold * 2, LONGEST_HOLD)
                return
            self._hold = FIRST_HOLD
        if self.engine.frozen or cores >= BUSY_CORES or pool.size >= self.most or now < self._hold_until:
            return
        if pace >= JUDGED_PACE:
            self._trial = _Trial(pool.size, pace)
        pool.resize(min(self.most, pool.size * 2, pool.size + waiting))

    def _after(self, now: float, waiting: int, busy: int) -> float | None:
        """Seconds until the next look; None: sleep until the next push."""
        pool = self.pool
        spare = pool.size - self.least
        if spare > 0 and now - self._needed_at >= IDLE_BEFORE_SHRINK:
            pool.resize(max(self.least, pool.size - max(1, spare // 2)))
            self._needed_at = now - IDLE_BEFORE_SHRINK / 2
        if waiting or busy:
            return TICK
        if pool.size > self.least:
            return max(TICK, self._needed_at + IDLE_BEFORE_SHRINK - now)
        return None

    @staticmethod
    def queue_wait(waiting: int, ended: int) -> float:
        """Seconds that a task submitted now would wait, from the present length and the last tick's pace."""
        if not waiting:
            return 0.0
        return TICK * waiting / ended if ended > 0 else TICK * (1 + waiting)

    def reset_after_fork(self) -> None:
        """In a forked child: asleep until the first push."""
        self._reset()
        self._arm()
