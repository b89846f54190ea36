"""The order that BackgroundTasks promises: FIFO, priorities, ageing, and the reserve for CRITICAL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from brokerless import BackgroundTasks, TaskStatus
from tests.unit.rig import SOON, Gate, eventually


def blocked(make_tasks: Callable[..., BackgroundTasks], **arguments: Any) -> tuple[BackgroundTasks, Gate]:
    """One worker, and it is busy."""
    tasks = make_tasks(1, **arguments)
    gate = Gate()
    tasks.add_task(gate, timeout_ms=None)
    gate.wait()
    return tasks, gate


def test_fifo_inside_a_priority(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks, gate = blocked(make_tasks)
    ran: list[int] = []
    for n in range(2000):
        tasks.add_task(ran.append, n)
    gate.open()
    assert tasks.drain(SOON)
    assert ran == list(range(2000))


def test_higher_priority_first(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks, gate = blocked(make_tasks)
    ran: list[str] = []
    for name in ("low", "normal", "high"):
        for _ in range(3):
            tasks.add_task(ran.append, name, priority=name)
    gate.open()
    assert tasks.drain(SOON)
    assert ran == ["high"] * 3 + ["normal"] * 3 + ["low"] * 3


def test_every_64th_task_comes_from_the_lowest_priority(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks, gate = blocked(make_tasks)
    ran: list[str] = []
    for _ in range(200):
        tasks.add_task(ran.append, "high", priority="high")
    for _ in range(2):
        tasks.add_task(ran.append, "low", priority="low")
    gate.open()
    assert tasks.drain(SOON)
    assert [place for place, name in enumerate(ran) if name == "low"] == [62, 126]


def test_critical_is_served_by_the_reserve_when_all_workers_are_busy(
    make_tasks: Callable[..., BackgroundTasks],
) -> None:
    tasks, gate = blocked(make_tasks)
    high = tasks.add_task(threading.current_thread, priority="high")
    for _ in range(3):
        critical = tasks.add_task(threading.current_thread, priority="critical")
        assert "reserve" in critical.result(SOON).name
    assert high.status is TaskStatus.PENDING
    assert tasks.get_stats().total_workers == 1
    gate.open()
    assert "reserve" not in high.result(SOON).name


def test_critical_uses_an_idle_worker(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(2)
    assert tasks.add_task(abs, -1).result(SOON) == 1
    gate = Gate()
    tasks.add_task(gate)
    gate.wait()

    def served_by_a_worker() -> bool:
        # A worker that has just given its result may not be asleep yet: then the reserve is right.
        return "reserve" not in tasks.add_task(threading.current_thread, priority="critical").result(SOON).name

    for _ in range(5):
        eventually(served_by_a_worker)
    gate.open()


def test_pause_and_resume(tasks: BackgroundTasks) -> None:
    assert tasks.add_task(abs, -1).result(SOON) == 1
    assert not tasks.is_paused()
    tasks.pause()
    assert tasks.is_paused()
    handles = [tasks.add_task(abs, -n, priority=priority) for n, priority in enumerate(("critical", "normal", "low"))]

    async def coroutine() -> str:
        return "ran"

    later = tasks.add_task(coroutine)
    assert not tasks.drain(0.05)
    assert {handle.status for handle in [*handles, later]} == {TaskStatus.PENDING}
    tasks.resume()
    assert [handle.result(SOON) for handle in handles] == [0, 1, 2]
    assert later.result(SOON) == "ran"
