"""Live events: `subscribe()` tells what happens to tasks, to a thread or to an asyncio program.

The first subscription installs observers on the engine's queues, the last one takes them away: while nobody listens, a
task costs nothing more. A subscriber that does not keep up loses the oldest events and can see how many; it never holds
up a task. Nothing is kept for those who come later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .core import RUNNING
from .engine import Engine
from .extra import Extra
from .handle import TaskResult
from .options import count, tags_of
from .subscriptions import Subscription, event_of

if TYPE_CHECKING:
    from .core import Task

__all__ = ["KINDS", "Events", "Listening"]

KINDS = ("queued", "started", "progress", "retrying", "finished")


class Events:
    """Who listens to one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._subscriptions: tuple[Subscription, ...] = ()
        self._mutex = threading.Lock()
        # Bound once: while a hook is taken away, another thread may be inside the very same object.
        self._observers: dict[str, Callable[[Task], Any]] = {
            "on_submit": self._queued,
            "on_start": self._started,
            "on_finish": self._finished,
        }

    def subscribe(self, kinds: Any, tags: Any, task: Any, group: Any, buffer: Any) -> Subscription:
        """See `BackgroundTasks.subscribe`."""
        if task is not None and group is not None:
            raise TypeError("task=… and group=… exclude each other: a group's events include those of its own handle")
        target = self._handle("task", task) if group is None else self._handle("group", group)
        if group is not None and (type(target.extra) is not Extra or target.extra.group is None):  # type: ignore[union-attr]
            raise TypeError(
                f"group={group!r}: expected the handle of a chain or a parallel group; use task=… for others"
            )
        subscription = Subscription(
            self,
            _kinds(kinds),
            frozenset(tags_of("tags", tags)),
            target,
            group is not None,
            count("buffer", buffer, least=1) or 1,
        )
        with self._mutex:
            first = not self._subscriptions
            self._subscriptions = (*self._subscriptions, subscription)
            if first:
                self._install(True)
        if target is not None:
            subscription._look_back()
        if self._engine.closed:
            subscription.close()
        return subscription

    def _handle(self, name: str, given: Any) -> TaskResult | None:
        found: Any = self._engine.get(given) if isinstance(given, str) else given
        if given is None:
            return None
        if isinstance(found, TaskResult):
            return found
        if isinstance(given, str):
            raise KeyError(f"{name}={given!r}: no such task is known here")
        raise TypeError(f"{name}={given!r}: expected a task's handle or id")

    def remove(self, subscription: Subscription) -> None:
        with self._mutex:
            left = tuple(one for one in self._subscriptions if one is not subscription)
            if len(left) == len(self._subscriptions):
                return
            self._subscriptions = left
            if not left:
                self._install(False)

    def close(self) -> None:
        """Ends every subscription."""
        for subscription in self._subscriptions:
            subscription.close()

    def _install(self, on: bool) -> None:
        self._engine.observe(self._observers if on else {}, self._progress if on else None)

    def _tell(self, kind: str, task: Task) -> None:
        event = event_of(kind, task)
        for subscription in self._subscriptions:
            subscription._put(event)

    def _queued(self, task: Task) -> None:
        self._tell("queued", task)

    def _started(self, task: Task) -> None:
        self._tell("started", task)

    def _progress(self, task: Task) -> None:
        self._tell("progress", task)

    def _finished(self, task: Task) -> None:
        self._tell("finished" if task.state > RUNNING else "retrying", task)

    def reset_after_fork(self) -> None:
        """In a forked child: nobody listens. The parent's subscriptions end here, with what they have."""
        self._mutex = threading.Lock()
        subscriptions, self._subscriptions = self._subscriptions, ()
        for subscription in subscriptions:
            subscription._reset()
            subscription._ending = True


class Listening(Engine):
    """An engine that tells what happens to its tasks."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.events = Events(self)

    def subscribe(  # type: ignore[override]
        self,
        kinds: Iterable[str] | str | None = None,
        *,
        tags: Iterable[str] | str | None = None,
        task: TaskResult | str | None = None,
        group: TaskResult | str | None = None,
        buffer: int = 1000,
    ) -> Subscription:
        """The events of tasks from now on, to be iterated over by a thread (`for`) or a coroutine (`async for`).

        `kinds`: some of "queued", "started", "progress", "retrying", "finished", None for all. `tags`: of tasks with
        all of these. `task`: of this one, by handle or id. `group`: of the handle of a chain or a parallel group and
        its members. With one of these two the iteration ends with its end. `buffer`: events that are kept for a
        subscriber that is slower than the tasks; older ones are dropped and counted in `dropped`.

        Never blocks. Raises TypeError, ValueError, or KeyError for an unknown id.
        """
        return self.events.subscribe(kinds, tags, task, group, buffer)

    def shut_down(self, wait: bool, timeout: float | None, cancel_pending: bool) -> bool:
        try:
            return super().shut_down(wait, timeout, cancel_pending)
        finally:
            self.events.close()

    def _forked(self) -> None:
        super()._forked()
        self.events.reset_after_fork()


def _kinds(given: Any) -> frozenset[str]:
    if given is None:
        return frozenset(KINDS)
    kinds = frozenset((given,) if isinstance(given, str) else given if isinstance(given, Iterable) else (given,))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise ValueError(f"kinds={given!r}: allowed are {', '.join(map(repr, KINDS))}, or None for all")
    return kinds
