"""The shim's wall clock, in one place, so that a test can set it by hand. Does not fire anything.

To be called as `clock.now()` and `clock.time()`: setting the clock puts other functions there.
"""

from __future__ import annotations

import time as _time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial

__all__ = ["now", "set_clock", "time"]

_system_time = _time.time
_system_now = partial(datetime.now, timezone.utc)

time: Callable[[], float] = _system_time
"""Seconds since the epoch."""

now: Callable[[], datetime] = _system_now
"""The present, aware, in UTC."""


def set_clock(source: Callable[[], float] | None) -> None:
    """From now on `source()` says what time it is; None: the system does."""
    global now, time
    if source is None:
        now, time = _system_now, _system_time
    else:
        now, time = lambda: datetime.fromtimestamp(source(), timezone.utc), source
