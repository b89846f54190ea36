"""The asking side: which tasks there are, where they stand, and the figures. Changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from .base import Base
from .states import DELAYED, QUEUED
from .task import Task


class Inquiring(Base):
    def get(self, id_or_task_id: int | str) -> Task | None:
        if isinstance(id_or_task_id, str):
            text = id_or_task_id
            if len(text) != 32 or not text.startswith(self._c_prefix):
                return None
            try:
                id_or_task_id = int(text[16:], 16)
            except ValueError:
                return None
            task = self._c_tasks.get(id_or_task_id)
            return task if task is not None and task.task_id == text else None
        return self._c_tasks.get(id_or_task_id)

    def tasks(self) -> list[Task]:
        """All known ones, oldest first."""
        with self._c_lock:
            return list(self._c_tasks.values())

    def pending(self, queue: int) -> list[Task]:
        """QUEUED there, in the order in which they would be taken."""
        with self._c_lock:
            return self._c_a_queue(queue).pending()

    def delayed(self) -> list[Task]:
        with self._c_lock:
            return [task for task in self._c_timers.tasks() if task.state == DELAYED]

    def position(self, task: Task) -> int | None:
        """How many would be taken from its queue before it."""
        if task.state != QUEUED:
            return None
        for place, other in enumerate(self.pending(task.queue)):
            if other is task:
                return place
        return None

    def queued(self, queue: int, lane: int | None = None) -> int:
        found = self._c_a_queue(queue)
        if lane is None:
            return found.count()
        self._c_check_known_lane(len(found.live), lane)
        return found.live[lane]

    @staticmethod
    def _c_check_known_lane(lanes: int, lane: int) -> None:
        if not 0 <= lane < lanes:
            raise ValueError(f"no lane {lane!r}, there are {lanes}")

    def outstanding(self) -> int:
        return self._c_outstanding

    def workers(self) -> list[int]:
        with self._c_lock:
            return sorted(self._c_workers)

    def worker_info(self, worker: int) -> dict[str, Any] | None:
        with self._c_lock:
            record = self._c_workers.get(worker) or self._c_performers.get(worker)
            if record is None:
                return None
            return {
                "id": record.id,
                "group": None if record.group is None else record.group.index,
                "thread_id": record.thread_id or 0,
                "busy": record.busy,
                "task": record.task,
                "attempt": record.attempt,
                "started_at": record.started + self._c_epoch if record.busy else None,
                "completed": record.completed,
                "failed": record.failed,
                "cancelled": record.cancelled,
                "retried": record.retried,
                "busy_seconds": record.busy_seconds,
                "uptime_seconds": self.now() - record.born,
                "stuck": record.abandoned,
            }

    def totals(self) -> dict[str, Any]:
        with self._c_lock:
            now = self.now()
            size = sys.getsizeof(next(iter(self._c_tasks.values()))) if self._c_tasks else 0
            in_use = size * len(self._c_tasks)
            return {
                "submitted": self._c_submitted,
                "completed": self._c_completed,
                "failed": self._c_failed_count,
                "cancelled": self._c_cancelled,
                "retried": self._c_retried,
                "expired": self._c_expired,
                "busy_seconds": self._c_busy_seconds,
                "overflows": 0,
                "conflicts": 0,
                "scheduled": len(self._c_timers),
                "retained": len(self._c_finished),
                "submit_rate": self._c_submit_rate.read(now),
                "finish_rate": self._c_finish_rate.read(now),
                "queue_bytes": sum(
                    sys.getsizeof(queue.front) + sum(map(sys.getsizeof, queue.lanes)) for queue in self._c_queues
                ),
                "other_bytes": 0,
                "pool_reserved": in_use,
                "pool_in_use": in_use,
            }

    def run_quantiles(self, qs: Sequence[float]) -> list[float | None]:
        """Of the execution time, in seconds; None without samples."""
        with self._c_lock:
            return self._c_run_times.quantiles(qs)

    def wait_quantiles(self, lane: int, qs: Sequence[float]) -> list[float | None]:
        """Of the time between becoming QUEUED and the start; lanes above 3 count as 3."""
        if lane < 0:
            raise ValueError(f"no lane {lane!r}")
        with self._c_lock:
            return self._c_wait_times[min(lane, 3)].quantiles(qs)
