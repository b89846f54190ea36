"""The figures: every field exists, formats, and comes from what happened."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

import brokerless
from brokerless import BackgroundTasks, EngineStats, MemoryStats, WorkerStats
from tests.unit.rig import SOON, Gate, eventually

PROMISED = (
    """
tasks_processed total_tasks_processed tasks_per_second average_task_time_ms avg_execution_time_ms
p50_execution_time_ms p95_execution_time_ms p99_execution_time_ms enqueue_rate contention_events overflow_events
queued_tasks total_queued running_tasks completed_tasks failed_tasks retried_tasks cancelled_tasks error_rate
critical_queue_size high_queue_size normal_queue_size low_queue_size queue_pressure active_workers idle_workers
total_workers stuck_workers worker_utilization avg_worker_utilization tasks_compiled_to_c c_compilation_success_rate
c_speedup_factor memory_usage_mb queue_memory_usage_mb peak_memory_usage_mb memory_efficiency worker_cpu_usage
worker_memory_usage engine_cpu_usage uptime_seconds pid
""".split()
    + [
        f"{name}_queue_wait_{quantile}_ms"
        for name in ("critical", "high", "normal", "low")
        for quantile in ("p50", "p99")
    ]
)

RATIOS = [
    "error_rate",
    "queue_pressure",
    "worker_utilization",
    "avg_worker_utilization",
    "c_compilation_success_rate",
    "memory_efficiency",
]


@pytest.mark.parametrize("when", ["before the start", "after some tasks"])
@pytest.mark.parametrize("name", PROMISED)
def test_promised_fields_are_numbers_that_format(
    make_tasks: Callable[..., BackgroundTasks], name: str, when: str
) -> None:
    tasks = make_tasks(2)
    if when != "before the start":
        tasks.add_batch([{"func": abs, "args": (n,)} for n in range(50)])
        assert tasks.drain(SOON)
    value = getattr(tasks.get_stats(), name)
    assert type(value) in (int, float)
    assert f"{value:.1f}"
    assert f"{value:.1%}"
    assert value >= 0
    if name in RATIOS:
        assert value <= 1


def test_before_the_first_task(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(3)
    stats = tasks.get_stats()
    assert isinstance(stats, EngineStats)
    assert (stats.total_workers, stats.idle_workers, stats.active_workers) == (3, 3, 0)
    assert stats.tasks_processed == 0
    assert stats.p99_execution_time_ms == 0.0
    assert stats.tasks_per_second == 0.0
    assert stats.pid == os.getpid()
    assert stats.memory_usage_mb > 1
    assert not any(thread.name.startswith("brokerless") for thread in threading.enumerate())


def test_counts(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(2)

    def fail() -> None:
        raise ValueError

    for n in range(10):
        tasks.add_task(abs, n)
    for _ in range(2):
        tasks.add_task(fail, max_retries=0)
    tasks.add_task(fail, max_retries=1)
    tasks.add_task(abs, -1, delay_ms=60_000).cancel()
    assert tasks.drain(SOON)
    stats = tasks.get_stats()
    assert (stats.completed_tasks, stats.failed_tasks, stats.cancelled_tasks, stats.retried_tasks) == (10, 3, 1, 1)
    assert stats.tasks_processed == stats.total_tasks_processed == 14
    assert stats.error_rate == pytest.approx(3 / 14)
    assert stats.enqueue_rate > 0
    assert stats.tasks_per_second > 0


def test_queues_and_workers_while_they_are_full(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(2, queue_size=10)
    gate = Gate()
    for _ in range(2):
        tasks.add_task(gate)
    eventually(lambda: tasks.get_stats().running_tasks == 2)
    for priority, count in (("high", 1), ("normal", 5), ("low", 2)):
        for _ in range(count):
            tasks.add_task(abs, -1, priority=priority)
    stats = tasks.get_stats()
    assert (stats.active_workers, stats.idle_workers, stats.total_workers) == (2, 0, 2)
    sizes = stats.critical_queue_size, stats.high_queue_size, stats.normal_queue_size, stats.low_queue_size
    assert sizes == (0, 1, 5, 2)
    assert stats.queued_tasks == stats.total_queued == 8
    assert stats.queue_pressure == pytest.approx(0.5)
    gate.open()


def test_times_are_measured(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    event = threading.Event()
    for _ in range(5):
        tasks.add_task(event.wait, 0.03, priority="high")
    assert tasks.drain(SOON)
    stats = tasks.get_stats()
    assert 25 <= stats.p50_execution_time_ms <= stats.p95_execution_time_ms <= stats.p99_execution_time_ms <= 5000
    assert 25 <= stats.average_task_time_ms == stats.avg_execution_time_ms
    assert stats.high_queue_wait_p99_ms >= 80, "the last one waited for four others"
    assert stats.low_queue_wait_p50_ms == 0.0
    assert 0 < stats.worker_utilization <= 1


def test_readings_are_plain_data(tasks: BackgroundTasks) -> None:
    tasks.add_task(abs, -1).result(SOON)
    for reading in (tasks.get_stats(), tasks.get_memory_stats(), tasks.get_worker_stats()[0]):  # type: ignore[index]
        assert json.loads(json.dumps(reading.to_dict())) == reading.to_dict()
        with pytest.raises(dataclasses.FrozenInstanceError):
            reading.pid = 1


def test_worker_stats(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(2)
    gate = Gate()
    tasks.add_batch([{"func": abs, "args": (n,)} for n in range(20)])
    assert tasks.drain(SOON)
    tasks.add_task(gate)
    gate.wait()
    readings: Any = tasks.get_worker_stats()
    assert len(readings) == 2
    assert all(isinstance(reading, WorkerStats) for reading in readings)
    assert sorted(reading.status for reading in readings) == ["busy", "idle"]
    assert sum(reading.tasks_processed for reading in readings) == 20
    for reading in readings:
        assert tasks.get_worker_stats(reading.worker_id).worker_id == reading.worker_id  # type: ignore[union-attr]
        assert reading.uptime_seconds > 0
        assert reading.memory_usage_mb > 1
        assert reading.avg_task_time_ms >= 0
        assert reading.cpu_usage_percent >= 0
    with pytest.raises(KeyError):
        tasks.get_worker_stats(10_000)
    gate.open()


def test_cpu_usage_is_that_of_the_workers(make_tasks: Callable[..., BackgroundTasks]) -> None:
    import time

    tasks = make_tasks(1)

    def compute() -> None:
        end = time.thread_time() + 0.15
        while time.thread_time() < end:
            pass

    tasks.add_task(abs, -1).result(SOON)
    tasks.get_stats()
    tasks.add_task(compute).result(SOON)
    assert tasks.get_stats().worker_cpu_usage > 0.05


def test_memory_stats(tasks: BackgroundTasks) -> None:
    tasks.add_batch([{"func": abs, "args": (n,)} for n in range(1000)])
    assert tasks.drain(SOON)
    stats = tasks.get_memory_stats()
    assert isinstance(stats, MemoryStats)
    assert stats.allocator == ("python" if brokerless.CORE == "pure" else stats.allocator)
    assert stats.allocator in ("python", "malloc", "jemalloc")
    assert stats.reserved_bytes >= stats.in_use_bytes > 0
    assert 0.0 <= stats.fragmentation_percent <= 100.0
    assert stats.has_jemalloc == tasks.has_jemalloc
    assert not stats.has_jemalloc or stats.allocator == "jemalloc"
