"""The word that compiled code polls: stopping it from another thread, at a deadline, or for a signal handler.

Each thread that runs compiled code has one control record. ``interrupt`` never decides what the caller sees: the call
comes back to Python, where a pending asynchronous exception is raised; when there is none, it simply runs again. So an
interrupt that comes too late for its task costs time and changes nothing.

On the main thread compiled code also lets Python's signal handlers run (Ctrl-C): a ticker sets the word every 50 ms
while native calls are seen there, more rarely otherwise, and ends after ten seconds without any.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import cffi  # type: ignore[import-untyped,unused-ignore]

RUN, STOP, YIELD = 0, 1, 2
_TICK = 0.05
_LONGEST_TICK = 0.4
_IDLE = 10.0

ffi: Any = cffi.FFI()
ffi.cdef(
    """
    typedef struct { int32_t word; int32_t pad; void *on_yield; } brl_control;
    typedef struct { int64_t i; double f; int32_t t; } brl_n;
    extern void *const brl_table[];
    void brl_init(void *const *table);
    """
)


class Control:
    """One thread's control record. ``record`` is what compiled code is given."""

    __slots__ = ("__weakref__", "error", "record", "thread_id")

    def __init__(self) -> None:
        self.record: Any = ffi.new("brl_control *")
        self.thread_id = threading.get_ident()
        self.error: BaseException | None = None


class Watcher:
    """Knows every thread's control; runs deadlines and the main thread's ticks on one lazily started thread."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """The empty state, also for a forked child, where the thread and the other threads' controls are gone."""
        # Reentrant: a signal handler may run compiled code while its own thread is in here.
        self._wake = threading.Condition(threading.RLock())
        self._controls: weakref.WeakValueDictionary[int, Control] = weakref.WeakValueDictionary()
        self._deadlines: list[tuple[float, int, Control, BaseException]] = []
        self._numbers = itertools.count()
        self._main: Control | None = None
        self._ticking = False
        self._pause = _TICK
        self._read_at = 0.0
        self._thread: threading.Thread | None = None

    def add(self, control: Control) -> None:
        """Called by each thread at its first native call."""
        with self._wake:
            self._controls[control.thread_id] = control
            if threading.current_thread() is threading.main_thread():
                control.record.on_yield = ffi.cast("void *", _YIELD_CALLBACK)
                self._main = control
                self.resume_ticking()

    def interrupt(self, thread_id: int) -> bool:
        """Stops compiled code that runs in that thread; False when the thread never ran any."""
        with self._wake:
            control = self._controls.get(thread_id)
            if control is None:
                return False
            control.record.word = STOP
            return True

    @contextlib.contextmanager
    def deadline(self, seconds: float, error: BaseException) -> Iterator[None]:
        """Native calls of this thread inside the block raise ``error`` once the time is over."""
        control = local.control
        entry = (time.monotonic() + seconds, next(self._numbers), control, error)
        with self._wake:
            heapq.heappush(self._deadlines, entry)
            self._start()
            self._wake.notify()
        try:
            yield
        finally:
            with self._wake:
                if entry in self._deadlines:
                    self._deadlines.remove(entry)
                    heapq.heapify(self._deadlines)
                if control.error is error:
                    control.error = None
                    self.clear(control)

    def clear(self, control: Control) -> None:
        """After a stop. Where the ticker sleeps, the request that wakes it again has to be put back."""
        with self._wake:
            control.record.word = YIELD if control is self._main and not self._ticking else RUN

    def resume_ticking(self) -> None:
        with self._wake:
            self._ticking = True
            self._pause, self._read_at = _TICK, time.monotonic()
            self._start()
            self._wake.notify()

    @property
    def ticking(self) -> bool:
        return self._ticking and self._thread is not None and self._thread.is_alive()

    def _start(self) -> None:
        # Asked of the thread itself: Ctrl-C may have come between making it and starting it.
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="brokerless-native-watch", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        with self._wake:
            while True:
                now = time.monotonic()
                while self._deadlines and self._deadlines[0][0] <= now:
                    _, _, control, error = heapq.heappop(self._deadlines)
                    control.error = error
                    control.record.word = STOP
                if self._ticking:
                    self._tick(now)
                if not self._deadlines and not self._ticking:
                    break
                pause = self._deadlines[0][0] - now if self._deadlines else _LONGEST_TICK
                self._wake.wait(min(pause, self._pause) if self._ticking else pause)
            self._thread = None

    def _tick(self, now: float) -> None:
        """Asks the main thread to look for signals. An unread request means that no compiled code runs there: then the
        ticks become rare, and end; the request that stays starts them again."""
        if self._main is None or self._main.record.word == YIELD:
            self._pause = min(2 * self._pause, _LONGEST_TICK)
            self._ticking = self._main is not None and now - self._read_at < _IDLE
            return
        self._pause, self._read_at = _TICK, now
        if self._main.record.word == RUN:
            self._main.record.word = YIELD


watcher: Watcher


def _on_yield() -> None:
    """On the main thread, inside a native call: the interpreter runs pending signal handlers while it runs this."""
    if not watcher.ticking:  # waking the ticker would make it compete for the GIL with the end of the call
        watcher.resume_ticking()


def _on_error(kind: object, error: BaseException, trace: object) -> None:
    """A signal handler raised: the native call ends and raises the same."""
    control = local.control
    control.error = error
    control.record.word = STOP


_YIELD_CALLBACK = ffi.callback("void(*)(void)", _on_yield, onerror=_on_error)
watcher = Watcher()


class _Local(threading.local):
    """``control`` and ``record`` of the running thread; made when it is first asked for them."""

    control: Control
    record: Any

    def __init__(self) -> None:
        self.control = Control()
        self.record = self.control.record
        watcher.add(self.control)


local = _Local()


def _after_fork() -> None:
    watcher.forget()
    local.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_after_fork)


def interrupt(thread_id: int) -> bool:
    """Brings compiled code that runs in that thread back to Python, to meet the exception that was set for it."""
    return watcher.interrupt(thread_id)


def stopped() -> bool:
    """After a native call that gave no result: whether it was stopped. Raises what stopped it, if that is known.

    True means: run it again, nothing was meant for this call any more. False: the call bailed by itself.
    """
    control = local.control
    if control.record.word != STOP:
        return False
    for _ in range(3):
        pass  # a backward jump is where the interpreter raises an asynchronous exception
    error, control.error = control.error, None
    watcher.clear(control)
    if error is not None:
        raise error
    return True
