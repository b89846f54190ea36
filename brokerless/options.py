"""Checks what callers pass in: priorities, times, counts, names of options. Every error names the value and says what
is allowed, and is raised before anything is queued.

Milliseconds become seconds here; nothing below this file knows milliseconds. `TaskOptions` is the part of a task's
options that the engine needs after the submit; equal options share one object, so a million tasks hold one.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal, overload

from .errors import SoftTimeLimitExceeded, TimeLimitExceeded
from .model import TaskPriority, TaskStatus
from .timetables import Timetable

__all__ = [
    "DEFAULTS",
    "OPTION_NAMES",
    "Settings",
    "TaskOptions",
    "check_callable",
    "count",
    "is_async",
    "priority_of",
    "seconds",
    "status_of",
    "tags_of",
]

OPTION_NAMES = frozenset(
    {
        "priority",
        "delay_ms",
        "max_retries",
        "timeout_ms",
        "expires_ms",
        "compile_to_c",
        "tags",
        "metadata",
        "retry_stuck",
        "schedule",
    }
)

PRIORITY_NAMES = {priority.name.lower(): priority for priority in TaskPriority}


@dataclass(frozen=True)
class TaskOptions:
    """What the engine looks at when an attempt fails or passes a limit. Immutable and shared between tasks."""

    max_retries: int = 0
    """Attempts after the first one."""
    timeout: float | None = None
    """Hard limit of one attempt in seconds."""
    retry_stuck: bool = False
    """Retry even while the timed-out attempt is still running in its thread."""
    soft_timeout: float | None = None
    """Seconds after which `soft_exception` is raised inside the task."""
    soft_exception: type[BaseException] = SoftTimeLimitExceeded
    hard_exception: Callable[[float], BaseException] | None = None
    """Makes the error of a task that passed `timeout`; it is called with the limit in seconds."""
    compile_to_c: bool | str | None = None
    """None leaves the choice to the engine; "require" is the only text."""

    def limit_error(self, limit: float) -> BaseException:
        """The error of an attempt that ran into its hard limit."""
        if self.hard_exception is not None:
            return self.hard_exception(limit)
        return TimeLimitExceeded(f"the task ran longer than its time limit of {limit:g} s")

    @property
    def first_deadline(self) -> float | None:
        """Seconds until the first limit of an attempt, soft or hard."""
        if self.soft_timeout is not None and (self.timeout is None or self.soft_timeout < self.timeout):
            return self.soft_timeout
        return self.timeout


@lru_cache(maxsize=1024)
def shared_options(
    max_retries: int, timeout: float | None, retry_stuck: bool, compile_to_c: bool | str | None
) -> TaskOptions:
    """One object for each combination."""
    return TaskOptions(max_retries=max_retries, timeout=timeout, retry_stuck=retry_stuck, compile_to_c=compile_to_c)


@dataclass(frozen=True)
class Settings:
    """Checked options of one submit, one decorator or one batch; times in seconds."""

    priority: TaskPriority = TaskPriority.NORMAL
    delay: float | None = None
    max_retries: int = 3
    timeout: float | None = 30.0
    expires: float | None = None
    compile_to_c: bool | str | None = None
    retry_stuck: bool = False
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] | None = None
    schedule: Timetable | None = None

    @property
    def task_options(self) -> TaskOptions:
        return shared_options(self.max_retries, self.timeout, self.retry_stuck, self.compile_to_c)

    def once(self) -> Settings:
        """These, where calls cannot recur: raises ValueError if they have a schedule."""
        if self.schedule is not None:
            raise ValueError(
                f"schedule={self.schedule!r}: only add_task() and task() take it; a batch, a chain or a group is "
                "submitted once. Schedule a function that submits it"
            )
        return self

    def updated(self, given: Mapping[str, Any]) -> Settings:
        """A copy with the options in `given` (names as in `add_task`) checked and put in place of these.

        Raises TypeError for an unknown name or a wrong type, ValueError for a value out of range.
        """
        if not given:
            return self
        fields = dict(self.__dict__)
        for name, value in given.items():
            reader = _READERS.get(name)
            if reader is None:
                raise TypeError(f"unknown task option {name!r}; allowed are {', '.join(sorted(OPTION_NAMES))}")
            field, read = reader
            fields[field] = read(name, value)
        return Settings(**fields)


def priority_of(value: Any) -> TaskPriority:
    """A `TaskPriority` from a member, its number 0..3 or its name in any case."""
    if type(value) is TaskPriority:
        return value
    if isinstance(value, str):
        found = PRIORITY_NAMES.get(value.lower())
        if found is not None:
            return found
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(TaskPriority):
        return TaskPriority(value)
    # An enumeration of the caller's own, such as one carried over from another library, counts by its value.
    elif not isinstance(value, (int, bool)) and hasattr(value, "name") and hasattr(value, "value"):
        return priority_of(value.value)
    raise ValueError(
        f"unknown priority {value!r}; allowed are TaskPriority members, their numbers 0 to 3 and their names "
        f"{', '.join(map(repr, PRIORITY_NAMES))}"
    )


def status_of(value: Any) -> TaskStatus:
    """A `TaskStatus` from a member or its name in any case."""
    if isinstance(value, str):
        try:
            return TaskStatus(value.upper())
        except ValueError:
            pass
    raise ValueError(f"unknown status {value!r}; allowed are {', '.join(status.name for status in TaskStatus)}")


def check_callable(func: Any) -> None:
    """Raises TypeError unless `func` can be called."""
    if not callable(func):
        raise TypeError(f"a task needs something to call, got {func!r} of type {type(func).__name__}")


def is_async(func: Any) -> bool:
    """Whether calling `func` makes a coroutine, so that it belongs on the event loop."""
    while isinstance(func, partial):
        func = func.func
    if inspect.iscoroutinefunction(func):
        return True
    return not inspect.isroutine(func) and inspect.iscoroutinefunction(getattr(func, "__call__", None))  # noqa: B004


def seconds(name: str, value: Any, *, least: float = 0.0, above: bool = False, optional: bool = False) -> float | None:
    """Milliseconds → seconds. `least` is the smallest value allowed (excluded with `above`), in milliseconds."""
    allowed = f"a number of milliseconds {'above' if above else 'not below'} {least:g}{' or None' if optional else ''}"
    if value is None and optional:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}={value!r}: expected {allowed}")
    if not math.isfinite(value) or value < least or (above and value == least):
        raise ValueError(f"{name}={value!r}: expected {allowed}")
    return value / 1000.0


@overload
def patience(name: str, value: Any, *, optional: Literal[False]) -> float: ...


@overload
def patience(name: str, value: Any, *, optional: bool = True) -> float | None: ...


def patience(name: str, value: Any, *, optional: bool = True) -> float | None:
    """How long somebody waits: seconds, not below 0; None, where it is `optional`, for without limit."""
    allowed = f"a number of seconds not below 0{', or None for no limit' if optional else ''}"
    if value is None and optional:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}={value!r}: expected {allowed}")
    if not value >= 0:  # neither is NaN
        raise ValueError(f"{name}={value!r}: expected {allowed}")
    return value


def count(name: str, value: Any, *, least: int = 0, optional: bool = False) -> int | None:
    """A whole number not below `least`."""
    allowed = f"a whole number not below {least}{' or None' if optional else ''}"
    if value is None and optional:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}={value!r}: expected {allowed}")
    if value < least:
        raise ValueError(f"{name}={value!r}: expected {allowed}")
    return value


def tags_of(name: str, value: Any) -> tuple[str, ...]:
    """Tags as a tuple; one string is one tag."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable):
        raise TypeError(f"{name}={value!r}: expected a string or an iterable of strings")
    tags = tuple(value)
    for tag in tags:
        if not isinstance(tag, str):
            raise TypeError(f"{name}: the tag {tag!r} is not a string")
    return tags


def _mapping(name: str, value: Any) -> Mapping[str, Any] | None:
    if value is None or isinstance(value, Mapping):
        return value
    raise TypeError(f"{name}={value!r}: expected a mapping or None")


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError(f"{name}={value!r}: expected True or False")


def _compile_mode(name: str, value: Any) -> bool | str | None:
    if value is None or isinstance(value, bool) or value == "require":
        return value  # type: ignore[no-any-return]
    raise TypeError(f"{name}={value!r}: expected True, False, None or 'require'")


def _delay(name: str, value: Any) -> float | None:
    return seconds(name, value) or None


def _schedule(name: str, value: Any) -> Timetable | None:
    if value is None or isinstance(value, Timetable):
        return value
    raise TypeError(f"{name}={value!r}: expected every(seconds), cron('*/5 * * * *') or None")


_READERS: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    "priority": ("priority", lambda name, value: priority_of(value)),
    "delay_ms": ("delay", _delay),
    "max_retries": ("max_retries", count),
    "timeout_ms": ("timeout", partial(seconds, above=True, optional=True)),
    "expires_ms": ("expires", partial(seconds, above=True, optional=True)),
    "compile_to_c": ("compile_to_c", _compile_mode),
    "tags": ("tags", tags_of),
    "metadata": ("metadata", _mapping),
    "retry_stuck": ("retry_stuck", _flag),
    "schedule": ("schedule", _schedule),
}

DEFAULTS = Settings()
