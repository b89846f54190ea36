"""`BackgroundTasks.executor()`: the engine as a `concurrent.futures.Executor`, for code that wants one
(`loop.run_in_executor`, libraries with an `executor=` argument).

A future is a view on a task: what happens to one happens to the other. The executor has no threads of its own, and its
shutdown leaves the engine alone. In a forked child the parent's futures fail, because nothing there would end them.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from .core import CANCELLED, COMPLETED, Task
from .errors import EngineShutdown
from .forks import after_fork
from .limits import boundary
from .options import DEFAULTS, check_callable, is_async
from .pools import pool_of_this_thread

if TYPE_CHECKING:
    from .handle import TaskResult
    from .tasks import BackgroundTasks

__all__ = ["TaskExecutor", "TaskFuture"]

P = ParamSpec("P")
R = TypeVar("R")


class TaskFuture(Future[R]):
    """The future of one submitted call; `task` is its handle."""

    task: TaskResult

    def cancel(self) -> bool:
        """True if the call will never run, False if it runs or has ended. Never blocks."""
        cancelled = super().cancel()
        task = getattr(self, "task", None)  # there is none yet while it is being submitted
        if cancelled and task is not None:
            task.withdraw()
        return cancelled

    def result(self, timeout: float | None = None) -> R:
        """As for every future; a worker of an engine that waits here lends its place meanwhile."""
        return super().result(self._left_after_lending(timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """As for every future, and as `result()`."""
        return super().exception(self._left_after_lending(timeout))

    def _fail_in_child(self) -> None:
        """Ends it in a forked child. Nobody waits for it there, and its callbacks are the parent's business."""
        self._condition = threading.Condition()
        self._waiters.clear()
        self._done_callbacks.clear()  # type: ignore[attr-defined]
        if not self.done():
            self._state = "RUNNING"  # one that is cancelled already stays so
            self.set_exception(
                RuntimeError(
                    "this call was submitted by the parent process and never ends in this one: submit it again here"
                )
            )

    def _left_after_lending(self, timeout: float | None) -> float | None:
        if self.done() or pool_of_this_thread() is None:
            return timeout
        began = time.monotonic()
        self.task._wait(timeout)
        return None if timeout is None else max(0.0, timeout - (time.monotonic() - began))


class TaskExecutor(Executor):
    """Made by `tasks.executor(**options)`. Without options a call has no time limit and no retries, as elsewhere: of an
    executor one submit is one call.

    Coroutine functions run on the engine's event loop, and their future has the coroutine's value.
    """

    def __init__(self, tasks: BackgroundTasks, **options: Any) -> None:
        self._tasks = tasks
        settings = DEFAULTS.updated({"max_retries": 0, "timeout_ms": None, "compile_to_c": False, **options}).once()
        self._compile_to_c = settings.compile_to_c
        self._settings = settings.updated({"compile_to_c": False})
        self._changed = threading.Condition()
        self._closed = False
        self._open: set[TaskFuture[Any]] = set()
        _executors.add(self)

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> TaskFuture[R]:
        """One call `fn(*args, **kwargs)`. Never blocks; not bound by `queue_size`.

        Raises RuntimeError after a shutdown of this executor or of the engine, TypeError for what cannot be called.
        """
        check_callable(fn)
        future: TaskFuture[R] = TaskFuture()
        call: Callable[..., Any]
        if is_async(fn):
            call = partial(_run_coroutine, fn, future)
        else:
            call = _Call(self._tasks.compilation.form(fn, self._compile_to_c), future)
        with self._changed:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._open.add(future)
        try:
            future.task = task = self._tasks._submit_checked(self._settings, call, args, kwargs, 0, keep=False)
        except BaseException as error:
            self._ended(future)
            if isinstance(error, EngineShutdown):
                raise RuntimeError(f"cannot schedule new futures after shutdown of the engine: {error}") from error
            raise

        def over(ended: Task) -> None:
            try:
                _settle(future, ended)
            finally:
                self._ended(future)

        if not task.add_callback(over):
            over(task)
        return future

    def _ended(self, future: TaskFuture[Any]) -> None:
        with self._changed:
            self._open.discard(future)
            self._changed.notify_all()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No more submits through this executor; the engine goes on. `cancel_futures`: calls that have not started are
        cancelled. `wait`: blocks until every call has ended. May be called again."""
        with self._changed:
            self._closed = True
            waiting = list(self._open) if cancel_futures else []
        for future in waiting:
            future.cancel()
        if wait:
            with self._changed:
                self._changed.wait_for(lambda: not self._open)

    def _forked(self) -> None:
        self._changed = threading.Condition()
        open_here, self._open = self._open, set()
        for future in open_here:
            future._fail_in_child()


_executors: weakref.WeakSet[TaskExecutor] = weakref.WeakSet()


def _after_fork() -> None:
    for executor in list(_executors):
        executor._forked()


after_fork(_after_fork)


class _Call:
    """What the task calls: the function, once its future has said that it runs."""

    def __init__(self, fn: Callable[..., Any], future: Future[Any]) -> None:
        self.fn = fn
        self.future = future
        # For lists and messages.
        self.__qualname__ = getattr(fn, "__qualname__", None) or type(fn).__name__
        self.__module__ = getattr(fn, "__module__", None) or __name__

    @boundary
    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        # A retry finds the future running.
        if self.future.running() or self.future.set_running_or_notify_cancel():
            return self.fn(*args, **kwargs)
        return None


async def _run_coroutine(fn: Callable[..., Any], future: Future[Any], /, *args: Any, **kwargs: Any) -> Any:
    if future.running() or future.set_running_or_notify_cancel():
        return await fn(*args, **kwargs)
    return None


def _settle(future: Future[Any], task: Any) -> None:
    """The future gets the outcome of the ended task."""
    if task.state == CANCELLED:
        Future.cancel(future)  # it never ran: cancelled, expired, or dropped at shutdown; in vain if it runs
    if future._state in ("PENDING", "CANCELLED"):
        future.set_running_or_notify_cancel()
    if not future.running():
        return
    if task.state == COMPLETED:
        future.set_result(task.value)
    else:
        future.set_exception(task.get_error())
