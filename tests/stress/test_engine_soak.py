"""Ten million tasks through one engine: memory stays flat. By hand: `make soak` (about a minute on two cores)."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from brokerless import BackgroundTasks

TASKS = 10_000_000
CHUNK = 100_000
ROOM = 16 << 20  # bytes that may come from the allocator's own habits


def resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmRSS in /proc/self/status")


def run(tasks: BackgroundTasks, count: int) -> None:
    def fail(value: int) -> None:
        raise ValueError(value)

    for first in range(0, count, CHUNK):
        handles = [tasks.add_task(abs, -number) for number in range(first, first + CHUNK - 100)]
        failing = [tasks.add_task(fail, number, max_retries=0) for number in range(100)]
        assert tasks.drain(120)
        assert handles[-1].get_result() == first + CHUNK - 101
        assert failing[-1].is_failed()


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_ten_million_tasks_leave_memory_flat() -> None:
    with BackgroundTasks(workers=2, queue_size=None, enable_auto_scaling=False) as tasks:
        run(tasks, TASKS // 10)
        gc.collect()
        before = resident()
        run(tasks, TASKS - TASKS // 10)
        gc.collect()
        grown = resident() - before
        stats = tasks.get_stats()
        assert stats.completed_tasks + stats.failed_tasks == TASKS
        assert len(tasks.get_tasks(limit=None)) == 10_000
    assert grown < ROOM, f"{grown / 2**20:.1f} MB more after {TASKS:,} tasks"
