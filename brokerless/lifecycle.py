"""How an engine starts and ends with its process.

| moment | what happens |
|---|---|
| import | nothing: no thread, no handler |
| first submit | the keeper thread starts; a pool's threads start at the first push to one of its queues |
| `shutdown()` | drains, then closes; what is left is cancelled, so that every waiter gets an end |
| exit | drains for `exit_timeout` seconds at most (before other executors refuse work), then logs what is dropped |
| `fork` | the child has an empty engine that works at first use (`Engine._forked`) |
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING

from .core import RUNNING, Task
from .forks import after_fork
from .handle import label

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["settle", "shut_down", "watch"]

log = logging.getLogger("brokerless")

MOST_NAMED = 100
"""Dropped tasks that are named at exit, one by one."""

_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
_lock = threading.Lock()
_registered = False


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


after_fork(_renew_lock)


def watch(engine: Engine) -> None:
    """From its first submit on, the interpreter's exit waits a little for this engine."""
    global _registered
    with _lock:
        _engines.add(engine)
        if _registered:
            return
        _registered = True
    # Ordinary atexit handlers run after executors refuse work, which would break tasks that use them.
    register = getattr(threading, "_register_atexit", None)
    try:
        if register is None:
            raise RuntimeError("this Python has no threading._register_atexit")
        register(_at_exit)
    except RuntimeError as error:
        log.debug("tasks are not drained at exit: %s", error)


def _at_exit() -> None:
    for engine in list(_engines):
        if engine.closed and engine.outstanding() == 0:
            continue
        try:
            engine.stop_recurring()
            settle(engine, engine.exit_timeout)
            _log_dropped(engine)
            shut_down(engine, False, 1.0, True)
        except BaseException:
            log.exception("%r could not be shut down at exit", engine)


def _log_dropped(engine: Engine) -> None:
    dropped = engine.outstanding()
    if not dropped:
        return
    log.error("%d task(s) of %r are dropped: the interpreter ends and they have not", dropped, engine.name)
    named = (task for task in engine.tasks() if task.state <= RUNNING)
    for _, task in zip(range(MOST_NAMED), named, strict=False):
        log.error("dropped: task %s (%s)", task.task_id, label(task))


def settle(engine: Engine, timeout: float | None) -> bool:
    """Waits until every task has ended with its callbacks, at most `timeout` seconds; sooner when all that is left is
    delayed beyond that. Returns whether nothing is left."""
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = 0.02
    while True:
        remaining = None if deadline is None else deadline - time.monotonic()
        if remaining is None:
            return engine.drain()
        if engine.drain(max(0.0, min(remaining, pause))):
            return True
        if remaining <= 0 or _only_later(engine, remaining):
            return False
        pause = min(pause * 2, 0.25)


def _only_later(engine: Engine, remaining: float) -> bool:
    delayed = engine.delayed()
    if not delayed or len(delayed) < engine.outstanding():
        return False
    due = delayed[0].due_at
    return due is not None and due > time.time() + remaining and engine.clock is None


def shut_down(engine: Engine, wait: bool, timeout: float | None, cancel_pending: bool) -> bool:
    """Ends the engine. Returns whether every task had ended by itself."""
    started = time.monotonic()

    def remaining() -> float | None:
        return None if timeout is None else max(0.0, timeout - (time.monotonic() - started))

    engine.stop_recurring()
    if cancel_pending:
        _cancel_waiting(engine)
    # A task that shuts its own engine down cannot wait for itself.
    inside = engine.is_own_thread()
    finished = settle(engine, timeout) if wait and not inside else engine.outstanding() == 0
    engine.close()
    if wait or cancel_pending:
        if not finished:
            _cancel_waiting(engine)
        engine.stop()
        for pool in engine.pools():
            pool.stop(wait=wait and not inside, timeout=remaining())
    else:
        # Workers leave when the lanes are empty; what is only due later would never run.
        for task in engine.delayed():
            task.withdraw()
        for pool in engine.pools():
            if pool.started:
                pool.resume()
    _stop_helpers(engine, wait and not inside)
    if wait or cancel_pending:
        engine.discard()
    return finished


def _stop_helpers(engine: Engine, wait: bool) -> None:
    loop = engine._eventloop
    if wait or engine.outstanding() == 0:
        if loop is not None:
            loop.stop(5.0 if wait else 0.0)
        engine.keeper.stop(5.0 if wait else 0.0)
    else:
        engine.keeper.leave_when_empty()


def _cancel_waiting(engine: Engine) -> None:
    waiting: list[Task] = engine.delayed()
    for task in engine.tasks():
        if task.state < RUNNING:
            waiting.append(task)
    for task in waiting:
        task.withdraw()
    # Groups end with their members; one whose next member can no longer be submitted ends here.
    for task in engine.tasks():
        group = getattr(task.extra, "group", None)
        if group is not None and task.state == RUNNING:
            group.cancel(False)
