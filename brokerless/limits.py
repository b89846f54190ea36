"""Time limits and interrupts of tasks that run in threads.

At a hard limit the outcome is decided at once: the task FAILED, or, with retries left, the attempt is held (its late
value no longer counts) until its thread has really left it, because a retry beside it would run the function twice at
the same time. The thread gets an exception, but never while our own code, logging or an import is what it runs; then we
look again a little later. A thread that has not left after the grace time is stuck: it is counted and replaced.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from functools import partial
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from . import core, retries
from .compilation import wake
from .core import Task
from .cputime import ident_seconds
from .errors import CancelInterrupt, TimeLimitInterrupt
from .extra import extra_of
from .handle import label
from .options import TaskOptions

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["Limits", "boundary", "hold", "may_interrupt"]

log = logging.getLogger("brokerless")

GRACE = 0.5
"""Seconds after a hard limit until a thread counts as stuck."""

FIRST_LOOK = 0.001
LAST_LOOK = 0.01
SLOW_LOOK = 1.0
"""Seconds between two looks at a stuck thread that uses no processor time."""
FOREVER = 1e8

_OURS = __name__.partition(".")[0]
_GUARDED = ("logging", "importlib")

_boundaries: set[CodeType] = set()

F = TypeVar("F", bound=Callable[..., Any])


def boundary(func: F) -> F:
    """Marks a function of ours that calls a task's code: what is above its frame is the task's, and interruptible."""
    code = getattr(func, "__code__", None)
    if code is not None:
        _boundaries.add(code)
    return func


# The pure core's caller of tasks; the native one has no frame.
if hasattr(core.Engine, "_c_call"):
    boundary(core.Engine._c_call)


def _module(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__")
    return name.partition(".")[0] if isinstance(name, str) else ""


def _code_of(func: Any) -> CodeType | None:
    while isinstance(func, partial):
        func = func.func
    return getattr(getattr(func, "__func__", func), "__code__", None)


def may_interrupt(thread_id: int, task: Task) -> bool:
    """Whether the thread is in the task's own code now, outside of ours, logging's and the import system's."""
    frame = core.current_frames().get(thread_id)
    if frame is None or _module(frame) == _OURS:
        return False
    own = _code_of(task.func)
    ours = False
    while frame is not None:
        if frame.f_code is own or frame.f_code in _boundaries:
            return not ours
        module = _module(frame)
        if module in _GUARDED:
            return False
        ours = ours or module == _OURS
        outermost, frame = frame, frame.f_back
    # Its function is not on the stack as Python code: frames of ours further down are those that called it.
    return outermost is _outermost(thread_id)


def _outermost(thread_id: int) -> FrameType | None:
    # Without a GIL a frame may end while the one below it is looked for, and then looks like the outermost one; but not
    # the same frame twice.
    frame = core.current_frames().get(thread_id)
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
    return frame


def hold(task: Task, attempt: int, error: BaseException) -> bool:
    """Decides that this attempt has failed by `error`, but leaves the task RUNNING until it has really ended. Then
    `failed_attempt(attempt + 1, error)` follows. False: it ended before."""
    extra = extra_of(task)
    extra.held = error
    extra.holds += 1
    if task.hold(attempt):
        return True
    extra.holds -= 1
    if extra.held is error:
        extra.held = None
    return False


class _Watch:
    """One thread that is to leave one attempt."""

    __slots__ = (
        "attempt",
        "delivered",
        "exception",
        "held",
        "longest",
        "pause",
        "soft",
        "task",
        "until",
        "used",
        "worker",
    )

    def __init__(self, worker: int, task: Task, attempt: int, exception: type[BaseException]) -> None:
        self.worker = worker
        self.task = task
        self.attempt = attempt
        self.exception = exception
        self.delivered = False
        self.soft = False
        self.held: BaseException | None = None
        self.until: float | None = None
        """When it counts as stuck, in real time; None: never."""
        self.pause = FIRST_LOOK
        self.longest = LAST_LOOK
        self.used: float | None = None
        """CPU seconds of the thread at the last look."""

    def next_pause(self, thread_id: int) -> float:
        """Seconds until the next look at this thread: few while it runs, so that a moment outside of guarded code is
        found, and more and more of them once it counts as stuck and only waits.

        Never the same twice: a task that logs at a regular pace would else be met in logging each time.
        """
        pause = self.pause
        before, self.used = self.used, ident_seconds(thread_id) if self.longest > LAST_LOOK else None
        self.pause = min(pause * 2, self.longest if self.used == before else LAST_LOOK)
        return pause * random.uniform(0.5, 1.0)


class Limits:
    """Works on the keeper's thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.grace = GRACE
        self.timed_out = 0
        """Attempts that passed their hard limit."""
        self._watches: dict[int, _Watch] = {}

    def passed(self, worker: int, task: Task, attempt: int) -> None:
        """An attempt's deadline has passed."""
        options = task.options if isinstance(task.options, TaskOptions) else TaskOptions(timeout=task.timeout)
        before = self._watches.get(worker)
        if before is not None and (before.task is not task or before.attempt != attempt):
            before = None
        soft = options.soft_timeout
        if soft is not None and options.first_deadline == soft and before is None:
            more = FOREVER if options.timeout is None else options.timeout - soft
            if self.engine.extend(worker, attempt, more):
                watch = _Watch(worker, task, attempt, options.soft_exception)
                watch.soft = True
                self._begin(watch)
            return
        self.engine.extend(worker, attempt, FOREVER)
        error = options.limit_error(options.timeout or 0.0)
        watch = _Watch(worker, task, attempt, TimeLimitInterrupt)
        watch.until = time.monotonic() + self.grace
        if retries.left(task) and not self.engine.closed:
            if not hold(task, attempt, error):
                return
            watch.held = error
        elif not task.fail(attempt, error):
            return
        self.timed_out += 1
        self._begin(watch)

    def interrupt(self, task: Task, exception: type[BaseException] = CancelInterrupt) -> bool:
        """Raises `exception` in the thread that runs the task, as soon as that is safe. False: no thread runs it."""
        for worker in self.engine.workers():
            info = self.engine.worker_info(worker)
            if info is not None and info["task"] is task:
                watch = _Watch(worker, task, info["attempt"], exception)
                self.engine.keeper.look_later(0.0, partial(self._look, watch))
                return True
        return False

    def _begin(self, watch: _Watch) -> None:
        self._watches[watch.worker] = watch
        self._look(watch)

    def _look(self, watch: _Watch) -> None:
        engine, task = self.engine, watch.task
        info = engine.worker_info(watch.worker)
        if info is None or info["task"] is not task or info["attempt"] != watch.attempt:
            self._left(watch)
            return
        if not watch.delivered and may_interrupt(info["thread_id"], task):
            watch.delivered = core.Engine.interrupt(engine, watch.worker, task, watch.attempt, watch.exception)
            if watch.delivered:
                wake(info["thread_id"])
        if watch.until is None:
            if watch.delivered or (watch.soft and self._watches.get(watch.worker) is not watch):
                return
        elif time.monotonic() >= watch.until:
            self._stuck(watch)
            return
        engine.keeper.look_later(watch.next_pause(info["thread_id"]), partial(self._look, watch))

    def _left(self, watch: _Watch) -> None:
        """The thread is through with the attempt."""
        if self._watches.get(watch.worker) is watch:
            del self._watches[watch.worker]
        if watch.held is not None:
            watch.task.failed_attempt(watch.attempt + 1, watch.held)

    def _stuck(self, watch: _Watch) -> None:
        task = watch.task
        if self._watches.get(watch.worker) is watch:
            del self._watches[watch.worker]
        # The pool first: a worker that knows of it leaves at once when its task ends, and its pool must not then have
        # lost it unasked.
        replaced = any(pool.replace(watch.worker) for pool in self.engine.pools())
        if self.engine.abandon(watch.worker):
            log.warning(
                "task %s (%s) is still in its thread %.1f s after its time limit; the worker is %s",
                task.task_id,
                label(task),
                self.grace,
                "replaced" if replaced else "not replaced",
                extra={"task_id": task.task_id},
            )
        held, watch.held = watch.held, None
        if not watch.delivered:
            # Nobody waits for it any more, but the thread should still end when it can.
            watch.until, watch.longest = None, SLOW_LOOK
            self.engine.keeper.look_later(LAST_LOOK, partial(self._look, watch))
        if held is None:
            return
        if isinstance(task.options, TaskOptions) and task.options.retry_stuck:
            task.failed_attempt(watch.attempt + 1, held)
        else:
            task.fail(watch.attempt + 1, held)

    def reset_after_fork(self) -> None:
        """In a forked child: nothing runs."""
        self._watches = {}
