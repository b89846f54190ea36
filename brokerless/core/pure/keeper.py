"""The keeper's side: what is due, what has gone past its deadline, what has been kept long enough.

Only the primitives; the thread that calls them, and what it does to an overdue task, are the Python half's.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from .ends import Ending
from .lanes import Queue, Worker
from .states import CANCELLED, DELAYED, NEVER, QUEUED
from .task import Task


class Keeping(Ending):
    def keeper_wait(self, timeout: float | None = None) -> None:
        """Until something is due, kick(), or `timeout` seconds (of real time) have passed."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            try:
                while not self._kicked:
                    due = self._next_due()
                    now = self.now()
                    if due <= now:
                        break
                    left = NEVER if end is None else end - time.monotonic()
                    if left <= 0:
                        break
                    if self._hand_set is None:
                        left = min(left, due - now)
                    self._keeper_until = due
                    self._keeper.wait(None if left == NEVER else min(left, threading.TIMEOUT_MAX))
            finally:
                self._keeper_until = -NEVER
                self._kicked = False

    def _all_workers(self) -> list[Worker]:
        return [*self._workers.values(), *self._performers.values()]

    def _next_due(self) -> float:
        """The lock is held."""
        due = self._timers.next()
        for worker in self._all_workers():
            if worker.deadline < due:
                due = worker.deadline
        if self._ttl is not None and self._finished:
            oldest = self._finished[0]._completed
            if oldest is not None and oldest + self._ttl < due:
                due = oldest + self._ttl
        return due

    def fire_due(self) -> int:
        """Due delays go into their lanes, what has expired becomes CANCELLED. The count of both."""
        count = 0
        pushed: dict[int, list[Any]] = {}
        expired: list[tuple[Task, list[Any] | None]] = []
        with self._lock:
            now = self.now()
            while True:
                task = self._timers.pop_due(now)
                if task is None:
                    break
                count += 1
                if task._expires is not None and task.attempt == 0 and task._expires <= now:
                    if self._strike(task, expired=True):
                        expired.append((task, self._over(task, CANCELLED)))
                elif task.state == DELAYED:
                    queue, idle = self._make_ready(task, now)
                    seen = pushed.setdefault(queue.index, [queue, True, False])
                    if task.lane == 0:
                        seen[1] = seen[1] and idle
                        seen[2] = True
        for queue, idle, first_lane in pushed.values():
            self._after_push(queue, idle, first_lane)
        for task, callbacks in expired:
            self._follow_up(task, callbacks)
        return count

    def _make_ready(self, task: Task, now: float) -> tuple[Queue, bool]:
        """DELAYED becomes QUEUED; the lock is held."""
        queue = self._queues[task.queue]
        task.state = QUEUED
        task._ready = now
        queue.push(task, False)
        if task._expires is not None and task.attempt == 0:
            self._schedule(task, task._expires)
        return queue, self._wake(queue, 1, task.lane == 0)

    def age(self) -> int:
        """Let go of results that are older than result_ttl."""
        if self._ttl is None:
            return 0
        gone: list[Task] = []
        with self._lock:
            limit = self.now() - self._ttl
            while self._finished:
                finished = self._finished[0]._completed
                if finished is not None and finished > limit:
                    break
                task = self._finished.popleft()
                self._tasks.pop(task.id, None)
                gone.append(task)
        return len(gone)

    def overdue(self) -> list[tuple[int, Task, int]]:
        """(worker, task, attempt) of attempts past their deadline, each until it ends or is extended."""
        with self._lock:
            now = self.now()
            return [
                (worker.id, worker.task, worker.attempt)
                for worker in self._all_workers()
                if worker.task is not None and worker.deadline <= now
            ]

    def extend(self, worker: int, attempt: int, seconds: float) -> bool:
        """Look at this overdue attempt again in `seconds`."""
        with self._lock:
            record = self._workers.get(worker) or self._performers.get(worker)
            if record is None or record.task is None or record.attempt != attempt:
                return False
            record.deadline = self.now() + seconds
            if record.deadline < self._keeper_until:
                self._keeper.notify_all()
            return True

    def drain(self, timeout: float | None = None) -> bool:
        """Until everything submitted is done, callbacks included; False when `timeout` passed before."""
        if self._forked_pending:
            self._first_use()
        end = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            while self._outstanding:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._drained.wait(None if left is None else min(left, threading.TIMEOUT_MAX))
            return True

    def close(self) -> None:
        """No more submits; workers leave when their lanes are empty."""
        with self._lock:
            self.closed = True
            self._wake_all()
            self._kicked = True
            self._keeper.notify_all()

    def stop(self) -> None:
        """Workers leave after their current task."""
        with self._lock:
            self._stopping = True
            self._wake_all()
