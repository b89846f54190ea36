"""The keeper: the engine's one housekeeping thread. It fires due delays, applies time limits, lets old results go and
runs short timers. While nothing is due it sleeps without wake-ups.

It decides nothing about limits (`limits` does) and never runs a task.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from .forks import end_child

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["Keeper", "Timer"]

log = logging.getLogger("brokerless")


class Timer:
    """One call of a short function at a later time; made by `engine.call_later()`."""

    __slots__ = ("_func", "_heap", "when")

    def __init__(self, heap: _Heap, when: float, func: Callable[[], Any]) -> None:
        self._heap = heap
        self._func: Callable[[], Any] | None = func
        self.when = when

    def cancel(self) -> bool:
        """True when this call kept it from running."""
        return self._heap.take_back(self) is not None

    @property
    def active(self) -> bool:
        """Whether it has neither run nor been cancelled."""
        return self._func is not None


class _Heap:
    """Timers by time. Cancelled ones are dropped when they come up, or when they are the greater part."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[tuple[float, int, Timer]] = []
        self._serial = 0
        self._dead = 0

    def add(self, when: float, func: Callable[[], Any]) -> tuple[Timer, bool]:
        """The timer, and whether it is now the first."""
        timer = Timer(self, when, func)
        with self._lock:
            self._serial += 1
            heappush(self._entries, (when, self._serial, timer))
            return timer, self._entries[0][2] is timer

    def take_back(self, timer: Timer) -> Callable[[], Any] | None:
        with self._lock:
            func, timer._func = timer._func, None
            if func is not None:
                self._dead += 1
                if self._dead > 64 and self._dead * 2 > len(self._entries):
                    self._entries = sorted(entry for entry in self._entries if entry[2]._func is not None)
                    self._dead = 0
            return func

    def first(self) -> float | None:
        with self._lock:
            self._drop_dead()
            return self._entries[0][0] if self._entries else None

    def pop_due(self, now: float) -> Callable[[], Any] | None:
        with self._lock:
            self._drop_dead()
            if not self._entries or self._entries[0][0] > now:
                return None
            timer = heappop(self._entries)[2]
            func, timer._func = timer._func, None
            return func

    def _drop_dead(self) -> None:
        while self._entries and self._entries[0][2]._func is None:
            heappop(self._entries)
            self._dead -= 1


class Keeper:
    """One per engine; its thread starts with the first submit or the first timer."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._manual = False
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._firing = threading.RLock()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._leaving = False
        self._timers = _Heap()
        self._looks = _Heap()

    @property
    def thread(self) -> threading.Thread | None:
        return self._thread

    def start(self) -> None:
        """Starts the thread if it is not running."""
        with self._lock:
            if self._thread is not None or self._stopped:
                return
            self._thread = threading.Thread(target=self._main, daemon=True, name="brokerless-keeper")
            thread = self._thread
        try:
            thread.start()
        except RuntimeError as error:
            with self._lock:
                self._thread = None
            log.error("cannot start the keeper thread (%s): delays, limits and expiry will not fire", error)

    def stop(self, timeout: float | None = 5.0) -> None:
        """Ends the thread; pending timers will not run."""
        with self._lock:
            self._stopped = True
            thread = self._thread
        self.engine.kick()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def leave_when_empty(self) -> None:
        """The thread ends by itself once no task is left; the event loop ends with it."""
        self._leaving = True
        self._look_round()

    def _look_round(self) -> None:
        if self.engine.outstanding():
            self.look_later(0.1, self._look_round)
        else:
            self.engine.kick()

    def _last_act(self) -> None:
        self._stopped = True
        loop = self.engine._eventloop
        if loop is not None:
            loop.stop(0.0)

    def call_later(self, seconds: float, func: Callable[[], Any]) -> Timer:
        """Calls `func` on the keeper's thread after `seconds` of the engine's clock."""
        timer, first = self._timers.add(self.engine.now() + seconds, func)
        self._woken(first)
        return timer

    def look_later(self, seconds: float, func: Callable[[], Any]) -> Timer:
        """The same in real time, also under a clock set by hand: for watching what threads do."""
        timer, first = self._looks.add(time.monotonic() + seconds, func)
        self._woken(first)
        return timer

    def _woken(self, first: bool) -> None:
        self.start()
        if first and threading.current_thread() is not self._thread:
            self.engine.kick()

    def clock_is_manual(self) -> None:
        """From now on the engine's clock only moves by hand."""
        self._manual = True

    @property
    def manual(self) -> bool:
        return self._manual

    def _timeout(self) -> float | None:
        look = self._looks.first()
        timeout = None if look is None else look - time.monotonic()
        timer = None if self._manual else self._timers.first()
        if timer is not None:
            until = timer - self.engine.now()
            timeout = until if timeout is None else min(timeout, until)
        return None if timeout is None else max(0.0, timeout)

    def _main(self) -> None:
        pause = 0.1
        while not self._stopped:
            try:
                self.engine.keeper_wait(self._timeout())
                if self._stopped:
                    return
                self.fire()
                if self._leaving and self.engine.outstanding() == 0:
                    self._last_act()
                    return
                pause = 0.1
            except BaseException:
                log.exception("the keeper thread goes on after an error")
                time.sleep(pause)
                pause = min(pause * 2, 10.0)

    def fire(self) -> None:
        """Does what is due, on the calling thread. The keeper's thread calls it; so does a clock moved by hand."""
        engine = self.engine
        with self._firing:
            engine.fire_due()
            engine.age()
            for worker, task, attempt in engine.overdue():
                engine.limits.passed(worker, task, attempt)
            self._run(self._timers, engine.now())
            self._run(self._looks, time.monotonic())

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Nothing that is due is fired meanwhile, unless a timer's function has been running for half a second."""
        alone = self._firing.acquire(timeout=0.5)
        try:
            yield
        finally:
            if alone:
                self._firing.release()

    def _run(self, heap: _Heap, now: float) -> None:
        while (func := heap.pop_due(now)) is not None:
            process, ours = os.getpid(), threading.current_thread() is self._thread
            try:
                func()
            except BaseException:
                log.exception("timer %r failed", func)
            if ours and os.getpid() != process:
                end_child(None)

    def reset_after_fork(self) -> None:
        """In a forked child: no thread, no timers."""
        self._reset()
