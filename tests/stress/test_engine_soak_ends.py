"""A million tasks that end early, and a thousand forks: memory, threads and descriptors stay what they were. By hand:
`make soak` (some minutes on two cores).
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from pathlib import Path

import pytest

from brokerless import BackgroundTasks, TaskStatus
from tests.stress.test_engine_soak import ROOM, resident
from tests.unit.rig import eventually, spin

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc"),
]

ROUNDS = 100
CANCELLED, DELAYED, EXPIRED, LIMITED, INTERRUPTED = 5_000, 2_000, 1_000, 1_900, 100
"""Of each round: cancelled while it waited, while it was delayed, expired, past its limit as a coroutine and in a thread."""

FORKS = 1_000


class Belongings:
    """What the process has: bytes, threads, descriptors."""

    def __init__(self) -> None:
        gc.collect()
        self.bytes = resident()
        self.threads = threading.active_count()
        self.descriptors = len(os.listdir("/proc/self/fd"))

    def same_as(self, before: Belongings) -> None:
        assert self.threads == before.threads, [thread.name for thread in threading.enumerate()]
        assert self.descriptors == before.descriptors, os.listdir("/proc/self/fd")
        grown = self.bytes - before.bytes
        assert grown < ROOM, f"{grown / 2**20:.1f} MB more"


def settled(tasks: BackgroundTasks) -> Belongings:
    """Once no thread is left that a stuck task was replaced by, or that runs callbacks."""
    eventually(lambda: not any("callbacks" in thread.name for thread in threading.enumerate()), "no side thread")
    return Belongings()


async def sleep() -> None:
    await asyncio.sleep(600)


def end_early(tasks: BackgroundTasks) -> None:
    tasks.pause()
    waiting = [tasks.add_task(abs, number) for number in range(CANCELLED)]
    expiring = [tasks.add_task(abs, number, expires_ms=1) for number in range(EXPIRED)]
    delayed = [tasks.add_task(abs, number, delay_ms=600_000) for number in range(DELAYED)]
    assert all(handle.cancel() for handle in waiting + delayed)
    assert eventually(lambda: all(handle.status is TaskStatus.CANCELLED for handle in expiring))
    tasks.resume()
    limited = [tasks.add_task(sleep, timeout_ms=1, max_retries=0) for _ in range(LIMITED)]
    limited += [tasks.add_task(spin, 600, timeout_ms=1, max_retries=0) for _ in range(INTERRUPTED)]
    assert tasks.drain(120)
    assert all(handle.status is TaskStatus.FAILED for handle in limited)


def test_a_million_timeouts_and_cancels() -> None:
    with BackgroundTasks(workers=2, queue_size=None, enable_auto_scaling=False) as tasks:
        for _ in range(ROUNDS // 10):
            end_early(tasks)
        before = settled(tasks)
        for _ in range(ROUNDS - ROUNDS // 10):
            end_early(tasks)
        settled(tasks).same_as(before)
        stats = tasks.get_stats()
        assert stats.cancelled_tasks == ROUNDS * (CANCELLED + DELAYED + EXPIRED)
        assert stats.failed_tasks == ROUNDS * (LIMITED + INTERRUPTED)
        assert stats.cancelled_tasks + stats.failed_tasks == 1_000_000


def child(tasks: BackgroundTasks) -> None:
    code = 1
    try:
        handles = [tasks.add_task(abs, -number) for number in range(20)]
        handles.append(tasks.add_task(abs, -20, delay_ms=1))
        handles.append(tasks.add_task(asyncio.sleep, 0, 21))
        code = 0 if [handle.result(30) for handle in handles] == list(range(22)) else 2
    finally:
        os._exit(code)


def fork(tasks: BackgroundTasks, count: int) -> None:
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            child(tasks)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python's own about forks beside threads
def test_a_thousand_forks_beside_running_tasks() -> None:
    over = threading.Event()
    with BackgroundTasks(workers=2, queue_size=None, enable_auto_scaling=False) as tasks:
        tasks.add_task(asyncio.sleep, 0).result(30)

        def again(number: int) -> None:
            if not over.is_set():
                tasks.add_task(again, number + 1, delay_ms=number % 3)

        for number in range(4):
            again(number)
        fork(tasks, FORKS // 10)
        before = Belongings()
        fork(tasks, FORKS - FORKS // 10)
        Belongings().same_as(before)
        over.set()
        assert tasks.drain(30)
        assert tasks.get_stats().failed_tasks == 0
