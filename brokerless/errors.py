"""Every exception that this package raises, under one base, `BrokerlessError`.

What a task itself raised is never replaced: it travels as the `__cause__` of `TaskExecutionError`. Wrong arguments
raise the built-in `TypeError` and `ValueError`, because they are mistakes in a program and not states of an engine.
"""

from __future__ import annotations

__all__ = [
    "BrokerlessError",
    "CancelInterrupt",
    "EngineShutdown",
    "QueueFull",
    "SoftTimeLimitExceeded",
    "TaskCancelledError",
    "TaskExecutionError",
    "TaskInterrupt",
    "TaskStateError",
    "TaskTimeoutError",
    "TimeLimitExceeded",
    "TimeLimitInterrupt",
]


class BrokerlessError(Exception):
    """Base of everything below, except the interrupts."""


class TaskTimeoutError(BrokerlessError, TimeoutError):
    """A wait was over before the task was. The task goes on; wait again or cancel it."""


class TaskExecutionError(BrokerlessError):
    """The task failed. `__cause__` is what it raised (or its time limit); `task_id` says which task."""

    def __init__(self, message: str, task_id: str | None = None) -> None:
        super().__init__(message)
        self.task_id = task_id


class TaskCancelledError(BrokerlessError):
    """The task was cancelled or expired and has no result. A task that was asked to stop and raises
    it ends as CANCELLED."""


class TaskStateError(BrokerlessError):
    """The task is not in a state that allows what was asked for, such as a retry of a task that still runs."""


class QueueFull(BrokerlessError):
    """`queue_size` tasks of that priority wait already. Nothing was queued."""


class EngineShutdown(BrokerlessError):
    """The engine was shut down and takes no more tasks, or dropped this one while shutting down."""


class TimeLimitExceeded(BrokerlessError, TimeoutError):
    """A task ran longer than its time limit: the error of such a task."""


class SoftTimeLimitExceeded(BrokerlessError):
    """Raised inside a task at its soft time limit, so that it can clean up before the hard one."""


class TaskInterrupt(BaseException):
    """Raised inside a task's thread to end it. Not an `Exception`, so that `except Exception` in a task, which is
    meant for the task's own troubles, does not swallow it."""


class TimeLimitInterrupt(TaskInterrupt):
    """The task's time limit has passed; its outcome is decided already."""


class CancelInterrupt(TaskInterrupt):
    """Somebody called `cancel(interrupt=True)` on the running task."""
