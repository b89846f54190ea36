"""Entries of a schedule: what to send, when, and when it was sent last. Nothing here sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import total_ordering
from typing import Any, NamedTuple

from ..schedules import maybe_schedule
from ..utils.lean import reprcall

__all__ = ("BeatLazyFunc", "ScheduleEntry", "SchedulingError", "event_t", "value_now")

_FIELDS = ("task", "schedule", "args", "kwargs", "options")


class event_t(NamedTuple):
    """A place in the scheduler's heap; ``time`` in seconds since the epoch."""

    time: float
    priority: int
    entry: Any


class SchedulingError(Exception):
    """A due task could not be sent."""


class BeatLazyFunc:
    """An argument in ``beat_schedule`` that is computed each time the entry is sent."""

    def __init__(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._func = func
        self._func_params: dict[str, Any] = {"args": args, "kwargs": kwargs}

    def __call__(self) -> Any:
        return self.delay()

    def delay(self) -> Any:
        """The value now."""
        return self._func(*self._func_params["args"], **self._func_params["kwargs"])


@total_ordering
class ScheduleEntry:
    """One periodic task: what to send, when, and when it was sent last."""

    name: Any = None
    schedule: Any = None
    args: Any = None
    kwargs: Any = None
    options: Any = None
    last_run_at: Any = None
    total_run_count = 0

    def __init__(
        self,
        name: str | None = None,
        task: str | None = None,
        last_run_at: datetime | None = None,
        total_run_count: int | None = None,
        schedule: Any = None,
        args: Any = (),
        kwargs: Any = None,
        options: Any = None,
        relative: bool = False,
        app: Any = None,
    ) -> None:
        self.app = app
        self.name = name
        self.task = task
        self.args = args
        self.kwargs = kwargs or {}
        self.options = options or {}
        self.schedule = maybe_schedule(schedule, relative, app=app)
        self.last_run_at = last_run_at or self.default_now()
        self.total_run_count = total_run_count or 0

    def default_now(self) -> datetime:
        """The time by the schedule's clock, else by the app's."""
        return (self.schedule or self.app).now()

    _default_now = default_now

    def _next_instance(self, last_run_at: datetime | None = None) -> Any:
        """The entry after one more run; subclasses are made with the same fields."""
        fields: dict[str, Any] = dict(iter(self))
        fields["last_run_at"] = last_run_at or self.default_now()
        fields["total_run_count"] = self.total_run_count + 1
        return type(self)(**fields)

    __next__ = next = _next_instance

    def __reduce__(self) -> Any:
        return type(self), (
            self.name,
            self.task,
            self.last_run_at,
            self.total_run_count,
            self.schedule,
            self.args,
            self.kwargs,
            self.options,
        )

    def update(self, other: Any) -> None:
        """Take over what can be edited; last run and count stay."""
        self.__dict__.update({name: getattr(other, name) for name in _FIELDS})

    def is_due(self) -> Any:
        """Whether it is due, and the seconds until the next look."""
        return self.schedule.is_due(self.last_run_at)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(vars(self).items())

    def __repr__(self) -> str:
        call = reprcall(self.task, self.args or (), self.kwargs or {})
        return f"<{type(self).__name__}: {self.name} {call} {self.schedule}"

    def __lt__(self, other: object) -> Any:
        # only a tie-break: the heap needs some order of entries that are due at the same time
        return id(self) < id(other) if isinstance(other, ScheduleEntry) else NotImplemented

    def editable_fields_equal(self, other: Any) -> bool:
        """Whether both send the same at the same times."""
        return all(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    def __eq__(self, other: object) -> Any:
        return self.editable_fields_equal(other)

    __hash__ = None  # type: ignore[assignment]


def value_now(value: Any) -> Any:
    """An argument as it is to be sent."""
    return value() if isinstance(value, BeatLazyFunc) else value
