"""A clock that a test moves by hand: delays, expiry, time limits and timers then happen when the test says so.

The engine's own clock is the core's monotonic one; this file only sets it. Waiting callers still wait in real time.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["ManualClock"]


class ManualClock:
    """`engine.clock = ManualClock()`, then `clock.advance(seconds)`.

    One clock may drive several engines. Time stands still between calls.
    """

    def __init__(self, start: float = 1000.0, *, date: float | None = None) -> None:
        """`start`: the first reading, in seconds. `date`: the epoch seconds that it stands for where schedules go by the
        date; None: now."""
        self._now = float(start)
        self._offset = (time.time() if date is None else float(date)) - self._now
        self._lock = threading.Lock()
        self._engines: list[Engine] = []

    def now(self) -> float:
        """The present reading, in seconds."""
        return self._now

    def date(self) -> float:
        """The date, in epoch seconds; it moves with the clock."""
        return self._now + self._offset

    def attach(self, engine: Engine) -> None:
        """Makes `engine` run by this clock; done by `engine.clock = …`."""
        with self._lock:
            self._engines.append(engine)
            engine.set_now(self._now)

    def advance(self, seconds: float) -> float:
        """Moves time forward and fires, on the calling thread, what has become due. Returns the new reading.

        Due delays have been queued and due timers have run when it returns; time limits are applied by then as well.
        Raises ValueError for a negative step.
        """
        if not seconds >= 0:
            raise ValueError(f"advance() takes 0 or more seconds, got {seconds!r}: this clock does not run backwards")
        with self._lock:
            self._now += seconds
            engines = list(self._engines)
            for engine in engines:
                engine.set_now(self._now)
        for engine in engines:
            engine.keeper.fire()
        return self._now
