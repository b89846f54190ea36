"""Recurring tasks by a hand-set clock: when they run, what is missed, skipped and counted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerless import BackgroundTasks, ManualClock, Schedule, TaskStatus, cron, every
from tests.unit.rig import NOON, SOON, Gate, eventually, settled

pytestmark = pytest.mark.usefixtures("own_locks")

Make = Callable[..., BackgroundTasks]


def test_every_runs_at_each_multiple(timed: BackgroundTasks, clock: ManualClock) -> None:
    ran: list[str] = []
    schedule = timed.add_task(ran.append, "run", schedule=every(30))
    assert isinstance(schedule, Schedule)
    assert (schedule.state, schedule.next_run, schedule.last_run) == ("active", NOON + 30, None)
    for _ in range(4):
        clock.advance(15)
        settled(timed)
    assert ran == ["run"] * 2
    assert (schedule.runs, schedule.missed, schedule.skipped) == (2, 0, 0)
    assert (schedule.last_run, schedule.next_run) == (NOON + 60, NOON + 90)
    assert schedule.last_task.status is TaskStatus.COMPLETED


def test_cron_runs_by_the_date_of_the_clock(timed: BackgroundTasks, clock: ManualClock) -> None:
    ran: list[None] = []
    schedule = timed.add_task(ran.append, None, schedule=cron("30 12 * * *", tz="UTC"))
    clock.advance(1799)
    settled(timed)
    assert not ran
    clock.advance(1)
    settled(timed)
    assert len(ran) == 1
    assert schedule.next_run == NOON + 86400 + 1800


def test_missed_times_become_one_run_and_are_counted(timed: BackgroundTasks, clock: ManualClock) -> None:
    ran: list[None] = []
    schedule = timed.add_task(ran.append, None, schedule=every(10))
    clock.advance(45)
    settled(timed)
    assert (len(ran), schedule.runs, schedule.missed) == (1, 1, 3)
    assert schedule.next_run == NOON + 50, "late runs do not move the later ones"
    clock.advance(5)
    settled(timed)
    assert (len(ran), schedule.missed) == (2, 3)


def test_a_run_that_goes_on_keeps_the_next_one_out(timed: BackgroundTasks, clock: ManualClock) -> None:
    gate = Gate()
    schedule = timed.add_task(gate, schedule=every(10), timeout_ms=None)
    clock.advance(10)
    gate.wait()
    clock.advance(10)
    clock.advance(10)
    assert (schedule.runs, schedule.skipped, schedule.missed) == (1, 2, 0)
    gate.open()
    settled(timed)
    clock.advance(10)
    settled(timed)
    assert (schedule.runs, schedule.skipped) == (2, 2)


@given(steps=st.lists(st.floats(0, 40), max_size=12), seconds=st.floats(1, 20))
@settings(max_examples=25, deadline=None)
def test_every_time_is_run_missed_or_skipped(steps: list[float], seconds: float) -> None:
    tasks = BackgroundTasks(1)
    tasks.clock = clock = ManualClock(date=NOON)
    try:
        tasks.pause()
        schedule = tasks.add_task(abs, 1, schedule=every(seconds, aligned=False))
        for number, step in enumerate(steps):
            clock.advance(step)
            if number % 3 == 2:
                tasks.resume()
                settled(tasks)
                tasks.pause()
        passed = (clock.now() - 1000.0) / seconds
        counted = schedule.runs + schedule.missed + schedule.skipped
        assert passed - 1.001 <= counted <= passed + 0.001
        assert schedule.next_run == pytest.approx(NOON + seconds * (counted + 1), abs=1e-3)
    finally:
        tasks.shutdown(timeout=SOON, cancel_pending=True)


def test_a_cron_line_may_come_to_an_end(timed: BackgroundTasks, clock: ManualClock) -> None:
    schedule = timed.add_task(abs, 1, schedule=cron("0 13,14 1 1 * 0 2024-2099", tz="UTC"))
    for hours in (1, 1, 24):
        clock.advance(3600 * hours)
        settled(timed)
    assert (schedule.runs, schedule.state) == (2, "active")
    clock.advance(76 * 366 * 86400)
    settled(timed)
    assert (schedule.runs, schedule.state, schedule.next_run) == (3, "ended", None)
    assert timed.get_schedules() == []


def test_overlapping_runs_when_asked_for(timed: BackgroundTasks, clock: ManualClock) -> None:
    barrier = threading.Barrier(2)
    schedule = timed.add_task(barrier.wait, SOON, schedule=every(10, overlap=True))
    clock.advance(10)
    clock.advance(10)
    settled(timed)
    assert (schedule.runs, schedule.skipped) == (2, 0)
    assert timed.count_tasks("COMPLETED") == 2


def test_options_arguments_and_names(timed: BackgroundTasks, clock: ManualClock) -> None:
    seen: list[Any] = []

    def note(*args: Any, **kwargs: Any) -> None:
        seen.append((args, kwargs))

    first = timed.add_task(
        note, 1, priority="high", tags="tick", metadata={"a": 1}, max_retries=0, schedule=every(10), key="v"
    )
    second = timed.add_task(note, 2, schedule=every(10))
    third = timed.add_task(partial(note, 3), schedule=every(10, name="third"))
    clock.advance(10)
    settled(timed)
    assert sorted(args for args, _ in seen) == [(1,), (2,), (3,)]
    task = first.last_task
    assert (task.priority.name, task.tags, task.metadata) == ("HIGH", ("tick",), {"a": 1})
    own = f"{__name__}.test_options_arguments_and_names.<locals>.note"
    assert [schedule.name for schedule in timed.get_schedules()] == [own, f"{own}#2", "third"]
    with pytest.raises(ValueError, match="'third' exists"):
        timed.add_task(note, schedule=every(1, name="third"))
    shown = second.to_dict()
    assert shown["timetable"] == "every(10)"
    assert shown["last_task"] == second.last_task.task_id
    assert repr(third) == "<Schedule 'third' every(10) active>"


def test_unschedule(timed: BackgroundTasks, clock: ManualClock) -> None:
    ran: list[str] = []
    a = timed.add_task(ran.append, "a", schedule=every(10, name="a"))
    b = timed.add_task(ran.append, "b", schedule=every(10, name="b"))
    c = timed.add_task(ran.append, "c", schedule=every(10, name="c"))
    assert timed.unschedule("a") is True
    assert timed.unschedule("a") is False
    assert timed.unschedule(b) is True
    assert b.cancel() is False
    assert timed.get_schedules() == [c]
    assert (a.state, a.next_run) == ("ended", None)
    clock.advance(10)
    settled(timed)
    assert ran == ["c"]
    with pytest.raises(TypeError, match="unschedule.7."):
        timed.unschedule(7)  # type: ignore[arg-type]
    assert timed.add_task(ran.append, "a", schedule=every(10, name="a")).name == "a", "the name is free again"


def test_a_run_that_ends_its_own_schedule(timed: BackgroundTasks, clock: ManualClock) -> None:
    schedule = timed.add_task(lambda: timed.unschedule("self"), schedule=every(10, name="self"))
    clock.advance(10)
    settled(timed)
    clock.advance(10)
    settled(timed)
    assert (schedule.runs, schedule.last_task.value) == (1, True)


def test_coroutines_recur(timed: BackgroundTasks, clock: ManualClock) -> None:
    async def tick() -> str:
        await asyncio.sleep(0)
        return "tock"

    schedule = timed.add_task(tick, schedule=every(10))
    clock.advance(10)
    assert schedule.last_task.wait(SOON) == "tock"


def test_a_failing_run_does_not_end_the_schedule(timed: BackgroundTasks, clock: ManualClock) -> None:
    def fail() -> None:
        raise ValueError("no")

    schedule = timed.add_task(fail, max_retries=0, schedule=every(10))
    for _ in range(2):
        clock.advance(10)
        settled(timed)
    assert schedule.runs == 2
    assert schedule.last_task.status is TaskStatus.FAILED


def test_runs_are_not_bound_by_the_queue_size(make_tasks: Make, clock: ManualClock) -> None:
    tasks = make_tasks(1, queue_size=1)
    tasks.clock = clock
    gate = Gate()
    tasks.add_task(gate)
    gate.wait()
    tasks.add_task(abs, 1)
    schedule = tasks.add_task(abs, -5, schedule=every(10))
    clock.advance(10)
    gate.open()
    settled(tasks)
    assert schedule.last_task.value == 5


def test_a_run_that_cannot_be_submitted_is_logged(
    timed: BackgroundTasks, clock: ManualClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = timed.add_task(abs, 1, schedule=every(10, name="broken"))

    def refuse() -> Any:
        raise OSError("refused")

    monkeypatch.setattr(schedule, "_fire", refuse)
    clock.advance(10)
    assert "schedule broken: the run could not be submitted: refused" in caplog.text
    assert (schedule.runs, schedule.next_run) == (0, NOON + 20)


def test_a_clock_that_is_set_later_moves_the_times(tasks: BackgroundTasks, clock: ManualClock) -> None:
    schedule = tasks.add_task(abs, 1, schedule=every(3600))
    tasks.clock = clock
    assert schedule.next_run == NOON + 3600
    clock.advance(3600)
    settled(tasks)
    assert schedule.runs == 1


def test_a_function_is_compiled_before_its_first_run(
    timed: BackgroundTasks, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(timed.compilation, "form", lambda func, mode: (asked.append((func, mode)), func)[1])
    timed.add_task(abs, -1, compile_to_c=True, schedule=every(10))
    assert asked == [(abs, True)]


def test_retries_of_a_run_belong_to_it(timed: BackgroundTasks, clock: ManualClock) -> None:
    tries: list[int] = []

    def flaky() -> int:
        tries.append(len(tries))
        if len(tries) == 1:
            raise ValueError("once")
        return len(tries)

    schedule = timed.add_task(flaky, schedule=every(100))
    clock.advance(100)
    eventually(lambda: tries)
    clock.advance(1)
    assert schedule.last_task.wait(SOON) == 2
    assert schedule.runs == 1
