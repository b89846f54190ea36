"""`Queue`: a named queue of an engine, with its lanes. A view on the core's queue; it holds no tasks of its own.

It also combines what wants to know about pushes (pools that start lazily, the scaler) into the one hook of the core.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .core import Task
from .errors import SoftTimeLimitExceeded
from .options import TaskOptions

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["Queue"]

Hook = Callable[[Task], Any]


class Queue:
    """Made by `engine.queue(name, lanes)`. Lane 0 is taken first; inside a lane, first in, first out."""

    def __init__(self, engine: Engine, name: str, lanes: int) -> None:
        self.engine = engine
        self.name = name
        self.lanes = lanes
        self.index = engine.add_queue(lanes)
        self._lock = threading.Lock()
        self._wakers: list[Callable[[], None]] = []
        self._on_push: Callable[[], Any] | None = None
        self._others: dict[str, Hook | None] = {"runner": None, "on_start": None, "on_finish": None}
        self._observers: dict[str, Hook] = {}
        engine.queue_made(self)

    def __index__(self) -> int:
        return self.index

    def __repr__(self) -> str:
        return f"<Queue {self.name!r} of {self.lanes} lanes, {self.count()} waiting>"

    def submit(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        lane: int = 0,
        front: bool = False,
        delay: float | None = None,
        expires: float | None = None,
        timeout: float | None = None,
        soft_timeout: float | None = None,
        soft_exception: type[BaseException] = SoftTimeLimitExceeded,
        hard_exception: Callable[[float], BaseException] | None = None,
        keep: bool = False,
        max_retries: int = 0,
        options: TaskOptions | None = None,
        extra: Any = None,
        context: bool = True,
        limit: int = 0,
    ) -> Task:
        """Queues one call of `func` and returns its task; never blocks unless `limit` is reached and the engine blocks.

        Times are in seconds. `front`: before everything in its queue, last in first out. `expires`: not started by then
        → CANCELLED. `timeout`: hard limit of an attempt; `soft_timeout`: `soft_exception` is raised inside it then;
        `hard_exception(limit)` makes the error of the hard limit. `keep=False`: the engine forgets it once it has
        ended. `max_retries`: automatic retries. `options`: all of the limits and retries in one shared object instead.
        `extra`: an `Extra`. `context=False`: the submitter's context variables do not travel. `limit`: most tasks in
        the lane, 0 for no bound.
        """
        if options is None and (timeout is not None or soft_timeout is not None or max_retries):
            options = TaskOptions(
                max_retries=max_retries,
                timeout=timeout,
                soft_timeout=soft_timeout,
                soft_exception=soft_exception,
                hard_exception=hard_exception,
            )
        return self.engine.enqueue(
            func,
            args,
            kwargs,
            queue=self.index,
            lane=lane,
            front=front,
            delay=delay,
            expires=expires,
            timeout=options.first_deadline if options is not None else None,
            limit=limit,
            keep=keep,
            options=options,
            extra=extra,
            context=context,
        )

    def count(self, lane: int | None = None) -> int:
        """Waiting tasks, in one lane or in all; cancelled ones are not counted."""
        return self.engine.queued(self.index, lane)

    def pending(self) -> list[Task]:
        """Waiting tasks in the order in which they would be taken."""
        return self.engine.pending(self.index)

    def position(self, task: Task) -> int | None:
        """How many tasks would be taken before this one; None when it does not wait here."""
        return self.engine.position(task) if task.queue == self.index else None

    def clear(self) -> int:
        """Cancels everything that waits here and returns how many that were."""
        return sum(task.withdraw() for task in self.pending())

    def set_hooks(
        self,
        *,
        on_push: Callable[[], Any] | None = None,
        runner: Hook | None = None,
        on_start: Hook | None = None,
        on_finish: Hook | None = None,
    ) -> None:
        """Sets all four hooks (None removes one). `on_push()`: something became ready here. `runner(task)` is called
        instead of the task's function, its value is the result. `on_start`/`on_finish(task)`: around it, on the worker.
        """
        with self._lock:
            self._on_push = on_push
            self._others = {"runner": runner, "on_start": on_start, "on_finish": on_finish}
            self._install()

    def observe(self, observers: dict[str, Hook]) -> None:
        """Sets who is told of tasks besides the hooks, by "on_submit", "on_start" and "on_finish"; {} removes them.

        `on_submit(task)` comes before anybody can take the task, and `on_finish(task)` also after an attempt that is
        followed by another; none of them may touch the task.
        """
        with self._lock:
            self._observers = dict(observers)
            self._install()

    def wake_once(self, waker: Callable[[], None]) -> None:
        """Calls `waker()` at the next push, once, on the pushing thread."""
        with self._lock:
            if waker not in self._wakers:
                self._wakers.append(waker)
            self._install()

    def _install(self) -> None:
        on_push = self._pushed if self._wakers else self._on_push
        hooks = dict(self._others)
        for name, observer in self._observers.items():
            hooks[name] = _both(observer, hooks.get(name))
        self.engine.set_hooks(self.index, on_push=on_push, on_submit=hooks.pop("on_submit", None), **hooks)

    def _pushed(self) -> None:
        with self._lock:
            wakers, self._wakers = self._wakers, []
            self._install()
            on_push = self._on_push
        for waker in wakers:
            waker()
        if on_push is not None:
            on_push()

    def reset_after_fork(self) -> None:
        """In a forked child: a new lock, nobody to wake. Pools ask again by themselves."""
        self._lock = threading.Lock()
        self._wakers = []
        self._observers = {}
        self._install()


def _both(observer: Hook, hook: Hook | None) -> Hook:
    if hook is None:
        return observer

    def both(task: Task) -> None:
        observer(task)
        hook(task)

    return both
