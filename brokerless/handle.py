"""`TaskResult`: the handle of one task, which is also the task itself in the core's memory.

It translates the core's states and times into the public API. It decides nothing: limits, retries and groups live in
their own files.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .core import CANCELLED, COMPLETED, FAILED, RUNNING, Task
from .errors import TaskCancelledError, TaskExecutionError, TaskStateError, TaskTimeoutError
from .extra import Extra, Progress
from .model import TaskPriority, TaskStatus
from .pools import pool_of_this_thread

if TYPE_CHECKING:
    import asyncio

    from .engine import Engine

__all__ = ["TaskResult", "label", "run_callback"]

log = logging.getLogger("brokerless")

_STATUS = (
    TaskStatus.PENDING,
    TaskStatus.PENDING,
    TaskStatus.RUNNING,
    TaskStatus.COMPLETED,
    TaskStatus.FAILED,
    TaskStatus.CANCELLED,
)

PATIENCE = 0.02
"""Seconds that a worker waits for another task before a thread stands in for it."""

ON_SUCCESS = "on_success"
ON_ERROR = "on_error"


class TaskResult(Task):
    """One submitted task. Made by the engine, never by hand; safe to use from any thread.

    Besides the members below it has `task_id` (32 hex digits), `created_at`, `started_at` and `completed_at` (epoch
    seconds, None until then), and `error`: what a task that is over failed with. While it waits for a retry, or after a
    later success, that is None; what each attempt raised is in `errors`.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        engine: Engine

    @property
    def status(self) -> TaskStatus:
        """The present `TaskStatus`; `handle.status()` works too."""
        return _STATUS[self.state]

    @property
    def priority(self) -> TaskPriority | int:
        """The priority it was submitted with; a plain number in queues that have other lanes than the four."""
        lane = self.lane
        return TaskPriority(lane) if lane < len(TaskPriority) else lane

    @property
    def attempts(self) -> int:
        """How many times the function was called so far."""
        extra = self.extra
        return self.attempt - extra.holds if type(extra) is Extra else self.attempt

    @property
    def execution_time_ms(self) -> float | None:
        """Milliseconds that the last finished attempt took; None before that."""
        seconds = self.run_seconds
        return None if seconds is None else seconds * 1000.0

    @property
    def errors(self) -> list[BaseException]:
        """What each failed attempt raised, oldest first. Tracebacks keep their line numbers, not their frames."""
        extra = self.extra
        errors = list(extra.errors) if type(extra) is Extra else []
        last = self.error
        if last is not None and self.state != COMPLETED and not any(error is last for error in errors):
            errors.append(last)
        return errors

    @property
    def tags(self) -> tuple[str, ...]:
        """As submitted."""
        extra = self.extra
        return extra.tags if type(extra) is Extra else ()

    @property
    def metadata(self) -> dict[str, Any]:
        """As submitted (a copy of the mapping); an empty dict without any."""
        extra = self.extra
        return extra.metadata if type(extra) is Extra else {}

    @property
    def progress(self) -> Progress | None:
        """What the task last said with `current_task().set_progress(…)`; None if it said nothing."""
        extra = self.extra
        return extra.progress if type(extra) is Extra else None

    @property
    def logs(self) -> list[str]:
        """The lines of `current_task().log(…)`, the last 1000."""
        extra = self.extra
        return list(extra.logs) if type(extra) is Extra else []

    @property
    def retry_of(self) -> Task | None:
        """The handle whose `retry()` made this one."""
        extra = self.extra
        return extra.retry_of if type(extra) is Extra else None

    @property
    def children(self) -> list[TaskResult]:
        """The tasks that a chain's or group's handle has submitted so far; empty for a plain task."""
        extra = self.extra
        if type(extra) is not Extra or extra.group is None:
            return []
        return list(extra.group.members)

    def done(self) -> bool:
        """Whether it has ended, in whichever way."""
        return self.state > RUNNING

    is_complete = done
    is_ready = done

    def is_successful(self) -> bool:
        """Whether it ended with a value."""
        return self.state == COMPLETED

    def is_failed(self) -> bool:
        """Whether it ended with an error (a cancelled task did not)."""
        return self.state == FAILED

    def is_cancelled(self) -> bool:
        """Whether it was cancelled or expired."""
        return self.state == CANCELLED

    def wait(self, timeout: float | None = None) -> Any:
        """Blocks until the task has ended and returns its value.

        `timeout` is in seconds, None waits without limit. Ctrl-C interrupts it in the main thread.
        Raises TaskTimeoutError when the time is over first (the task goes on), TaskExecutionError when the task failed
        (its exception is the `__cause__`) and TaskCancelledError when it was cancelled or expired.
        """
        if self.state <= RUNNING and not self._wait(timeout):
            raise TaskTimeoutError(
                f"task {self.task_id} ({label(self)}) is {self.status} after waiting {timeout} s; "
                "wait longer, or cancel() it"
            )
        return self._outcome()

    result = wait

    def _wait(self, timeout: float | None) -> bool:
        pool = pool_of_this_thread()
        if pool is None:
            return Task.wait(self, timeout)
        # A worker that waits for another task lends its place, so that a full pool cannot wait for itself.
        first = PATIENCE if timeout is None else min(timeout, PATIENCE)
        if Task.wait(self, first):
            return True
        if timeout is not None and timeout <= first:
            return False
        pool.lend()
        try:
            return Task.wait(self, None if timeout is None else timeout - first)
        finally:
            pool.give_back()

    def get_result(self) -> Any:
        """The value of a completed task, None while it is pending or running; never blocks.

        Raises like `wait()` for a failed or cancelled task.
        """
        return self._outcome() if self.state > RUNNING else None

    def get_error(self) -> BaseException | None:
        """The exception of a failed task, TaskCancelledError for a cancelled one, else None; never blocks."""
        state = self.state
        if state == FAILED:
            return self.error
        if state == CANCELLED:
            return self._cancelled()
        return None

    def _outcome(self) -> Any:
        state = self.state
        if state == COMPLETED:
            return self.value
        if state == FAILED:
            error = self.error
            raise TaskExecutionError(
                f"task {self.task_id} ({label(self)}) failed after {self.attempts} attempt(s): "
                f"{type(error).__name__}: {error}",
                self.task_id,
            ) from error
        raise self._cancelled()

    def _cancelled(self) -> TaskCancelledError:
        error = self.error
        if isinstance(error, TaskCancelledError):
            return error
        return TaskCancelledError(f"task {self.task_id} ({label(self)}) was cancelled or expired")

    def __await__(self) -> Generator[Any, None, Any]:
        """`await handle`: like `wait()`, on the running asyncio loop, without a thread and without polling.

        Cancelling the await does not cancel the task.
        """
        if self.state <= RUNNING:
            import asyncio

            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()

            def wake(_task: Task) -> None:
                with suppress(RuntimeError):  # that loop is closed: nobody waits there any more
                    loop.call_soon_threadsafe(_resolve, future)

            if self.add_callback(wake):
                yield from future
        return self._outcome()

    def cancel(self, interrupt: bool = False) -> bool:
        """Cancels a task that has not started: it will never run, and True is returned.

        For a running task it returns False and only asks: `current_task().is_cancelled()` becomes true there, and no
        retry follows. With `interrupt=True` an exception is raised inside it as well (a thread in a C call sees it when
        that call returns); if the task ends by it, it ends CANCELLED. The handle of a chain or group ends at once, as
        do its members that have not started. False also means that the task had ended already. Never blocks.
        """
        extra = self.extra
        if type(extra) is Extra and extra.group is not None:
            return extra.group.cancel(interrupt)
        if self.withdraw():
            return True
        if self.request_cancel() and interrupt:
            self.engine.cancel_running(self)
        return False

    def retry(self, max_retries: int | None = None, delay_ms: float = 0) -> TaskResult:
        """Submits the same function and arguments again and returns the new handle; its `retry_of` is this one.

        `max_retries`: automatic retries of the new task, None for as many as this one had; `delay_ms`: not before so
        many milliseconds. Not bound by `queue_size`.
        Raises TaskStateError unless this task failed or was cancelled (a completed one has let go of its arguments).
        """
        if self.state not in (FAILED, CANCELLED):
            raise TaskStateError(
                f"retry() is for a task that failed or was cancelled; {self.task_id} is {self.status}. "
                "Submit the function again instead"
            )
        return self.engine.resubmit(self, max_retries, delay_ms)

    def on_success(self, callback: Callable[[Any], Any]) -> TaskResult:
        """Calls `callback(value)` once when the task completes: on the worker that finished it, or here and now if it
        has completed already. What the callback raises is logged. Returns this handle.
        """
        return self._on(ON_SUCCESS, callback)

    def on_error(self, callback: Callable[[BaseException], Any]) -> TaskResult:
        """Calls `callback(exception)` once when the task fails for good (the task's own exception) or is cancelled
        (a TaskCancelledError); where and when as for `on_success`. Returns this handle.
        """
        return self._on(ON_ERROR, callback)

    def _on(self, kind: str, callback: Callable[[Any], Any]) -> TaskResult:
        if not callable(callback):
            raise TypeError(f"{kind}() needs a function, got {callback!r} of type {type(callback).__name__}")
        entry = (kind, callback)
        if not self.add_callback(entry):
            run_callback(self, entry)
        return self

    def __repr__(self) -> str:
        return f"<TaskResult {self.task_id} {label(self)} {self.status}>"


def run_callback(task: Task, entry: Any) -> None:
    """Runs one entry of `add_callback()`: a pair made by `on_success`/`on_error`, or a function of the ended task.
    Never raises: whatever the callback raises is logged."""
    try:
        if type(entry) is not tuple:
            entry(task)
            return
        kind, callback = entry
        if kind == ON_SUCCESS:
            if task.state == COMPLETED:
                callback(task.value)
        elif task.state == FAILED:
            callback(task.error)
        elif task.state == CANCELLED:
            callback(task.get_error() if isinstance(task, TaskResult) else task.error)
    except BaseException:
        log.exception("a callback of task %s failed", task.task_id, extra={"task_id": task.task_id})


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def label(task: Task) -> str:
    """The name of a task's function, also when the core has let go of the function itself."""
    name = getattr(task, "name", None)
    if isinstance(name, str):
        return name
    func = task.func
    return getattr(func, "__qualname__", None) or getattr(func, "__name__", None) or type(func).__name__
