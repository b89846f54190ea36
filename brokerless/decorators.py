"""`@tasks.task`: a function that can still be called, and can be sent to the background with `.delay()`.

Its options are checked once, where it is decorated.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from .options import Settings, check_callable, is_async

if TYPE_CHECKING:
    from .handle import TaskResult
    from .schedules import Schedule
    from .tasks import BackgroundTasks

__all__ = ["TaskFunction"]

P = ParamSpec("P")
R = TypeVar("R")


class TaskFunction(Generic[P, R]):
    """What the decorator returns. Calling it calls the function, here and now."""

    __name__: str
    __qualname__: str

    def __init__(self, func: Callable[P, R], tasks: BackgroundTasks, settings: Settings) -> None:
        check_callable(func)
        update_wrapper(self, func)
        self.func = func
        self.tasks = tasks
        self.settings = settings
        self.schedule: Schedule | None = None
        """Where it was decorated with one."""
        if is_async(func) and hasattr(inspect, "markcoroutinefunction"):
            inspect.markcoroutinefunction(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.func(*args, **kwargs)

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> TaskResult:
        """Submits a call with the decorator's options; every argument goes to the function. Returns the handle.

        Blocks and raises like `BackgroundTasks.add_task`.
        """
        return self.tasks.submit_with(self.settings, self.func, args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> str:
        return self.__qualname__

    def __repr__(self) -> str:
        return f"<task {self.__qualname__}>"
