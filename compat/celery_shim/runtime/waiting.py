"""Waking those who wait for a result.

A store says ``notify(id)`` after it wrote; who waits holds a lock that is released then. Nobody polls. Costs one
dictionary look-up for a result that nobody waits for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from ....pools import pool_of_this_thread

#: Seconds that a worker waits for another task before a thread stands in for it.
PATIENCE = 0.02

__all__ = ("Gathering", "Waiter", "listen", "notify")

_lock = threading.Lock()
waiters: dict[Any, list[Any]] = {}
listeners: dict[Any, list[Any]] = {}


class Waiter:
    """Waits for changes of some ids. Register first, look at the store then, sleep last."""

    def __init__(self, ids: Iterable[Any]) -> None:
        self.ids = tuple(ids)
        self._changed = threading.Lock()
        self._changed.acquire()

    def __enter__(self) -> Waiter:
        with _lock:
            for id in self.ids:
                waiters.setdefault(id, []).append(self)
        return self

    def __exit__(self, *exc_info: Any) -> None:
        with _lock:
            for id in self.ids:
                others = waiters.get(id)
                if others is not None:
                    others.remove(self)
                    if not others:
                        del waiters[id]

    def changed(self, id: Any) -> None:
        """Something was written about one of the ids; called by who wrote it."""
        self.wake()

    def wake(self) -> None:
        try:
            self._changed.release()
        except RuntimeError:
            pass  # woken already

    def wait(self, timeout: float | None = None) -> bool:
        """Until something changed; False when time ran out. A waiting worker is stood in for by another thread."""
        pool = pool_of_this_thread()
        if pool is None:
            return self._changed.acquire(timeout=-1 if timeout is None else max(timeout, 0.0))
        until = deadline(timeout)
        if self._changed.acquire(timeout=PATIENCE if timeout is None else max(min(timeout, PATIENCE), 0.0)):
            return True
        rest = left(until)
        if rest is not None and rest <= 0:
            return False
        pool.lend()
        try:
            return self._changed.acquire(timeout=-1 if rest is None else rest)
        finally:
            pool.give_back()


class Gathering(Waiter):
    """Waits until all of some ids have succeeded; wakes before that only for what is no success.

    ``left`` are the ids that have not; who waits takes those out that it has seen.
    """

    def __init__(self, ids: Iterable[Any], succeeded: Callable[[Any], bool]) -> None:
        super().__init__(ids)
        self.left = set(self.ids)
        self._succeeded = succeeded

    def changed(self, id: Any) -> None:
        if self._succeeded(id):
            self.left.discard(id)
            if self.left:
                return
        self.wake()


def notify(id: Any) -> None:
    """Something was written about this id."""
    if id in waiters:
        with _lock:
            for waiter in waiters.get(id, ()):
                waiter.changed(id)
    if id in listeners:
        with _lock:
            callbacks = listeners.get(id, ())[:]
        for callback in callbacks:
            callback(id)


def listen(id: Any, callback: Any) -> Any:
    """Call ``callback(id)`` at every change; gives a function that ends it."""
    with _lock:
        listeners.setdefault(id, []).append(callback)

    def stop() -> None:
        with _lock:
            callbacks = listeners.get(id)
            if callbacks and callback in callbacks:
                callbacks.remove(callback)
                if not callbacks:
                    del listeners[id]

    return stop


def deadline(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout


def left(until: float | None) -> float | None:
    return None if until is None else until - time.monotonic()
