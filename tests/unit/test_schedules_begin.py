"""Recurring tasks: from when on they run, where a schedule has no meaning, and their end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import BackgroundTasks, ManualClock, every
from tests.unit.rig import NOON, SOON, eventually, python_ok, settled

pytestmark = pytest.mark.usefixtures("own_locks")

Make = Callable[..., BackgroundTasks]


def test_a_decorated_function_recurs_from_the_start_on(make_tasks: Make, clock: ManualClock) -> None:
    tasks = make_tasks()
    ran: list[int] = []

    @tasks.task(schedule=every(10), tags="own")
    def tick(value: int = 0) -> None:
        ran.append(value)

    before = threading.active_count()
    assert tick.schedule is not None
    assert (tick.schedule.state, tick.schedule.next_run) == ("waiting", None)
    assert threading.active_count() == before, "a decoration starts nothing"
    tasks.clock = clock
    tick.delay(7).wait(SOON)
    assert tick.schedule.state == "active"
    clock.advance(10)
    settled(tasks)
    assert ran == [7, 0]
    assert tick.schedule.last_task.tags == ("own",)
    assert tasks.add_task(tick, 8).wait(SOON) is None, "a submit of a decorated function is one run"
    assert len(tasks.get_schedules()) == 1


def test_start_begins_decorated_schedules(make_tasks: Make, clock: ManualClock) -> None:
    tasks = make_tasks()
    tick = tasks.task(schedule=every(10))(abs)
    tasks.clock = clock
    tasks.start()
    assert tick.schedule is not None
    assert tick.schedule.next_run == NOON + 10


def test_real_time(tasks: BackgroundTasks) -> None:
    times: list[float] = []
    schedule = tasks.add_task(lambda: times.append(time.time()), schedule=every(0.05))
    eventually(lambda: len(times) >= 5)
    schedule.cancel()
    assert all(moment % 0.05 < 0.05 for moment in times)
    assert schedule.last_run is not None
    assert times == sorted(times)


def test_idle_schedules_wake_nobody(tasks: BackgroundTasks) -> None:
    tasks.add_task(abs, 1, schedule=every(86400, aligned=False))
    waits: list[Any] = []
    real = tasks.keeper_wait

    def counting(timeout: float | None) -> Any:
        waits.append(timeout)
        return real(timeout)

    tasks.keeper_wait = counting  # type: ignore[method-assign]
    tasks.kick()
    eventually(lambda: waits)
    assert max(timeout for timeout in waits if timeout is not None) > 80000


@pytest.mark.parametrize("way", ["delay", "batch", "batch default", "chain", "parallel", "text"])
def test_where_a_schedule_has_no_meaning(tasks: BackgroundTasks, way: str) -> None:
    item = {"func": abs, "args": (1,), "schedule": every(1)}
    calls: dict[str, Callable[[], Any]] = {
        "delay": lambda: tasks.add_task(abs, 1, delay_ms=5, schedule=every(1)),  # type: ignore[call-overload]
        "batch": lambda: tasks.add_batch([item]),
        "batch default": lambda: tasks.add_batch([{"func": abs, "args": (1,)}], schedule=every(1)),
        "chain": lambda: tasks.chain_tasks([item]),
        "parallel": lambda: tasks.parallel_tasks([item]),
        "text": lambda: tasks.add_task(abs, 1, schedule="*/5 * * * *"),  # type: ignore[call-overload]
    }
    with pytest.raises((TypeError, ValueError), match="schedule="):
        calls[way]()
    assert not tasks.get_schedules()


def test_shutdown_ends_schedules_first(make_tasks: Make, clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    tasks = make_tasks()
    tasks.clock = clock
    schedule = tasks.add_task(abs, 1, schedule=every(10))
    assert tasks.shutdown(timeout=SOON) is True
    clock.advance(100)
    assert (schedule.runs, schedule.state) == (0, "ended")
    assert not tasks.get_schedules()
    assert not caplog.records


def test_a_program_with_a_schedule_ends_without_a_word() -> None:
    printed = python_ok("""
        import logging, threading
        logging.basicConfig(level=logging.WARNING)
        from brokerless import BackgroundTasks, every
        tasks = BackgroundTasks(2)
        ran = threading.Event()
        tasks.add_task(ran.set, schedule=every(0.01))
        assert ran.wait(10)
        tasks.add_task(print, "later", schedule=every(3600))
        print("end")
    """)
    assert printed.split("\n")[0] == "end"
