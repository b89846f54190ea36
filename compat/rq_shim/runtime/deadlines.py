"""Time limits and stops of what runs in a thread: a job's function, a callback.

A `Guard` stands around one such call. Past its deadline, or when somebody asks for it, an exception is raised inside:
in the main thread by SIGALRM, as RQ does it, so that a sleep ends at once; in other threads as an asynchronous
exception while the user's code is on top. A call that does not end within the grace time is stuck; `on_stuck` then
decides without it. The engine's keeper thread looks after all guards with one timer, for the earliest deadline.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from .engines import engine, when_new

__all__ = ["Guard", "guard_of", "message_class"]

GRACE = 0.5
"""Seconds after the deadline, or after the exception was raised in it, until a call counts as stuck."""

FIRST_LOOK = 0.001
LAST_LOOK = 0.05
FOREVER = float("inf")

_guards: dict[int, Guard] = {}
"""The innermost guard of each thread."""

_lock = threading.Lock()
_next_look = FOREVER
_main = threading.main_thread()
_has_alarm = hasattr(signal, "SIGALRM") and hasattr(signal, "setitimer")


_message_bases: dict[type, type[BaseException]] = {}


@lru_cache(maxsize=1024)
def message_class(exception: Any, message: str) -> type[BaseException]:
    """A subclass that makes itself with that message: an asynchronous exception is raised without arguments.
    `Guard.stop` turns its instances into the class itself."""

    def __init__(self: Any, *args: Any) -> None:
        super(kind, self).__init__(*(args or (message,)))

    kind: Any = type(
        exception.__name__,
        (exception,),
        {"__init__": __init__, "__module__": exception.__module__, "__qualname__": exception.__qualname__},
    )
    _message_bases[kind] = exception
    made: type[BaseException] = kind
    return made


@lru_cache(maxsize=128)
def _limit_class(exception: Any, seconds: float) -> type[BaseException]:
    return message_class(exception, f"Task exceeded maximum timeout value ({seconds} seconds)")


class _Nobody:
    func = None


def guard_of(thread_id: int) -> Guard | None:
    """The innermost guard of a thread."""
    return _guards.get(thread_id)


class Guard:
    """Around one call, in the thread that makes it. Not re-used."""

    __slots__ = (
        "_by_signal", "_deadline", "_exception", "_fired", "_firing", "_grace", "_handler", "_looked", "_outer", "_pause",
        "_thread", "cancel", "on_stuck",
    )  # fmt: skip

    def __init__(self, seconds: float | None, exception: type[BaseException], by_signal: bool = True) -> None:
        self._exception = exception
        self._deadline = FOREVER if seconds is None or seconds <= 0 else time.monotonic() + seconds
        self._by_signal = by_signal and _has_alarm
        self._fired = False
        self._firing = False
        self._handler: Any = None
        self._give_grace()
        self.cancel: Callable[[], Any] | None = None
        """Ends what the call waits for where no exception can reach it."""
        self.on_stuck: Callable[[type[BaseException]], Any] | None = None

    def start(self) -> None:
        self._thread = threading.get_ident()
        self._outer = _guards.get(self._thread)
        if self.on_stuck is None and self._outer is not None:
            self.on_stuck = self._outer.on_stuck
        if self._by_signal:
            self._by_signal = threading.current_thread() is _main
        if self._by_signal:
            self._handler = signal.signal(signal.SIGALRM, self._alarm)
            if self._deadline != FOREVER:
                signal.setitimer(signal.ITIMER_REAL, max(1e-6, self._deadline - time.monotonic()))
        _guards[self._thread] = self
        if self._deadline < _next_look and not self._by_signal:
            _look_at(self._deadline)

    def stop(self, error: BaseException | None = None) -> None:
        """The call is over; `error` is what came out of it."""
        self._deadline = FOREVER
        if self._by_signal:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._handler or signal.SIG_DFL)
        if self._outer is None:
            _guards.pop(self._thread, None)
        else:
            _guards[self._thread] = self._outer
        if self._fired:
            if not self._by_signal:
                self._take_back()
            self._name(error)

    def limit(self, deadline: float, exception: Any, seconds: float) -> None:
        """A guard that stays around a thread's work: a limit for the next call in it."""
        self._exception = _limit_class(exception, seconds)
        self._fired = False
        self._give_grace()
        self._deadline = deadline

    def _give_grace(self) -> None:
        self._grace = GRACE
        self._looked = FOREVER
        self._pause = FIRST_LOOK

    def clear(self, error: BaseException | None) -> None:
        """After a call in which the guard fired: nothing of that is left for the next one."""
        self._take_back()
        self._fired = False
        self._name(error)

    @staticmethod
    def _name(error: BaseException | None) -> None:
        base = _message_bases.get(type(error))
        if base is not None and error is not None:
            error.__class__ = base

    def interrupt(self, exception: type[BaseException]) -> None:
        """From any thread: raises `exception` inside the call, soon."""
        self._exception = exception
        self._deadline = time.monotonic()
        if self._by_signal:
            signal.setitimer(signal.ITIMER_REAL, 1e-6)
        else:
            _look_at(self._deadline)

    def _alarm(self, signum: int, frame: Any) -> None:
        self._fired = True
        raise self._exception

    def look(self, now: float) -> float:
        """On the keeper's thread: does what is due; gives when to look again."""
        if now < self._deadline:
            return self._deadline
        # While the whole process stood still the call could not end either: more than the pause is not its time.
        self._grace -= max(0.0, min(now - self._looked, 2 * self._pause))
        self._looked = now
        if not self._fired:
            if self.cancel is not None:
                self._fired = True
                self.cancel()
            else:
                self._fire(now)
            if self._fired:
                self._grace = GRACE
        if self._grace <= 0:
            self._deadline = FOREVER
            if self.on_stuck is not None:
                self.on_stuck(self._exception)
            return FOREVER
        self._pause = min(self._pause * 2, LAST_LOOK)
        return now + self._pause

    def _fire(self, now: float) -> None:
        """Raises the exception in the thread if the call is on top there. One that ends meanwhile either is over before
        `_fired` is set, and then not on top any more, or finds it set, and takes back what is raised here."""
        self._firing = True
        try:
            self._fired = True
            if self._deadline <= now and _may_interrupt(self._thread):
                _set_exception(self._thread, self._exception)
            else:
                self._fired = False
        finally:
            self._firing = False

    def _take_back(self) -> None:
        # No lock: the exception may come while it is waited for, and would leave the lock taken.
        while self._firing:
            time.sleep(0)
        _set_exception(self._thread, None)

    @property
    def fired(self) -> bool:
        return self._fired


def _may_interrupt(thread_id: int) -> bool:
    from ....limits import may_interrupt

    return may_interrupt(thread_id, _Nobody)  # type: ignore[arg-type]


def _set_exception(thread_id: int, exception: type[BaseException] | None) -> None:
    import ctypes

    given = None if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), given)
    if exception is not None:
        from ....compilation import wake  # not at import: it brings half of the engine

        wake(thread_id)


def _look_at(moment: float) -> None:
    global _next_look
    with _lock:
        if moment >= _next_look:
            return
        _next_look = moment
    engine().keeper.look_later(max(0.0, moment - time.monotonic()), _look)


def _look_afresh() -> None:
    """The look that was arranged will not take place: its keeper has ended, with its engine or before a fork."""
    global _next_look
    _next_look = FOREVER


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    here = _guards.get(threading.get_ident())
    _guards.clear()
    if here is not None:
        here._firing = False  # the parent's keeper is not here to finish it
        _guards[threading.get_ident()] = here
    _look_afresh()


when_new.append(_look_afresh)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _look() -> None:
    global _next_look
    with _lock:
        _next_look = FOREVER
    now = time.monotonic()
    following = min((guard.look(now) for guard in list(_guards.values()) if not guard._by_signal), default=FOREVER)
    if following != FOREVER:
        _look_at(following)
