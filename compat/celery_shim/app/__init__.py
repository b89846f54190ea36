"""The app and what is reached without one: ``shared_task``, ``app_or_default``, ``bugreport``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, overload

from .. import _state
from .._state import disable_trace, enable_trace, pop_current_task, push_current_task
from ..local import Proxy
from ..typevars import P, R, T

if TYPE_CHECKING:
    from .base import Celery
    from .decorators import BoundDecorator, Decorator
    from .task import Task
    from .utils import AppPickler

__all__ = (
    "AppPickler",
    "Celery",
    "app_or_default",
    "bugreport",
    "default_app",
    "disable_trace",
    "enable_trace",
    "pop_current_task",
    "push_current_task",
    "shared_task",
)

default_app: Any = Proxy(lambda: _state.default_app)


def app_or_default(app: Any = None) -> Any:
    """The app given, or the current one."""
    return _state.app_or_default(app)


def bugreport(app: Any = None) -> str:
    """Versions and settings, for a report."""
    return (app or _state.get_current_app()).bugreport()


def _share(fun: Any, options: dict[str, Any]) -> Any:
    if type(fun) is Proxy:
        raise TypeError(
            "@shared_task was applied more than once to the same function. Remove the extra @shared_task decorator."
        )
    name = options.get("name")
    _state.connect_on_app_finalize(lambda app: app._task_from_fun(fun, **options))
    for app in _state._get_active_apps():
        if app.finalized:
            with app._finalize_mutex:
                app._task_from_fun(fun, **options)

    def of_current_app() -> Any:
        app = _state.get_current_app()
        return app.tasks[name or app.gen_task_name(fun.__name__, fun.__module__)]

    return Proxy(of_current_app)


@overload
def shared_task(fun: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...
@overload
def shared_task(fun: Callable[P, R], /) -> Task[P, R]: ...
@overload
def shared_task(*, base: type[T], **opts: Any) -> Callable[[Callable[..., Any]], T]: ...
@overload
def shared_task(*, bind: Literal[True], **opts: Any) -> BoundDecorator: ...
@overload
def shared_task(*, bind: Literal[False] = False, **opts: Any) -> Decorator: ...
def shared_task(*args: Any, **kwargs: Any) -> Any:
    """A task that every app has; the object stands for the one of the current app at each use."""
    if len(args) == 1 and callable(args[0]):
        return _share(args[0], kwargs)

    def create(**options: Any) -> Any:
        return lambda fun: _share(fun, options)

    return create(*args, **kwargs)


def __getattr__(name: str) -> Any:
    origin = {"Celery": ".base", "AppPickler": ".utils"}.get(name)
    if origin is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(origin, __name__), name)
    return value
