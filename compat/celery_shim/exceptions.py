"""Exceptions and warnings under Celery's names.

Those for limits and lost workers are billiard's own classes and ``OperationalError`` is kombu's, as in Celery; both
packages are loaded when one of them is first asked for. The
classes keep the module they live in, so that they can be pickled without the alias; ``backends.base`` writes and
reads them as ``celery.exceptions``.
"""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

from .utils.lean import borrow, safe_repr
from .utils.serialization import get_pickleable_exception

if TYPE_CHECKING:
    from billiard.exceptions import SoftTimeLimitExceeded, Terminated, TimeLimitExceeded, WorkerLostError
    from kombu.exceptions import OperationalError

__all__ = (
    "AlreadyRegistered",
    "AlwaysEagerIgnored",
    "BackendError",
    "BackendGetMetaError",
    "BackendStoreError",
    "CDeprecationWarning",
    "CPendingDeprecationWarning",
    "CeleryError",
    "CeleryWarning",
    "ChordError",
    "DuplicateNodenameWarning",
    "DuplicateTaskNameWarning",
    "FixupWarning",
    "Ignore",
    "ImproperlyConfigured",
    "IncompleteStream",
    "InvalidTaskError",
    "MaxRetriesExceededError",
    "NotConfigured",
    "NotRegistered",
    "OperationalError",
    "QueueNotFound",
    "Reject",
    "Retry",
    "SecurityError",
    "SecurityWarning",
    "SoftTimeLimitExceeded",
    "TaskError",
    "TaskPredicate",
    "TaskRevokedError",
    "Terminated",
    "TimeLimitExceeded",
    "TimeoutError",
    "WorkerLostError",
    "WorkerShutdown",
    "WorkerTerminate",
    "reraise",
)

UNREGISTERED_FMT = "Task of kind {0} never registered, please make sure it's imported."


def reraise(tp: type[BaseException], value: BaseException, tb: Any = None) -> Any:
    """Raise an exception with a given traceback."""
    raise value if value.__traceback__ is tb else value.with_traceback(tb)


class CeleryWarning(UserWarning):
    """Base of the warnings."""


class AlwaysEagerIgnored(CeleryWarning):
    """``send_task`` sends, whatever ``task_always_eager`` says."""


class DuplicateNodenameWarning(CeleryWarning):
    """Two workers answered under one name."""


class DuplicateTaskNameWarning(CeleryWarning):
    """A second function was registered under a task's name and was left out."""


class FixupWarning(CeleryWarning):
    """A framework's fixup could not be loaded."""


class NotConfigured(CeleryWarning):
    """No configuration module was found."""


class SecurityWarning(CeleryWarning):
    """A setting is unsafe."""


class CeleryError(Exception):
    """Base of the errors."""


class TaskPredicate(CeleryError):
    """Raised in a task to steer what becomes of it: no error."""


class Retry(TaskPredicate):
    """The task will run again."""

    message: str | None = None
    exc: BaseException | None = None
    when: Any = None

    def __init__(
        self,
        message: str | None = None,
        exc: Any = None,
        when: Any = None,
        is_eager: bool = False,
        sig: Any = None,
        **kwargs: Any,
    ) -> None:
        self.message, self.when, self.is_eager, self.sig = message, when, is_eager, sig
        self.excs: str | None
        if isinstance(exc, str):
            self.exc, self.excs = None, exc
        else:
            self.exc, self.excs = get_pickleable_exception(exc), _repr_of(exc)
        super().__init__(self, exc, when, **kwargs)

    def humanize(self) -> str:
        if isinstance(self.when, numbers.Number):
            return f"in {self.when}s"
        return f"at {self.when}"

    def __str__(self) -> str:
        if self.message:
            return self.message
        text = f"Retry {self.humanize()}"
        return f"{text}: {self.excs}" if self.excs else text

    def __reduce__(self) -> Any:
        return self.__class__, (self.message, self.exc, self.when)


RetryTaskError = Retry


def _repr_of(exc: Any) -> str | None:
    return safe_repr(exc) if exc else None


class Ignore(TaskPredicate):
    """The worker leaves the state of the task alone."""


class Reject(TaskPredicate):
    """The message is refused: given back to the queue with ``requeue``, failed without."""

    def __init__(self, reason: Any = None, requeue: bool = False) -> None:
        self.reason, self.requeue = reason, requeue
        super().__init__(reason, requeue)

    def __repr__(self) -> str:
        return f"reject requeue={self.requeue}: {self.reason}"


class ImproperlyConfigured(CeleryError):
    """A setting makes no sense."""


class SecurityError(CeleryError):
    """Something is not allowed."""


class TaskError(CeleryError):
    """Base of the errors about tasks."""


class QueueNotFound(KeyError, TaskError):
    """No queue of that name in ``task_queues``."""


class IncompleteStream(TaskError):
    """A walk over results met one that is not ready."""


class NotRegistered(KeyError, TaskError):
    """No task of that name."""

    def __repr__(self) -> str:
        return UNREGISTERED_FMT.format(self)


class AlreadyRegistered(TaskError):
    """The name is taken."""


class TimeoutError(TaskError):
    """The result did not come in time."""


class MaxRetriesExceededError(TaskError):
    """No retries are left."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.task_args = kwargs.pop("task_args", [])
        self.task_kwargs = kwargs.pop("task_kwargs", {})
        super().__init__(*args, **kwargs)


class TaskRevokedError(TaskError):
    """The task was revoked, or expired."""


class InvalidTaskError(TaskError):
    """A message is not a task."""


class ChordError(TaskError):
    """A member of a chord's header failed."""


class CPendingDeprecationWarning(PendingDeprecationWarning):
    """Will be deprecated."""


class CDeprecationWarning(DeprecationWarning):
    """Is deprecated."""


class WorkerTerminate(SystemExit):
    """The worker stops at once."""


SystemTerminate = WorkerTerminate


class WorkerShutdown(SystemExit):
    """The worker stops when its tasks are done."""


class BackendError(Exception):
    """The result store failed."""


class BackendGetMetaError(BackendError):
    """A result could not be read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.task_id = kwargs.get("task_id", "")

    def __repr__(self) -> str:
        return f"{super().__repr__()} task_id:{self.task_id}"


class BackendStoreError(BackendError):
    """A result could not be written."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.state = kwargs.get("state", "")
        self.task_id = kwargs.get("task_id", "")

    def __repr__(self) -> str:
        return f"{super().__repr__()} state:{self.state} task_id:{self.task_id}"


def _command_exception() -> type[Exception]:
    """The CLI's exception: click's, where click is installed. Made on demand, because click is slow to import."""
    base: Any
    try:
        from click import ClickException as base
    except ImportError:
        base = Exception

    class CeleryCommandException(base):  # type: ignore[misc]
        def __init__(self, message: str, exit_code: int) -> None:
            super().__init__(message)
            self.exit_code = exit_code

    CeleryCommandException.__qualname__ = "CeleryCommandException"
    return CeleryCommandException


_borrowed = borrow(
    globals(),
    {
        **dict.fromkeys(
            ("SoftTimeLimitExceeded", "Terminated", "TimeLimitExceeded", "WorkerLostError"), "billiard.exceptions"
        ),
        "OperationalError": "kombu.exceptions",
    },
)


def __getattr__(name: str) -> Any:
    if name == "CeleryCommandException":
        made = globals()[name] = _command_exception()
        return made
    return _borrowed(name)
