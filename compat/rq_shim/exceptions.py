"""The exceptions of RQ, by their own names. Every one stands alone: only their common base `Exception` relates them."""

from __future__ import annotations

from typing import Any

__all__ = [
    "AbandonedJobError",
    "DequeueTimeout",
    "DeserializationError",
    "DuplicateJobError",
    "DuplicateSchedulerError",
    "InvalidJobDependency",
    "InvalidJobOperation",
    "InvalidJobOperationError",
    "NoSuchGroupError",
    "NoSuchJobError",
    "SchedulerNotFound",
    "ShutDownImminentException",
    "StopRequested",
    "TimeoutFormatError",
]


class NoSuchJobError(Exception):
    """There is no job of that id: never stored, deleted, or expired."""


class NoSuchGroupError(Exception):
    """There is no group of that name, or it has no jobs left."""


class DeserializationError(Exception):
    """A job's data could not be read with the serializer in use."""


class InvalidJobDependency(Exception):
    """A dependency that cannot be one."""


class DuplicateJobError(Exception):
    """`unique=True`, and a job of that id exists."""


class InvalidJobOperationError(Exception):
    """Kept for programs that catch it; unrelated to `InvalidJobOperation`, as in RQ."""


class InvalidJobOperation(Exception):
    """The job is not in a state that allows this."""


class DequeueTimeout(Exception):
    """Nothing came within the time that a worker was ready to wait."""


class ShutDownImminentException(BaseException):
    """Raised inside a job when its worker has to end at once."""

    def __init__(self, msg: str, extra_info: Any) -> None:
        self.extra_info = extra_info
        super().__init__(msg)


class TimeoutFormatError(Exception):
    """A timeout that is neither a number nor digits with a unit."""


class AbandonedJobError(Exception):
    """A job whose worker gave no sign of life in time."""


class SchedulerNotFound(Exception):
    """There is no scheduler of that name."""


class DuplicateSchedulerError(Exception):
    """A scheduler of that name is registered."""


class StopRequested(Exception):
    """A worker was asked to end its loop."""
