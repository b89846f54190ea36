"""The shim's wall clock, in one place, so that a test can set it by hand. Does not fire anything."""

from __future__ import annotations

import time as _time
from collections.abc import Callable
from datetime import datetime, timezone

__all__ = ["now", "set_clock", "time"]

_source: Callable[[], float] | None = None
_utc = timezone.utc


def time() -> float:
    """Seconds since the epoch."""
    return _time.time() if _source is None else _source()


def now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(_utc) if _source is None else datetime.fromtimestamp(_source(), _utc)


def set_clock(source: Callable[[], float] | None) -> None:
    """From now on `source()` says what time it is; None: the system does."""
    global _source
    _source = source
