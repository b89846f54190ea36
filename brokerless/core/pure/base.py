"""What the four sides of the engine share: its fields, its clock, waking, and its answer to a fork.

No policy: what a failure, a full lane or a callback means is asked of methods that the Python half overrides. Names of
the core's own begin with `_c_`, because the Python half subclasses the engine and has private names as well.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from .figures import Histogram, Rate
from .lanes import MAX_LANES, Group, Queue, Worker
from .states import (
    NEVER,
    checkpoint,
    errors,
    local,
)
from .task import Task
from .timers import Timers

logger = logging.getLogger("brokerless")

_SAME: Any = object()

_engines: weakref.WeakSet[Base] = weakref.WeakSet()

_parents: list[Any] = []
"""What a forked child found in its engines. It is never let go of: destructors would run on what is the parent's."""


class Base:
    def __init__(
        self,
        *,
        task_type: type[Task] = Task,
        ring_size: int = 1024,
        aging: int | None = 64,
        result_ttl: float | None = None,
        result_max: int | None = None,
    ) -> None:
        if not (isinstance(task_type, type) and issubclass(task_type, Task)):
            raise TypeError(f"task_type must be a subclass of Task, not {task_type!r}")
        if ring_size < 1:
            raise ValueError(f"ring_size must be at least 1, not {ring_size!r}")
        if aging is not None and aging < 0:
            raise ValueError(f"aging must be None or at least 0, not {aging!r}")
        self._c_task_type = task_type
        self._c_aging = aging or 0
        self._c_ttl = result_ttl
        self._c_cap = result_max
        self._c_queues: list[Queue] = []
        self._c_groups: list[Group] = []
        self._c_hand_set: float | None = None
        self._c_epoch = time.time() - time.monotonic()
        self._c_lane = 0
        self._c_limit = 0
        self._c_timeout: float | None = None
        self._c_options: Any = None
        self._c_shows = False
        self._c_seen: set[int] = set()
        self._c_queue = 0
        self.closed = False
        self._c_stopping = False
        self._c_empty()
        self._c_counters()
        _engines.add(self)

    def _c_empty(self) -> None:
        """No task, no worker, new locks: at the start and in a forked child."""
        # Re-entrant, because a finalizer or a signal handler may submit while its thread is in here.
        self._c_lock = threading.RLock()
        self._c_keeper = threading.Condition(self._c_lock)
        self._c_drained = threading.Condition(self._c_lock)
        self._c_prefix = os.urandom(8).hex()
        self._c_next_id = 1
        self._c_tasks: dict[int, Task] = {}
        self._c_finished: deque[Task] = deque()
        self._c_timers = Timers()
        self._c_workers: dict[int, Worker] = {}
        self._c_performers: dict[int, Worker] = {}
        self._c_free_ids: list[int] = []
        self._c_worker_ids = 0
        self._c_claimers: list[tuple[list[int], threading.Lock]] = []
        self._c_outstanding = 0
        self._c_kicked = False
        self._c_keeper_until = -NEVER  # what the keeper sleeps for; nobody sleeps: never earlier
        self._c_started = False
        for queue in self._c_queues:
            queue.renew(self._c_lock)
        for group in self._c_groups:
            group.sleepers.clear()

    def _c_counters(self) -> None:
        self._c_submitted = self._c_completed = self._c_failed_count = self._c_cancelled = 0
        self._c_retried = self._c_expired = 0
        self._c_busy_seconds = 0.0
        self._c_submit_rate = Rate()
        self._c_finish_rate = Rate()
        self._c_run_times = Histogram()
        self._c_wait_times = [Histogram() for _ in range(4)]

    # The methods that the core calls on itself.

    def _start(self) -> None:
        """Once, at the first submit."""

    def _failed(self, task: Task, error: BaseException) -> float | bool | None:
        """Seconds until the next attempt, None: the task has failed, False: it is cancelled."""
        return None

    def _callbacks(self, task: Task, callbacks: list[Any]) -> None:
        """At the end of a task, on the thread that ended it."""
        for callback in callbacks:
            try:
                callback(task)
            except BaseException:
                logger.exception("callback %r of %r failed", callback, task)

    def _full(self, queue: int, lane: int, count: int, limit: int) -> bool:
        """No room for `count` more in a lane bounded by `limit`: True to try again, or raises. See wait_room()."""
        raise errors.queue_full(f"lane {lane} of queue {queue} has no room for {count} more")

    def _need_reserve(self) -> None:
        """Lane 0 was pushed and nobody was idle."""

    def _forked(self) -> None:
        """In a forked child, before any use; the core is empty."""

    # The clock.

    def now(self) -> float:
        return time.monotonic() if self._c_hand_set is None else self._c_hand_set

    def set_now(self, seconds: float) -> None:
        """From the first call on, time stands still between calls. Fires nothing by itself."""
        with self._c_lock:
            if self._c_hand_set is None:
                self._c_epoch = time.time() - seconds
            self._c_hand_set = float(seconds)
        self.kick()

    def kick(self) -> None:
        with self._c_lock:
            self._c_kicked = True
            self._c_keeper.notify_all()

    # A forked child.

    def _c_after_fork(self) -> None:
        lanes = [(queue.front, queue.lanes) for queue in self._c_queues]
        _parents.append((self._c_tasks, self._c_finished, self._c_timers, self._c_workers, self._c_performers, lanes))
        self._c_empty()
        self._c_counters()
        self._forked()

    # Queues and groups.

    def add_queue(self, lanes: int = 4) -> int:
        if not 1 <= lanes <= MAX_LANES:
            raise ValueError(f"lanes must be 1 to {MAX_LANES}, not {lanes!r}")
        with self._c_lock:
            queue = Queue(len(self._c_queues), lanes, self._c_lock)
            self._c_queues.append(queue)
            return queue.index

    def add_group(self, reserve: bool = False) -> int:
        with self._c_lock:
            group = Group(len(self._c_groups), bool(reserve))
            self._c_groups.append(group)
            return group.index

    def _c_a_queue(self, index: int) -> Queue:
        if not 0 <= index < len(self._c_queues):
            raise ValueError(f"no queue {index!r}")
        return self._c_queues[index]

    def _c_a_group(self, index: int) -> Group:
        if not 0 <= index < len(self._c_groups):
            raise ValueError(f"no group {index!r}")
        return self._c_groups[index]

    def subscribe(self, group: int, queues: Sequence[int]) -> None:
        """The queues that this group's workers take from, in this order, from now on."""
        wanted = [self._c_a_queue(index) for index in queues]
        with self._c_lock:
            checkpoint()
            subscriber = self._c_a_group(group)
            before = subscriber.queues
            for queue in before:
                if subscriber in queue.groups:
                    queue.groups.remove(subscriber)
            subscriber.queues = wanted
            for queue in wanted:
                if subscriber not in queue.groups:
                    queue.groups.append(subscriber)
            self._c_wake_group(subscriber)
            self._c_hand_on(before)

    def rotate(self, group: int, on: bool) -> None:
        self._c_a_group(group).rotate = bool(on)

    def pause_group(self, group: int, paused: bool) -> None:
        with self._c_lock:
            checkpoint()
            found = self._c_a_group(group)
            found.paused = bool(paused)
            if paused:
                self._c_hand_on(found.queues)
            else:
                self._c_wake_group(found)

    def set_hooks(
        self,
        queue: int,
        *,
        on_push: Callable[[], Any] | None = _SAME,
        runner: Callable[[Task], Any] | None = _SAME,
        on_start: Callable[[Task], Any] | None = _SAME,
        on_finish: Callable[[Task], Any] | None = _SAME,
        on_submit: Callable[[Task], Any] | None = _SAME,
    ) -> None:
        """None removes a hook; one that is not named stays."""
        found = self._c_a_queue(queue)
        given = {
            "on_push": on_push,
            "runner": runner,
            "on_start": on_start,
            "on_finish": on_finish,
            "on_submit": on_submit,
        }
        for name, hook in given.items():
            if hook is not _SAME:
                setattr(found, name, hook)

    # Waking; the lock is held.

    def _c_wake_group(self, group: Group) -> None:
        while group.sleepers:
            group.sleepers.pop().park.release()

    def _c_wake_all(self) -> None:
        for group in self._c_groups:
            self._c_wake_group(group)
        while self._c_claimers:
            self._c_claimers.pop()[1].release()

    def _c_hand_on(self, queues: Sequence[Queue]) -> None:
        """Somebody who may have been woken for these queues no longer takes from them."""
        for queue in queues:
            waiting = queue.count()
            if waiting:
                self._c_wake(queue, waiting, bool(queue.live[0]))

    def _c_wake(self, queue: Queue, count: int, first_lane: bool) -> bool:
        """Wake up to `count` sleepers for this queue; False when nobody slept."""
        woken = 0
        for group in queue.groups:
            if group.paused or group.reserve:
                continue
            while woken < count and group.sleepers:
                group.sleepers.pop().park.release()
                woken += 1
        if first_lane and woken < count:
            for group in queue.groups:
                if group.reserve and not group.paused and group.sleepers:
                    group.sleepers.pop().park.release()
                    woken += 1
                    break
        if woken < count and self._c_claimers:
            for claimer in [one for one in self._c_claimers if queue.index in one[0]][: count - woken]:
                self._c_claimers.remove(claimer)
                claimer[1].release()
                woken += 1
        return woken > 0

    def _c_after_push(self, queue: Queue, idle: bool, first_lane: bool) -> None:
        """Outside the lock, once something became QUEUED; `idle`: a sleeper was woken for it."""
        try:
            if queue.on_push is not None:
                queue.on_push()
            elif first_lane and not idle:
                self._need_reserve()
        except Exception:
            logger.exception("the push hook of queue %d failed", queue.index)

    def _c_schedule(self, task: Task, when: float) -> None:
        """The lock is held."""
        self._c_timers.add(task, when)
        if when < self._c_keeper_until:
            self._c_keeper.notify_all()


def _after_fork_in_child() -> None:
    _parents.append((local.worker, local.task))
    local.worker = None
    local.task = None
    for engine in list(_engines):
        try:
            engine._c_after_fork()
        except BaseException:
            logger.exception("%r cannot be used in this child process", engine)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
