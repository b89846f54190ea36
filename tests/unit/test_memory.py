"""Memory figures: measured, not assumed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from brokerless import CORE, BackgroundTasks


@pytest.mark.skipif(CORE != "native", reason="the pure core has no pool")
def test_memory_pool_mb_reserves_memory(make_tasks: Callable[..., BackgroundTasks]) -> None:
    assert make_tasks(1, memory_pool_mb=8).get_memory_stats().reserved_bytes >= 8 << 20
    assert make_tasks(1).get_memory_stats().reserved_bytes < 1 << 20


def test_bytes_in_use_follow_the_tasks(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1, queue_size=None, result_max=0)
    tasks.pause()
    before = tasks.get_memory_stats().in_use_bytes
    handles = [tasks.add_task(abs, -1) for _ in range(5_000)]
    held = tasks.get_memory_stats().in_use_bytes
    if CORE == "native":
        assert held - before >= 5_000 * 64
    tasks.resume()
    assert tasks.drain(10)
    del handles
    assert tasks.get_memory_stats().in_use_bytes <= max(held, before)


def test_fragmentation_is_a_percentage(make_tasks: Callable[..., BackgroundTasks]) -> None:
    stats = make_tasks(1).get_memory_stats()
    assert 0.0 <= stats.fragmentation_percent <= 100.0
    assert stats.has_jemalloc is (stats.allocator == "jemalloc")
