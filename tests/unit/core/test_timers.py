"""Delays, expiry, deadlines and the keeper, by a clock that the test moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import core
from tests.unit.rig import SOON, Gate, Rig, eventually


@pytest.fixture
def timed(rig: Rig) -> Rig:
    rig.engine.set_now(1000.0)
    return rig


def test_time_stands_still_once_set(timed: Rig) -> None:
    assert timed.engine.now() == 1000.0
    timed.engine.set_now(1234.5)
    assert timed.engine.now() == 1234.5


def test_delayed_task_is_queued_when_due(timed: Rig) -> None:
    task = timed.engine.enqueue(timed.note, (1,), queue=timed.queue, delay=10.0)
    assert task.state == core.DELAYED
    assert task.due_at == pytest.approx(task.created_at + 10.0)
    assert timed.engine.delayed() == [task]
    assert timed.engine.queued(timed.queue) == 0
    timed.engine.set_now(1009.9)
    assert timed.engine.fire_due() == 0
    timed.engine.set_now(1010.0)
    assert task.state == core.DELAYED, "setting the clock fires nothing by itself"
    assert timed.engine.fire_due() == 1
    assert task.state == core.QUEUED
    assert task.due_at is None
    assert timed.engine.delayed() == []
    assert timed.run() == 1
    assert timed.ran == [1]


def test_delay_of_zero_or_none_is_no_delay(timed: Rig) -> None:
    for delay in (None, 0, 0.0):
        assert timed.engine.enqueue(timed.note, (1,), queue=timed.queue, delay=delay).state == core.QUEUED


def test_due_tasks_keep_the_order_of_their_times(timed: Rig) -> None:
    for delay in (3.0, 1.0, 2.0, 1.0):
        timed.engine.enqueue(timed.note, (delay,), queue=timed.queue, delay=delay)
    assert [task.args[0] for task in timed.engine.delayed()] == [1.0, 1.0, 2.0, 3.0]
    first, second = timed.engine.delayed()[:2]
    assert first.id < second.id
    timed.advance(5)
    timed.run()
    assert timed.ran == [1.0, 1.0, 2.0, 3.0]


def test_withdrawn_delay_never_fires(timed: Rig) -> None:
    task = timed.engine.enqueue(timed.note, (1,), queue=timed.queue, delay=1.0)
    assert task.withdraw()
    assert timed.engine.delayed() == []
    timed.advance(5)
    assert timed.run() == 0
    assert task.state == core.CANCELLED
    assert timed.engine.totals()["scheduled"] == 0


def test_expired_while_queued_is_cancelled_by_the_keeper(timed: Rig) -> None:
    seen: list[Any] = []
    task = timed.engine.enqueue(timed.note, (1,), queue=timed.queue, expires=5.0)
    task.add_callback(seen.append)
    timed.advance(4.9)
    assert task.state == core.QUEUED
    timed.advance(0.2)
    assert task.state == core.CANCELLED
    assert seen == [task]
    assert timed.run() == 0
    assert timed.ran == []
    totals = timed.engine.totals()
    assert (totals["expired"], totals["cancelled"], timed.engine.outstanding()) == (1, 1, 0)
    assert timed.engine.queued(timed.queue) == 0


def test_expired_is_seen_by_the_taker_too(timed: Rig) -> None:
    task = timed.engine.enqueue(timed.note, (1,), queue=timed.queue, expires=5.0)
    other = timed.engine.enqueue(timed.note, (2,), queue=timed.queue)
    timed.engine.set_now(1005.0)
    assert timed.run() == 1
    assert task.state == core.CANCELLED
    assert task.wait(0)
    assert other.state == core.COMPLETED
    assert timed.ran == [2]
    assert timed.engine.totals()["expired"] == 1
    assert timed.engine.drain(0)


def test_started_in_time_does_not_expire(timed: Rig) -> None:
    task = timed.engine.enqueue(timed.note, (1,), queue=timed.queue, expires=5.0)
    timed.run()
    timed.advance(60)
    assert task.state == core.COMPLETED
    assert timed.engine.totals()["expired"] == 0
    assert timed.engine.totals()["scheduled"] == 0


def test_expiry_ends_with_the_first_start(make_rig: Callable[..., Rig]) -> None:
    class Retrying(core.Engine):
        def _failed(self, task: Any, error: BaseException) -> Any:
            return 10.0 if task.attempt == 1 else None

    def fail() -> None:
        raise ValueError

    rig = make_rig(engine_type=Retrying)
    rig.engine.set_now(1000.0)
    task = rig.engine.enqueue(fail, queue=rig.queue, expires=5.0)
    rig.run()
    rig.advance(20)
    assert task.state == core.QUEUED
    rig.run()
    assert (task.state, task.attempt) == (core.FAILED, 2)


def test_delay_beyond_the_expiry_never_runs(timed: Rig) -> None:
    task = timed.engine.enqueue(timed.note, (1,), queue=timed.queue, delay=10.0, expires=5.0)
    timed.advance(11.0)
    timed.run()
    assert task.state == core.CANCELLED
    assert timed.ran == []
    assert timed.engine.totals()["expired"] == 1


def test_delay_then_expiry(timed: Rig) -> None:
    task = timed.engine.enqueue(timed.note, (1,), queue=timed.queue, delay=5.0, expires=10.0)
    timed.advance(6.0)
    assert task.state == core.QUEUED
    timed.advance(5.0)
    assert task.state == core.CANCELLED


def test_due_tasks_go_past_a_bound(timed: Rig) -> None:
    task = timed.engine.enqueue(timed.note, (1,), queue=timed.queue, lane=2, delay=1.0, limit=1)
    timed.engine.enqueue(timed.note, (2,), queue=timed.queue, lane=2, limit=1)
    timed.advance(2.0)
    assert task.state == core.QUEUED
    assert timed.engine.queued(timed.queue, 2) == 2


def test_keeper_wait_returns_for_a_timer(rig: Rig) -> None:
    rig.engine.enqueue(rig.note, (1,), queue=rig.queue, delay=0.02)
    start = time.monotonic()
    while not rig.engine.fire_due():
        assert time.monotonic() - start < SOON
        rig.engine.keeper_wait(SOON)
    assert time.monotonic() - start >= 0.015
    assert rig.run() == 1


def test_keeper_wait_returns_after_its_timeout(rig: Rig) -> None:
    start = time.monotonic()
    rig.engine.keeper_wait(0.03)
    assert 0.02 <= time.monotonic() - start < SOON


def waiting_keeper(rig: Rig) -> tuple[threading.Thread, threading.Event]:
    back = threading.Event()
    entered = threading.Event()

    def keep() -> None:
        entered.set()
        rig.engine.keeper_wait(60)
        back.set()

    thread = threading.Thread(target=keep)
    thread.start()
    assert entered.wait(SOON)
    return thread, back


@pytest.mark.parametrize("what", ["kick", "timer", "deadline", "clock"])
def test_what_wakes_a_keeper_that_sleeps(rig: Rig, what: str) -> None:
    thread, back = waiting_keeper(rig)
    gate = Gate()
    if what == "kick":
        eventually(lambda: (rig.engine.kick(), back.wait(0.01))[1])
    elif what == "timer":
        rig.engine.enqueue(rig.note, (1,), queue=rig.queue, delay=0.01)
    elif what == "clock":
        rig.engine.enqueue(rig.note, (1,), queue=rig.queue, delay=1000)
        eventually(lambda: (rig.engine.set_now(rig.engine.now() + 2000), back.wait(0.01))[1])
    else:
        rig.start(1)
        rig.engine.enqueue(gate, queue=rig.queue, timeout=0.01)
    assert back.wait(SOON), f"{what} did not wake the keeper"
    gate.open()
    thread.join(SOON)


def test_an_idle_keeper_sleeps_on(rig: Rig) -> None:
    thread, back = waiting_keeper(rig)
    rig.start(1)
    for n in range(100):
        assert rig.engine.enqueue(rig.note, (n,), queue=rig.queue).wait(SOON)
    assert not back.is_set()
    eventually(lambda: (rig.engine.kick(), back.wait(0.01))[1])
    thread.join(SOON)


def test_overdue_attempts_are_reported_until_they_end(rig: Rig) -> None:
    [worker] = rig.start(1)
    gate = Gate()
    rig.engine.set_now(1000.0)
    task = rig.engine.enqueue(gate, queue=rig.queue, timeout=5.0)
    gate.wait()
    assert rig.engine.overdue() == []
    rig.engine.set_now(1004.9)
    assert rig.engine.overdue() == []
    rig.engine.set_now(1005.0)
    assert rig.engine.overdue() == [(worker, task, 1)]
    assert rig.engine.overdue() == [(worker, task, 1)]
    assert rig.engine.extend(worker, 1, 2.0)
    assert rig.engine.overdue() == []
    rig.engine.set_now(1007.0)
    assert rig.engine.overdue() == [(worker, task, 1)]
    assert not rig.engine.extend(worker, 2, 2.0)
    gate.open()
    assert task.wait(SOON)
    eventually(lambda: rig.engine.overdue() == [])
    assert not rig.engine.extend(worker, 1, 2.0)


def test_the_deadline_counts_from_the_start_and_not_from_the_submit(timed: Rig) -> None:
    timed.engine.enqueue(timed.note, ("waits",), queue=timed.queue, timeout=5.0)
    timed.advance(100)
    assert timed.engine.overdue() == []
    assert timed.run() == 1


def test_deadline_of_a_task_on_the_calling_thread(timed: Rig) -> None:
    seen: list[Any] = []

    def look() -> None:
        timed.engine.set_now(timed.engine.now() + 6.0)
        seen.extend(timed.engine.overdue())

    task = timed.engine.enqueue(look, queue=timed.queue, timeout=5.0)
    timed.run()
    assert [(one, attempt) for _, one, attempt in seen] == [(task, 1)]
    assert timed.engine.overdue() == []


def test_timers_of_tasks_that_left_early_do_not_pile_up(timed: Rig) -> None:
    left = [timed.engine.enqueue(timed.note, (n,), queue=timed.queue, delay=1000.0 + n) for n in range(50)]
    for _ in range(5):
        gone = [timed.engine.enqueue(timed.note, (n,), queue=timed.queue, delay=500.0) for n in range(200)]
        gone += [timed.engine.enqueue(timed.note, (n,), queue=timed.queue, expires=500.0) for n in range(200)]
        assert all(task.withdraw() for task in gone)
    assert timed.engine.totals()["scheduled"] == 50
    assert timed.engine.delayed() == left
    timed.advance(2000.0)
    assert timed.run() == 50
    assert timed.ran == list(range(50))
