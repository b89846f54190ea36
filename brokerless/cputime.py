"""CPU time of threads and of the process, as differences between readings."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable

__all__ = ["Meter", "ThreadMeter", "ident_seconds", "thread_demand", "thread_seconds"]


def thread_seconds(thread: threading.Thread) -> float | None:
    """CPU seconds of a living thread; None where the system does not tell or the thread has ended."""
    native = thread.native_id
    if native is None or not sys.platform.startswith("linux"):
        return None
    # The kernel's number for the CPU clock of one thread. Asking by thread number and not by pthread handle is safe for
    # a thread that has ended meanwhile: it is an error and not a crash.
    try:
        return time.clock_gettime((~native << 3) | 6)
    except OSError:
        return None


def ident_seconds(ident: int) -> float | None:
    """CPU seconds of the thread that Python knows by this `ident`; None as for `thread_seconds`."""
    return next((thread_seconds(thread) for thread in threading.enumerate() if thread.ident == ident), None)


def thread_demand(thread: threading.Thread) -> float | None:
    """CPU seconds that a living thread used or stood in line for, so that a busy machine does not make a computing
    thread look like a waiting one; `thread_seconds` where the system does not tell."""
    try:
        with open(f"/proc/self/task/{thread.native_id}/schedstat", "rb") as schedstat:
            used, waited = schedstat.read().split()[:2]
            return (int(used) + int(waited)) / 1e9
    except (OSError, ValueError):
        return thread_seconds(thread)


class Meter:
    """Cores used by the process between two readings."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._used = time.process_time()
        self._last = 0.0

    def read(self) -> float:
        """Since the previous reading; readings less than 10 ms apart give the previous value again."""
        now, used = time.monotonic(), time.process_time()
        if now - self._at >= 0.01:
            self._last = max(0.0, (used - self._used) / (now - self._at))
            self._at, self._used = now, used
        return self._last


class ThreadMeter:
    """Cores used by a changing set of threads between two readings."""

    def __init__(self, measure: Callable[[threading.Thread], float | None] = thread_seconds) -> None:
        self._measure = measure
        self._lock = threading.Lock()
        self._at = time.monotonic()
        self._process = time.process_time()
        self._used: dict[int, float] = {}
        self._last = 0.0

    def read(self, threads: Iterable[threading.Thread]) -> float:
        """Since the previous reading. Where threads have no clock of their own: of the whole process."""
        with self._lock:
            now = time.monotonic()
            if now - self._at < 0.01:
                return self._last
            total, known, used = 0.0, True, {}
            for thread in threads:
                seconds = self._measure(thread)
                if seconds is None:
                    known = known and not thread.is_alive()
                    continue
                used[id(thread)] = seconds
                total += seconds - self._used.get(id(thread), 0.0)
            process = time.process_time()
            if not known:
                total = process - self._process
            self._last = max(0.0, total / (now - self._at))
            self._at, self._process, self._used = now, process, used
            return self._last
