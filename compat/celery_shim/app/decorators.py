"""What ``@app.task(...)`` and ``@shared_task(...)`` give, for type checkers: decorators that keep a function's types."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Protocol, overload

from ..typevars import P, R
from .task import Task

__all__ = ("BoundDecorator", "Decorator")


class Decorator(Protocol):
    """Makes a task of a function. The result of an ``async def`` function is what it returns, not the coroutine."""

    @overload
    def __call__(self, fun: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...
    @overload
    def __call__(self, fun: Callable[P, R], /) -> Task[P, R]: ...


class BoundDecorator(Protocol):
    """The same for functions whose first parameter is the task: callers do not pass it."""

    @overload
    def __call__(self, fun: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /) -> Task[P, R]: ...
    @overload
    def __call__(self, fun: Callable[Concatenate[Any, P], R], /) -> Task[P, R]: ...
