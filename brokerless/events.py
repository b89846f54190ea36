"""Live events: `subscribe()` tells what happens to tasks, to a thread or to an asyncio program.

The first subscription installs observers on the engine's queues, the last one takes them away: while nobody listens, a
task costs nothing more. A subscriber that does not keep up loses the oldest events and can see how many; it never holds
up a task. Nothing is kept for those who come later.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .chains import group_of_this_submit
from .core import RUNNING
from .engine import Engine
from .extra import Extra, Progress
from .handle import TaskResult, label
from .model import TaskStatus
from .options import count, tags_of

if TYPE_CHECKING:
    import asyncio

    from .core import Task

__all__ = ["KINDS", "Events", "Listening", "Subscription", "TaskEvent"]

KINDS = ("queued", "started", "progress", "retrying", "finished")


@dataclass(frozen=True)
class TaskEvent:
    """One thing that happened to one task."""

    kind: str
    """"queued" (also with a delay), "started", "progress", "retrying" (an attempt failed, another follows) or
    "finished" (completed, failed, cancelled or expired)."""
    task: TaskResult
    """The handle; it may have gone on since."""
    at: float
    """When, in epoch seconds."""
    status: TaskStatus
    attempts: int
    """How often the function had been called."""
    progress: Progress | None
    error: BaseException | None
    """Of the attempt or the task that ended just then."""

    @property
    def task_id(self) -> str:
        return self.task.task_id

    def to_dict(self) -> dict[str, Any]:
        """The event, ready for JSON. The task's value is not part of it."""
        progress, error = self.progress, self.error
        return {
            "kind": self.kind,
            "task_id": self.task_id,
            "name": label(self.task),
            "status": str(self.status),
            "at": self.at,
            "attempts": self.attempts,
            "tags": list(self.task.tags),
            "progress": None
            if progress is None
            else {"current": progress.current, "total": progress.total, "message": progress.message},
            "error": None if error is None else f"{type(error).__name__}: {error}",
        }


class Subscription:
    """The events that somebody asked for, in order. Iterate over it, with `for` or with `async for`, or call `get()`.

    Made by `BackgroundTasks.subscribe()`. The iteration ends after `close()`, after the engine's shutdown, and, for the
    events of one task or group, after its end. A context manager closes it, `async with` too.
    """

    def __init__(
        self,
        events: Events,
        kinds: frozenset[str],
        tags: frozenset[str],
        target: TaskResult | None,
        members: bool,
        buffer: int,
    ) -> None:
        self.buffer = buffer
        self.dropped = 0
        """Events that were thrown away, oldest first, because they were not fetched in time."""
        self._source = events
        self._kinds = kinds
        self._tags = tags
        self._target = target
        self._members = members
        self._under_way: set[str] = set()
        self._target_over = False
        self._events: deque[TaskEvent] = deque()
        self._ending = False
        self._reset()

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._sleepers: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()

    @property
    def closed(self) -> bool:
        """Whether no further event will come; those that are there can still be fetched."""
        return self._ending

    def get(self, timeout: float | None = None) -> TaskEvent | None:
        """The next event; waits for it at most `timeout` seconds (None: without limit).

        None: there was none in that time, or the subscription has ended.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._ending, timeout)
            return self._events.popleft() if self._events else None

    def close(self) -> None:
        """No further event comes, and whoever waits for one stops waiting. May be called again."""
        self._end()
        self._source.remove(self)

    def __iter__(self) -> Iterator[TaskEvent]:
        return self

    def __next__(self) -> TaskEvent:
        event = self.get()
        if event is None:
            raise StopIteration
        return event

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> TaskEvent:
        import asyncio

        while True:
            with self._changed:
                if self._events:
                    return self._events.popleft()
                if self._ending:
                    raise StopAsyncIteration
                loop = asyncio.get_running_loop()
                future: asyncio.Future[None] = loop.create_future()
                sleeper = (loop, future)
                self._sleepers.append(sleeper)
            try:
                await future
            finally:
                with suppress(ValueError):
                    self._sleepers.remove(sleeper)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Subscription:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Subscription {len(self._events)} waiting, {self.dropped} dropped{', ended' if self._ending else ''}>"

    def _wants(self, kind: str, task: Task) -> bool:
        if (
            self._target is not None
            and task is not self._target
            and not (self._members and self._is_member(kind, task))
        ):
            return False
        if self._tags:
            extra = task.extra
            if type(extra) is not Extra or not self._tags.issubset(extra.tags):
                return False
        return True

    def _is_member(self, kind: str, task: Task) -> bool:
        if kind == "queued":
            group = group_of_this_submit()
            if group is None or group.handle is not self._target:
                return False
            self._under_way.add(task.task_id)
            return True
        if task.task_id not in self._under_way:
            return False
        if kind == "finished":
            self._under_way.discard(task.task_id)
        return True

    def _look_back(self) -> None:
        """Takes in what the target was and had when the subscription began."""
        assert self._target is not None
        with self._changed:
            for member in self._target.children if self._members else ():
                self._under_way.add(member.task_id)
                if member.state > RUNNING:  # its last event came before this, or comes in vain
                    self._under_way.discard(member.task_id)
        if self._target.state > RUNNING:
            self._put(_event("finished", self._target))

    def _put(self, event: TaskEvent) -> None:
        with self._changed:
            if self._ending or not self._wants(event.kind, event.task):
                return
            last = event.kind == "finished" and event.task is self._target
            if last and self._target_over:
                return
            self._target_over = self._target_over or last
            if event.kind in self._kinds:
                if len(self._events) >= self.buffer:
                    self._events.popleft()
                    self.dropped += 1
                self._events.append(event)
                self._changed.notify()
                self._wake()
            # A group's handle ends before the last of its members tells that it has.
            over = self._target_over and not self._under_way
        if over:
            self.close()

    def _end(self) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify_all()
            while self._sleepers:
                self._wake()

    def _wake(self) -> None:
        """One coroutine that waits. The lock is held."""
        while self._sleepers:
            loop, future = self._sleepers.popleft()
            with suppress(RuntimeError):  # that loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(_resolve, future)
                return


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


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
        event = _event(kind, task)
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


def _event(kind: str, task: Any) -> TaskEvent:
    status = TaskStatus.PENDING if kind == "queued" else task.status
    error = None
    if kind == "finished":
        error = task.get_error()
    elif kind == "retrying":
        error = task.errors[-1] if task.errors else None
    return TaskEvent(kind, task, time.time(), status, task.attempts, task.progress, error)


def _kinds(given: Any) -> frozenset[str]:
    if given is None:
        return frozenset(KINDS)
    kinds = frozenset((given,) if isinstance(given, str) else given if isinstance(given, Iterable) else (given,))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise ValueError(f"kinds={given!r}: allowed are {', '.join(map(repr, KINDS))}, or None for all")
    return kinds
