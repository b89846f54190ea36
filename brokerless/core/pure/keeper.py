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
        with self._c_lock:
            try:
                while not self._c_kicked:
                    due = self._c_next_due()
                    now = self.now()
                    if due <= now:
                        break
                    left = NEVER if end is None else end - time.monotonic()
                    if left <= 0:
                        break
                    if self._c_hand_set is None:
                        left = min(left, due - now)
                    self._c_keeper_until = due
                    self._c_keeper.wait(None if left == NEVER else min(left, threading.TIMEOUT_MAX))
            finally:
                self._c_keeper_until = -NEVER
                self._c_kicked = False

    def _c_all_workers(self) -> list[Worker]:
        return [*self._c_workers.values(), *self._c_performers.values()]

    def _c_next_due(self) -> float:
        """The lock is held."""
        due = self._c_timers.next()
        for worker in self._c_all_workers():
            if worker.deadline < due:
                due = worker.deadline
        if self._c_ttl is not None and self._c_finished:
            oldest = self._c_finished[0]._completed
            if oldest is not None and oldest + self._c_ttl < due:
                due = oldest + self._c_ttl
        return due

    def fire_due(self) -> int:
        """Due delays go into their lanes, what has expired becomes CANCELLED. The count of both."""
        count = 0
        pushed: dict[int, list[Any]] = {}
        expired: list[tuple[Task, list[Any] | None]] = []
        with self._c_lock:
            now = self.now()
            while True:
                task = self._c_timers.pop_due(now)
                if task is None:
                    break
                count += 1
                if task._expires is not None and task.attempt == 0 and task._expires <= now:
                    if self._c_strike(task, expired=True):
                        expired.append((task, self._c_over(task, CANCELLED)))
                elif task.state == DELAYED:
                    queue, idle = self._c_make_ready(task, now)
                    seen = pushed.setdefault(queue.index, [queue, True, False])
                    if task.lane == 0:
                        seen[1] = seen[1] and idle
                        seen[2] = True
        for queue, idle, first_lane in pushed.values():
            self._c_after_push(queue, idle, first_lane)
        for task, callbacks in expired:
            self._c_follow_up(task, callbacks)
        return count

    def _c_make_ready(self, task: Task, now: float) -> tuple[Queue, bool]:
        """DELAYED becomes QUEUED; the lock is held."""
        queue = self._c_queues[task.queue]
        task.state = QUEUED
        task._ready = now
        queue.push(task, False)
        if task._expires is not None and task.attempt == 0:
            self._c_schedule(task, task._expires)
        return queue, self._c_wake(queue, 1, task.lane == 0)

    def age(self) -> int:
        """Let go of results that are older than result_ttl."""
        if self._c_ttl is None:
            return 0
        gone: list[Task] = []
        with self._c_lock:
            limit = self.now() - self._c_ttl
            while self._c_finished:
                finished = self._c_finished[0]._completed
                if finished is not None and finished > limit:
                    break
                task = self._c_finished.popleft()
                self._c_tasks.pop(task.id, None)
                gone.append(task)
        return len(gone)

    def overdue(self) -> list[tuple[int, Task, int]]:
        """(worker, task, attempt) of attempts past their deadline, each until it ends or is extended."""
        with self._c_lock:
            now = self.now()
            return [
                (worker.id, worker.task, worker.attempt)
                for worker in self._c_all_workers()
                if worker.task is not None and worker.deadline <= now
            ]

    def extend(self, worker: int, attempt: int, seconds: float) -> bool:
        """Look at this overdue attempt again in `seconds`."""
        with self._c_lock:
            record = self._c_workers.get(worker) or self._c_performers.get(worker)
            if record is None or record.task is None or record.attempt != attempt:
                return False
            record.deadline = self.now() + seconds
            if record.deadline < self._c_keeper_until:
                self._c_keeper.notify_all()
            return True

    def drain(self, timeout: float | None = None) -> bool:
        """Until everything submitted is done, callbacks included; False when `timeout` passed before."""
        end = None if timeout is None else time.monotonic() + timeout
        with self._c_lock:
            while self._c_outstanding:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._c_drained.wait(None if left is None else min(left, threading.TIMEOUT_MAX))
            return True

    def close(self) -> None:
        """No more submits; workers leave when their lanes are empty."""
        with self._c_lock:
            self.closed = True
            self._c_wake_all()
            for queue in self._c_queues:
                queue.room.notify_all()
            self._c_kicked = True
            self._c_keeper.notify_all()

    def stop(self) -> None:
        """No more submits either; workers leave after their current task."""
        self.close()
        with self._c_lock:
            self._c_stopping = True
            self._c_wake_all()

    def reserve_memory(self, size: int) -> None:
        """Nothing to do: Python's own allocator serves this core."""

    def discard(self) -> int:
        """Cancel everything that has not started; the count. Empties the lanes and the timers."""
        cancelled: list[tuple[Task, list[Any] | None]] = []
        with self._c_lock:
            waiting = self._c_timers.tasks()
            for queue in self._c_queues:
                waiting += queue.pending()
            for task in waiting:
                if self._c_strike(task, expired=False):
                    cancelled.append((task, self._c_over(task, CANCELLED)))
            for queue in self._c_queues:
                queue.clear()
        for task, callbacks in cancelled:
            self._c_follow_up(task, callbacks)
        return len(cancelled)
