"""What `BackgroundTasks` offers of schedules: the option `schedule`, `unschedule`, `get_schedules`. The work is done in
`schedules`; here a schedule gets its name and a run becomes a task.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .engine import Engine
from .options import is_async
from .schedules import Schedule, Schedules

if TYPE_CHECKING:
    from .compilation import Compilation
    from .handle import TaskResult
    from .options import Settings

__all__ = ["Recurring"]


class Recurring(Engine):
    """An engine with schedules."""

    application: str | None
    schedules: Schedules
    compilation: Compilation

    if TYPE_CHECKING:

        def _submit_checked(
            self,
            settings: Settings,
            func: Callable[..., Any],
            args: tuple[Any, ...],
            kwargs: Mapping[str, Any],
            limit: int,
        ) -> TaskResult: ...

    def _recur(
        self, settings: Settings, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Schedule:
        """A schedule of calls `func(*args, **kwargs)`. It begins with the engine."""
        timetable = settings.schedule
        assert timetable is not None
        if settings.delay is not None:
            raise ValueError(
                f"delay_ms={settings.delay * 1000:g} and schedule={timetable!r} exclude each other: a schedule says "
                "itself when its runs are due"
            )
        if settings.compile_to_c and not is_async(func):
            self.compilation.form(func, settings.compile_to_c)  # now, and not on the keeper's thread at the first run
        once = replace(settings, schedule=None)
        arguments = dict(kwargs)

        def fire() -> TaskResult:
            # Like delayed tasks, runs are not bound by queue_size: nobody is there to be told that it is full.
            return self._submit_checked(once, func, args, arguments, 0)

        name = timetable.name or f"{getattr(func, '__module__', None) or ''}.{_name(func)}".lstrip(".")
        return self.schedules.add(
            name, timetable, fire, application=self.application or _origin(func), fixed=timetable.name is not None
        )

    def unschedule(self, schedule: Schedule | str) -> bool:
        """Ends a schedule, given itself or by its name; a run that was submitted goes on.

        False: there is no such schedule (any more). Never blocks.
        """
        if not isinstance(schedule, (Schedule, str)):
            raise TypeError(f"unschedule({schedule!r}): expected a schedule or the name of one")
        return self.schedules.remove(schedule)

    def get_schedules(self) -> list[Schedule]:
        """The schedules of this engine, oldest first, with their last and next runs."""
        self.outstanding()  # lets the core see a fork
        return self.schedules.all()

    def has_waiting_schedules(self) -> bool:
        """Whether there are schedules that begin with the engine's start."""
        self.outstanding()  # lets the core see a fork
        return self.schedules.waiting()

    def stand_down(self, timeout: float | None) -> bool:
        """Lets go of the schedules, so that another process takes over, and waits for the tasks at most `timeout`
        seconds. The engine can still be used, and `start()` begins the schedules again. Returns whether no task is
        left; gives up early when all that is left is not due within that time."""
        self.schedules.suspend()
        return self.settle(timeout)

    def _start(self) -> None:
        super()._start()
        self.schedules.start()

    def _clock_is_set(self) -> None:
        self.schedules.clock_is_set()

    def stop_recurring(self) -> None:
        self.schedules.stop()

    def _forked(self) -> None:
        super()._forked()
        self.schedules.reset_after_fork()


def _name(func: Any) -> str:
    while hasattr(func, "func"):
        func = func.func
    return getattr(func, "__qualname__", None) or type(func).__name__


def _origin(func: Any) -> str:
    """The file that a function stands in: it tells two programs apart, and is the same in each worker of one."""
    while hasattr(func, "func"):
        func = func.func
    code = getattr(getattr(func, "__func__", func), "__code__", None)
    file = code.co_filename if code is not None else getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.realpath(file) if file else os.getcwd()
