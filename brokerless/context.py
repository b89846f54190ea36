"""What a running task can ask and say about itself: `current_task()`.

Threads are found by the core's thread-local record, coroutines by a context variable that the event loop's driver sets.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from . import core
from .core import RUNNING, Task
from .extra import MAX_LOG_LINES, Extra, Progress, extra_of

__all__ = ["TaskContext", "current_task", "running_coroutine"]

running_coroutine: ContextVar[Task | None] = ContextVar("brokerless_task", default=None)
"""The `async def` task that this context belongs to."""


class TaskContext:
    """The running task as its own function sees it. Cheap to make; valid for this attempt."""

    __slots__ = ("_number", "task")

    def __init__(self, task: Task) -> None:
        self.task = task
        """The task's handle."""
        self._number = task.attempt

    @property
    def task_id(self) -> str:
        """As on the handle: 32 hex digits."""
        return self.task.task_id

    @property
    def attempt(self) -> int:
        """1 for the first call of the function, 2 for the first retry, and so on."""
        extra = self.task.extra
        return self._number - extra.holds if type(extra) is Extra else self._number

    @property
    def metadata(self) -> dict[str, Any]:
        """As submitted; shared with the handle."""
        return extra_of(self.task).metadata

    def set_progress(self, current: float, total: float | None = None, message: str = "") -> None:
        """Shows on the handle as `progress`: `current` of `total` (any unit; None: unknown) and a message."""
        extra_of(self.task).progress = Progress(current, total, message)
        told = getattr(self.task.engine, "on_progress", None)
        if told is not None:
            told(self.task)

    def is_cancelled(self) -> bool:
        """Whether the function should stop: somebody called `cancel()`, or the outcome is decided already because a
        time limit has passed."""
        task = self.task
        return task.cancel_requested or task.state != RUNNING or task.attempt != self._number

    def log(self, line: str) -> None:
        """Keeps a line for the handle's `logs` (the last 1000 lines). It does not go to the `logging` module."""
        lines = extra_of(self.task).logs
        lines.append(str(line))
        if len(lines) > MAX_LOG_LINES:
            del lines[: len(lines) - MAX_LOG_LINES]


def current_task() -> TaskContext | None:
    """The task that is calling: in a worker thread, or inside an `async def` task. None outside of tasks."""
    task = core.current() or running_coroutine.get()
    return None if task is None else TaskContext(task)
