"""Time limits, cancels and retries of BackgroundTasks under load: every task ends once, capacity stays."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from brokerless import BackgroundTasks, TaskStatus
from tests.unit.rig import SOON, eventually


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_tasks_around_their_limit(switching: float) -> None:
    dice = random.Random(3)
    tasks = BackgroundTasks(2, queue_size=None, result_max=None)
    ended: list[str] = []
    lock = threading.Lock()

    def note(_: Any) -> None:
        with lock:
            ended.append("x")

    handles = []
    for _ in range(1000):
        limit = dice.uniform(1, 6)
        handle = tasks.add_task(
            spin, limit / 1000 * dice.uniform(0.7, 1.3), timeout_ms=limit, max_retries=dice.randint(0, 1)
        )
        handle.on_success(note).on_error(note)
        handles.append(handle)
        handles.append(tasks.add_task(abs, -1).on_success(note))
        if dice.random() < 0.2:
            handle.cancel(interrupt=dice.random() < 0.5)
    assert tasks.drain(200)
    assert len(ended) == len(handles) == 2000
    for handle in handles[1::2]:
        assert handle.status is TaskStatus.COMPLETED
    eventually(lambda: tasks.get_stats().stuck_workers == 0)
    assert tasks.get_stats().total_workers == 2
    assert tasks.shutdown(timeout=SOON)


def test_stuck_threads_come_back(switching: float) -> None:
    tasks = BackgroundTasks(2, queue_size=None)
    tasks.limits.grace = 0.01
    release = threading.Event()
    stuck = [tasks.add_task(release.wait, SOON, timeout_ms=10, max_retries=0) for _ in range(12)]
    quick = [tasks.add_task(abs, -n) for n in range(200)]
    assert [handle.result(SOON) for handle in quick] == list(range(200))
    release.set()
    eventually(lambda: tasks.get_stats().stuck_workers == 0)
    assert {handle.status for handle in stuck} <= {TaskStatus.FAILED, TaskStatus.COMPLETED}
    assert tasks.get_stats().total_workers == 2
    assert tasks.shutdown(timeout=SOON)


def test_chains_and_groups_under_cancels(switching: float) -> None:
    dice = random.Random(11)
    tasks = BackgroundTasks(3, queue_size=None, result_max=None)
    handles = []
    for _ in range(150):
        if dice.random() < 0.5:
            handle = tasks.chain_tasks([lambda: 0] + [lambda value: value + 1] * dice.randint(1, 10))
        else:
            handle = tasks.parallel_tasks([lambda: 1] * dice.randint(1, 10), max_parallelism=dice.choice([None, 1, 3]))
        handles.append(handle)
        if dice.random() < 0.3:
            dice.choice(handles).cancel()
    for handle in handles:
        assert handle._wait(SOON), handle
    assert {handle.status for handle in handles} <= {TaskStatus.COMPLETED, TaskStatus.CANCELLED}
    assert tasks.drain(SOON)
    assert tasks.shutdown(timeout=SOON)
