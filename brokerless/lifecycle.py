"""How an engine starts and ends with its process.

| moment | what happens |
|---|---|
| import | nothing: no thread, no handler |
| first submit | the keeper thread starts; a pool's threads start at the first push to one of its queues |
| `shutdown()` | drains, then closes; what is left is cancelled, so that every waiter gets an end |
| exit | as `on_exit` says: drains for `exit_timeout` seconds, waits for all, or drops; then logs what is dropped |
| `fork` | the child has an empty engine that works at first use (`Engine._forked`); see `forks` |
| a signal | what its handler does; `signals` leads it to a normal exit |

The exit is seen through `threading._register_atexit`, before other executors refuse work. From then on no pool grows (the
scaler looks at `frozen`); a thread that a task cannot do without is still started, where Python lets us: 3.12.0 and 3.12.1
refuse it by then.
"""

from __future__ import annotations

import logging
import threading
import time
from inspect import getattr_static
from typing import TYPE_CHECKING, Any

from .core import DELAYED, QUEUED, RUNNING, Task
from .forks import after_fork
from .handle import label
from .livesets import LiveSet

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["alive", "describe", "settle", "shut_down", "watch"]

log = logging.getLogger("brokerless")

MOST_NAMED = 100
"""Dropped tasks of one engine that are named at exit, one by one."""

WAKE_UP = 0.25
"""Seconds after which a wait without limit looks for a signal that another thread has received."""

MOST_GROUPS = 1000
"""Tasks that are looked at one by one, to see whether all of them are handles that wait for delayed ones."""

_engines: LiveSet[Engine] = LiveSet()
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
    # Ordinary atexit handlers run after executors refuse work, which would break tasks that use them. Executors end in
    # the same stage, last in, first out: theirs has to be registered before ours.
    import concurrent.futures.thread  # noqa: F401

    register = getattr(threading, "_register_atexit", None)
    try:
        if register is None:
            raise RuntimeError("this Python has no threading._register_atexit")
        register(_at_exit)
    except RuntimeError as error:
        log.debug("tasks are not drained at exit: %s", error)


def alive() -> bool:
    """Whether an engine has begun and takes tasks."""
    return any(not engine.closed for engine in _engines)


def _at_exit() -> None:
    started = time.monotonic()
    engines = [engine for engine in _engines if not (engine.closed and engine.outstanding() == 0)]
    for engine in engines:
        engine.frozen = True
    patient = True
    for engine in engines:
        try:
            if patient:
                _wait_at_exit(engine, started)
        except (KeyboardInterrupt, SystemExit):
            patient = False
            log.warning("a signal ends the waiting for tasks")
        except BaseException:
            log.exception("%r could not be drained at exit", engine)
        try:
            _report_dropped(engine)
            _tell_owner(engine)
            shut_down(engine, False, 1.0, True)
        except BaseException:
            log.exception("%r could not be shut down at exit", engine)


def _wait_at_exit(engine: Engine, started: float) -> None:
    if engine.on_exit == "drop" or engine.outstanding() == 0:
        return
    engine.stop_recurring()  # nothing new from there
    for pool in engine.pools():
        pool.resume()  # a pause would let it wait for nothing
    if engine._eventloop is not None:
        engine._eventloop.resume()
    if engine.on_exit == "drain" or engine.clock is not None:
        settle(engine, max(0.0, started + engine.exit_timeout - time.monotonic()))
        return
    while not engine.drain(WAKE_UP):
        pass


def _tell_owner(engine: Engine) -> None:
    """Lets who stands on the engine end what waits for a dropped task."""
    told = engine.on_dropped
    if told is None:
        return
    for task in [task for task in engine.tasks() if task.state <= RUNNING]:
        try:
            told(task)
        except Exception:
            log.exception("%r raised for the dropped %s", told, describe(task))


def _report_dropped(engine: Engine) -> None:
    """Says at ERROR which tasks do not run, or not to their end, because the interpreter ends."""
    dropped = [task for task in engine.tasks() if task.state <= RUNNING]
    held = [line for tell in engine.holders for line in tell()]
    if held:
        _tell("%d call(s) held for later are dropped, because the process ends", len(held))
        for line in held[:MOST_NAMED]:
            _tell("dropped: %s", line)
    if not dropped:
        return
    counts = [sum(task.state == state for task in dropped) for state in (RUNNING, QUEUED, DELAYED)]
    _tell(
        "%d task(s) of %r are dropped, because the process ends: %d running, %d waiting, %d delayed",
        *(len(dropped), engine.name, *counts),
    )
    now = time.time()
    for task in dropped[:MOST_NAMED]:
        _tell("dropped: task %s, %s", describe(task), _progress(task, now))
    if len(dropped) > MOST_NAMED:
        _tell("dropped: and %d more", len(dropped) - MOST_NAMED)
    if counts[2] and engine.on_exit == "drain":
        _tell("tasks live in the memory of their process; on_exit='wait' lets it end only after the delayed ones")


def _progress(task: Task, now: float) -> str:
    if task.state == DELAYED:
        return f"due in {max(0.0, (task.due_at or now) - now):.3g} s"
    if task.state == QUEUED:
        return "not started"
    return f"running for {max(0.0, now - (task.started_at or now)):.3g} s"


def describe(task: Task) -> str:
    """Its id and name. A function that stands for others (in a shim), or the object it is a method of, has
    `describe_task(*args)` to tell theirs."""
    holders: tuple[Any, ...] = (task.func, getattr(task.func, "__self__", None))
    for one in holders:
        try:
            if getattr_static(one, "describe_task", None) is not None:  # objects that have every attribute do not count
                return str(one.describe_task(*(task.args or ())))
        except Exception:
            log.debug("%r cannot describe its task", one, exc_info=True)
    return f"{task.task_id} ({label(task)})"


def _tell(message: str, *args: object) -> None:
    """An error that reaches somebody also in a program that has not set logging up: the package's NullHandler would
    keep it from Python's handler of last resort."""
    log.error(message, *args)
    if not log.isEnabledFor(logging.ERROR) or logging.lastResort is None:
        return
    logger: logging.Logger | None = log
    while logger is not None:
        if not logger.propagate or any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return
        logger = logger.parent
    logging.lastResort.handle(log.makeRecord(log.name, logging.ERROR, __file__, 0, message, args, None))


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
    others = engine.outstanding() - len(delayed)
    if not delayed or others > MOST_GROUPS:
        return False
    if others and any(task.state in (QUEUED, RUNNING) and not _is_group(task) for task in engine.tasks()):
        return False
    due = delayed[0].due_at
    return due is not None and due > time.time() + remaining and engine.clock is None


def _is_group(task: Task) -> bool:
    """Whether it stands for a chain or a group, whose members are tasks of their own."""
    return getattr(task.extra, "group", None) is not None


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
    with engine.keeper.at_rest():  # what it has taken as due is in its lane before the workers are told to leave
        engine.close()
        if not (wait or cancel_pending):
            # Workers leave when the lanes are empty; what is only due later would never run.
            for task in engine.delayed():
                task.withdraw()
    if wait or cancel_pending:
        if not finished:
            _cancel_waiting(engine)
        engine.stop()
        for pool in engine.pools():
            pool.stop(wait=wait and not inside, timeout=remaining())
    else:
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
