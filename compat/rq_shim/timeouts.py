"""Death penalties: context managers that raise an exception in what takes too long. They work in every thread."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal

from .runtime.deadlines import Guard, message_class

__all__ = [
    "BaseDeathPenalty",
    "BaseTimeoutException",
    "HorseMonitorTimeoutException",
    "JobTimeoutException",
    "TimerDeathPenalty",
    "UnixSignalDeathPenalty",
    "get_default_death_penalty_class",
]


class BaseTimeoutException(Exception):
    """Base of the exceptions below."""


class JobTimeoutException(BaseTimeoutException):
    """A job or a callback ran longer than it may."""


class HorseMonitorTimeoutException(BaseTimeoutException):
    """Time for a worker to look after its job."""


class BaseDeathPenalty:
    """Subclasses say how; `timeout` seconds after the start `exception` is raised inside the block."""

    def __init__(self, timeout: Any, exception: type[BaseException] = BaseTimeoutException, **kwargs: Any) -> None:
        self._timeout = timeout
        self._exception: Any = exception

    def __enter__(self) -> Any:
        self.setup_death_penalty()

    def __exit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        try:
            self.cancel_death_penalty()
        except BaseTimeoutException:
            # It came in the very moment of being called off.
            pass
        return False

    def setup_death_penalty(self) -> None:
        raise NotImplementedError()

    def cancel_death_penalty(self) -> None:
        raise NotImplementedError()


class UnixSignalDeathPenalty(BaseDeathPenalty):
    """By SIGALRM in the main thread, by an asynchronous exception in others."""

    by_signal = True
    _guard: Guard | None = None

    def __exit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        guard, self._guard = self._guard, None
        if guard is not None:
            try:
                guard.stop(value)
            except BaseTimeoutException:
                guard.stop(value)
        return False

    def _message(self) -> str:
        return f"Task exceeded maximum timeout value ({self._timeout} seconds)"

    def setup_death_penalty(self) -> None:
        self._guard = Guard(self._timeout, message_class(self._exception, self._message()), self.by_signal)
        self._guard.start()

    def cancel_death_penalty(self) -> None:
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.stop()


class TimerDeathPenalty(UnixSignalDeathPenalty):
    """By an asynchronous exception, in the main thread too."""

    by_signal = False


def get_default_death_penalty_class() -> type[BaseDeathPenalty]:
    """The one that works everywhere."""
    return UnixSignalDeathPenalty
