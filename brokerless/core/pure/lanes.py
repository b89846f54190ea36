"""Queues of priority lanes, the groups of workers that subscribe to them, and one worker's record.

Plain structures, guarded by the engine's lock. A task that was cancelled while it waited stays where it is
(a tombstone) and is thrown away by whoever meets it; `live` does not count it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .states import NEVER, QUEUED

if TYPE_CHECKING:
    from .task import Task

MAX_LANES = 16


class Queue:
    __slots__ = (
        "blocked",
        "front",
        "groups",
        "index",
        "lanes",
        "live",
        "on_finish",
        "on_push",
        "on_start",
        "on_submit",
        "room",
        "runner",
    )

    def __init__(self, index: int, lanes: int, lock: Any) -> None:
        self.index = index
        self.lanes: list[deque[Task]] = [deque() for _ in range(lanes)]
        self.front: list[Task] = []  # served before every lane, last in first out
        self.live = [0] * lanes
        self.room = threading.Condition(lock)  # submitters that wait for a bounded lane
        self.blocked = 0  # how many they are
        self.groups: list[Group] = []  # that subscribe to it
        self.on_submit: Callable[[Task], Any] | None = None
        self.on_push: Callable[[], Any] | None = None
        self.runner: Callable[[Task], Any] | None = None
        self.on_start: Callable[[Task], Any] | None = None
        self.on_finish: Callable[[Task], Any] | None = None

    def push(self, task: Task, front: bool) -> None:
        self.live[task.lane] += 1
        if front:
            self.front.append(task)
        else:
            self.lanes[task.lane].append(task)

    def pop(self, lowest: bool = False, only_first: bool = False) -> Task | None:
        """The next task that still waits; lane 0 first, or with `lowest` the lowest lane that holds one."""
        front = self.front
        while front:
            task = front.pop()
            if task.state == QUEUED:
                self.left(task.lane)
                return task
        lanes: Sequence[deque[Task]] = self.lanes
        if only_first:
            lanes = lanes[:1]
        for lane in reversed(lanes) if lowest else lanes:
            while lane:
                task = lane.popleft()
                if task.state == QUEUED:
                    self.left(task.lane)
                    return task
        return None

    def left(self, lane: int) -> None:
        """One that waited in this lane does so no more."""
        self.live[lane] -= 1
        if self.blocked:
            self.room.notify_all()

    def pending(self) -> list[Task]:
        waiting = [task for task in reversed(self.front) if task.state == QUEUED]
        for lane in self.lanes:
            waiting.extend(task for task in lane if task.state == QUEUED)
        return waiting

    def clear(self) -> None:
        self.front.clear()
        for lane in self.lanes:
            lane.clear()
        self.live = [0] * len(self.lanes)
        if self.blocked:
            self.room.notify_all()

    def renew(self, lock: Any) -> None:
        """In a forked child: empty. What was in it is not let go of here, the engine keeps it."""
        self.front = []
        self.lanes = [deque() for _ in self.lanes]
        self.live = [0] * len(self.lanes)
        self.room = threading.Condition(lock)
        self.blocked = 0

    def count(self) -> int:
        return sum(self.live)


class Group:
    __slots__ = ("index", "paused", "queues", "reserve", "rotate", "sleepers", "turn")

    def __init__(self, index: int, reserve: bool) -> None:
        self.index = index
        self.reserve = reserve  # takes from lane 0 only
        self.queues: list[Queue] = []
        self.sleepers: list[Worker] = []
        self.paused = False
        self.rotate = False
        self.turn = 0

    def order(self) -> list[Queue]:
        """Its queues in the order of the next take."""
        queues = self.queues
        if not self.rotate or len(queues) < 2:
            return queues
        start = self.turn % len(queues)
        self.turn += 1
        return queues[start:] + queues[:start]

    def has_work(self) -> bool:
        if self.reserve:
            return any(queue.live[0] or queue.front for queue in self.queues)
        return any(any(queue.live) for queue in self.queues)


class Worker:
    """One thread that runs tasks; also a calling thread, for as long as it performs one."""

    __slots__ = (
        "abandoned",
        "attempt",
        "born",
        "busy",
        "busy_seconds",
        "cancelled",
        "closing",
        "completed",
        "deadline",
        "error",
        "failed",
        "group",
        "id",
        "interrupted",
        "left",
        "open",
        "outer",
        "park",
        "retried",
        "shield",
        "started",
        "stop",
        "task",
        "thread_id",
        "value",
    )

    def __init__(self, id: int, group: Group | None, now: float, aging: int) -> None:
        self.id = id
        self.group = group
        self.thread_id: int | None = None
        self.park = threading.Lock()
        self.park.acquire()
        self.stop = False
        self.abandoned = False
        self.left = aging  # takes until the next one from the lowest lane; 0: never
        self.task: Task | None = None
        self.attempt = 0
        self.busy = False
        self.started = now
        self.deadline = NEVER
        self.open = False  # the task's own code may be interrupted
        self.closing = False  # it has returned; no new interrupt from now on
        self.interrupted = False
        self.shield = 0  # the task is inside a call of ours that must not be torn
        self.outer: Worker | None = None  # what the thread ran when it began to perform here
        self.value: Any = None
        self.error: BaseException | None = None
        self.born = now
        self.completed = self.failed = self.cancelled = self.retried = 0
        self.busy_seconds = 0.0

    def wake(self) -> None:
        """Ends its sleep, if it sleeps. The engine's lock is held."""
        if self.group is not None and self in self.group.sleepers:
            self.group.sleepers.remove(self)
            self.park.release()
