"""Reads an engine's figures: `EngineStats` and `WorkerStats`. Everything comes from counters, histograms and clocks."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

from .core import CANCELLED, COMPLETED, FAILED
from .cputime import Meter, ThreadMeter, thread_seconds
from .memory import MB, peak_bytes, resident_bytes
from .model import EngineStats, TaskPriority, WorkerStats
from .pools import Pool
from .queues import Queue

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["Statistics"]

WINDOW = 10
"""Seconds that the rates look back."""


class Statistics:
    """The readings of one engine with its main queue and pools. Any thread may read."""

    def __init__(self, engine: Engine, queue: Queue, queue_size: int | None) -> None:
        self.engine = engine
        self.queue = queue
        self.queue_size = queue_size
        self._process = Meter()
        self._threads = ThreadMeter()
        self._lock = threading.Lock()
        self._workers: dict[threading.Thread, tuple[float, float, float]] = {}

    def _rate(self, counts: list[int]) -> float:
        # The current second is only partly over, and a young engine has not lived ten of them.
        window = min(WINDOW - 1 + self.engine.now() % 1.0, self.engine.uptime)
        return sum(counts[:WINDOW]) / window if window > 0 else 0.0

    def read(self) -> EngineStats:
        engine, queue = self.engine, self.queue
        totals = engine.totals()
        groups = engine.groups_ended
        completed = totals["completed"] - groups[COMPLETED]
        failed = totals["failed"] - groups[FAILED]
        cancelled = totals["cancelled"] - groups[CANCELLED]
        processed = completed + failed + cancelled
        attempts = completed + failed + totals["retried"]
        run = [_ms(value) for value in engine.run_quantiles((0.50, 0.95, 0.99))]
        waits = {lane: [_ms(value) for value in engine.wait_quantiles(lane, (0.50, 0.99))] for lane in TaskPriority}
        loop = engine._eventloop
        coroutines = loop.running if loop is not None else 0
        sizes = [queue.count(lane) + (loop.queue.count(lane) if loop is not None else 0) for lane in TaskPriority]
        workers = self._workers_now()
        resident = resident_bytes()
        reserved, in_use = totals["pool_reserved"], totals["pool_in_use"]
        return EngineStats(
            tasks_processed=processed,
            tasks_per_second=self._rate(totals["finish_rate"]),
            average_task_time_ms=1000.0 * totals["busy_seconds"] / attempts if attempts else 0.0,
            p50_execution_time_ms=run[0],
            p95_execution_time_ms=run[1],
            p99_execution_time_ms=run[2],
            critical_queue_wait_p50_ms=waits[TaskPriority.CRITICAL][0],
            critical_queue_wait_p99_ms=waits[TaskPriority.CRITICAL][1],
            high_queue_wait_p50_ms=waits[TaskPriority.HIGH][0],
            high_queue_wait_p99_ms=waits[TaskPriority.HIGH][1],
            normal_queue_wait_p50_ms=waits[TaskPriority.NORMAL][0],
            normal_queue_wait_p99_ms=waits[TaskPriority.NORMAL][1],
            low_queue_wait_p50_ms=waits[TaskPriority.LOW][0],
            low_queue_wait_p99_ms=waits[TaskPriority.LOW][1],
            enqueue_rate=self._rate(totals["submit_rate"]),
            contention_events=totals["conflicts"],
            overflow_events=totals["overflows"],
            queued_tasks=sum(sizes),
            delayed_tasks=len(engine.delayed()),
            running_tasks=workers["running"] + coroutines,
            completed_tasks=completed,
            failed_tasks=failed,
            retried_tasks=totals["retried"],
            cancelled_tasks=cancelled,
            expired_tasks=totals["expired"],
            timed_out_tasks=engine.limits.timed_out,
            error_rate=failed / processed if processed else 0.0,
            critical_queue_size=sizes[TaskPriority.CRITICAL],
            high_queue_size=sizes[TaskPriority.HIGH],
            normal_queue_size=sizes[TaskPriority.NORMAL],
            low_queue_size=sizes[TaskPriority.LOW],
            queue_pressure=max(sizes) / self.queue_size if self.queue_size else 0.0,
            active_workers=workers["busy"],
            idle_workers=workers["total"] - workers["busy"],
            total_workers=workers["total"],
            stuck_workers=workers["stuck"],
            worker_utilization=workers["utilization"],
            **self._compiled(),
            memory_usage_mb=resident / MB,
            queue_memory_usage_mb=totals["queue_bytes"] / MB,
            peak_memory_usage_mb=max(peak_bytes(), resident) / MB,
            memory_efficiency=in_use / reserved if reserved else 0.0,
            worker_cpu_usage=self._threads.read(thread for pool in engine.pools() for thread in pool.threads()),
            worker_memory_usage=reserved + totals["queue_bytes"],
            engine_cpu_usage=self._process.read(),
            uptime_seconds=engine.uptime,
            pid=os.getpid(),
        )

    def _compiled(self) -> dict[str, Any]:
        figures = self.engine.compilation_figures()
        return {
            "tasks_compiled_to_c": figures.get("compiled", 0),
            "c_compilation_success_rate": figures.get("success_rate", 0.0),
            "c_speedup_factor": figures.get("speedup", 0.0),
        }

    def _workers_now(self) -> dict[str, Any]:
        busy = total = stuck = reserve = 0
        spent = lived = 0.0
        now = time.time() if self.engine.clock is None else None
        for pool in self.engine.pools():
            stuck += pool.stuck
            if pool.reserve:
                reserve += pool.busy()
                continue
            workers = pool.workers
            if not workers and not pool.started:
                total += pool.size  # what it is configured for
                continue
            total += len(workers)
            for worker in workers:
                info = self.engine.worker_info(worker)
                if info is None:
                    continue
                spent += info["busy_seconds"]
                lived += info["uptime_seconds"]
                if info["busy"]:
                    busy += 1
                    if now is not None and info["started_at"] is not None:
                        spent += max(0.0, now - info["started_at"])
        return {
            "busy": busy,
            "running": busy + reserve,
            "total": total,
            "stuck": stuck,
            "utilization": min(1.0, spent / lived) if lived > 0 else 0.0,
        }

    def worker(self, worker: int) -> WorkerStats | None:
        """One worker; None: there is no such one."""
        for pool in self.engine.pools():
            thread = pool.thread_of(worker)
            if thread is not None:
                return self._worker(worker, thread)
        return None

    def workers(self) -> list[WorkerStats]:
        """All living workers, by number."""
        found = ((worker, pool) for pool in self.engine.pools() for worker in pool.workers)
        readings = [self._worker(worker, pool.thread_of(worker)) for worker, pool in sorted(found, key=_by_number)]
        return [reading for reading in readings if reading is not None]

    def _worker(self, worker: int, thread: threading.Thread | None) -> WorkerStats | None:
        info = self.engine.worker_info(worker)
        if info is None or thread is None:
            return None
        processed = info["completed"] + info["failed"] + info["cancelled"]
        attempts = processed + info["retried"]
        return WorkerStats(
            worker_id=worker,
            status="stuck" if info["stuck"] else "busy" if info["busy"] else "idle",
            tasks_processed=processed,
            avg_task_time_ms=1000.0 * info["busy_seconds"] / attempts if attempts else 0.0,
            cpu_usage_percent=self._cpu_percent(thread, info["uptime_seconds"]),
            memory_usage_mb=resident_bytes() / MB,
            uptime_seconds=info["uptime_seconds"],
        )

    def _cpu_percent(self, thread: threading.Thread, uptime: float) -> float:
        used = thread_seconds(thread)
        if used is None:
            return 0.0
        now = time.monotonic()
        with self._lock:
            at, before, last = self._workers.get(thread, (now - uptime, 0.0, 0.0))
            if now - at >= 0.01:
                last = max(0.0, 100.0 * (used - before) / (now - at))
                self._workers[thread] = (now, used, last)
            for gone in [one for one in self._workers if not one.is_alive()]:
                del self._workers[gone]
            return last


def _by_number(entry: tuple[int, Pool]) -> int:
    return entry[0]


def _ms(seconds: float | None) -> float:
    return 0.0 if seconds is None else 1000.0 * seconds
