"""`TaskEvent` and `Subscription`: what a listener of `subscribe()` holds. Which tasks are told of, and when, is decided in
`events`; here events are chosen, kept for a while and handed to threads and coroutines.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .chains import group_of_this_submit
from .core import RUNNING
from .extra import Extra, Progress
from .handle import TaskResult, label
from .model import TaskStatus
from .options import patience

if TYPE_CHECKING:
    import asyncio

    from .core import Task
    from .events import Events

__all__ = ["Subscription", "TaskEvent", "event_of"]


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
    """The events that somebody asked for, each task's in their order (those of different tasks may reach another subscriber
    in another). Iterate over it, with `for` or with `async for`, or call `get()`.

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
        timeout = patience("timeout", timeout)
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
            except BaseException:
                with self._changed:
                    if sleeper in self._sleepers:
                        self._sleepers.remove(sleeper)
                    elif self._events or self._ending:
                        self._wake()  # this one was woken in vain: another one takes its place
                raise

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

    def _concerns(self, kind: str, task: Task) -> bool:
        if self._target is None or task is self._target:
            return True
        return self._members and self._is_member(kind, task)

    def _wants(self, kind: str, task: Task) -> bool:
        if kind not in self._kinds:
            return False
        extra = task.extra
        return not self._tags or (type(extra) is Extra and self._tags.issubset(extra.tags))

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
            self._put(event_of("finished", self._target))

    def _put(self, event: TaskEvent) -> None:
        with self._changed:
            if self._ending or not self._concerns(event.kind, event.task):
                return
            last = event.kind == "finished" and event.task is self._target
            if last and self._target_over:
                return
            self._target_over = self._target_over or last
            if self._wants(event.kind, event.task):
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


def event_of(kind: str, task: Any) -> TaskEvent:
    status = TaskStatus.PENDING if kind == "queued" else task.status
    error = None
    if kind == "finished":
        error = task.get_error()
    elif kind == "retrying":
        error = task.errors[-1] if task.errors else None
    return TaskEvent(kind, task, time.time(), status, task.attempts, task.progress, error)
