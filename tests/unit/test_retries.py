"""Automatic retries: their number, their delays, the same id; expiry; delays by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from brokerless import BackgroundTasks, ManualClock, TaskExecutionError, TaskStatus, current_task
from brokerless.retries import backoff
from tests.unit.rig import SOON, Gate, eventually


@pytest.fixture
def timed(make_tasks: Callable[..., BackgroundTasks]) -> tuple[BackgroundTasks, ManualClock]:
    tasks = make_tasks(1)
    clock = ManualClock()
    tasks.clock = clock
    return tasks, clock


class Failing:
    """Fails so many times, then returns the number of calls."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.ids: list[str] = []
        self.attempts: list[int] = []

    def __call__(self) -> int:
        task = current_task()
        assert task is not None
        self.ids.append(task.task_id)
        self.attempts.append(task.attempt)
        if len(self.ids) <= self.times:
            raise ValueError(f"call {len(self.ids)}")
        return len(self.ids)


def test_retries_until_it_succeeds(tasks: BackgroundTasks) -> None:
    failing = Failing(2)
    handle = tasks.add_task(failing)
    assert handle.result(SOON) == 3
    assert handle.attempts == 3
    assert failing.attempts == [1, 2, 3]
    assert set(failing.ids) == {handle.task_id}
    assert [str(error) for error in handle.errors] == ["call 1", "call 2"]
    assert handle.get_error() is None
    stats = tasks.get_stats()
    assert (stats.retried_tasks, stats.completed_tasks, stats.failed_tasks) == (2, 1, 0)


def test_the_error_belongs_to_the_outcome(timed: tuple[BackgroundTasks, ManualClock]) -> None:
    """What earlier attempts raised is in `errors`."""
    tasks, clock = timed
    handle = tasks.add_task(Failing(1))
    eventually(lambda: handle.attempts == 1 and handle.status is TaskStatus.PENDING)
    assert (handle.error, handle.get_error()) == (None, None)
    assert [str(error) for error in handle.errors] == ["call 1"]
    clock.advance(60)
    assert handle.result(SOON) == 2
    assert handle.error is None and len(handle.errors) == 1

    cancelled = tasks.add_task(Failing(1))
    eventually(lambda: cancelled.attempts == 1 and cancelled.status is TaskStatus.PENDING)
    assert cancelled.cancel() and cancelled.error is None and len(cancelled.errors) == 1


def test_three_retries_by_default(timed: tuple[BackgroundTasks, ManualClock]) -> None:
    tasks, clock = timed
    failing = Failing(100)
    handle = tasks.add_task(failing)
    for attempt in range(1, 4):
        eventually(lambda attempt=attempt: handle.attempts == attempt and handle.status is TaskStatus.PENDING)
        clock.advance(60)
    with pytest.raises(TaskExecutionError) as caught:
        handle.result(SOON)
    assert handle.attempts == 4
    assert [str(error) for error in handle.errors] == ["call 1", "call 2", "call 3", "call 4"]
    assert caught.value.__cause__ is handle.errors[-1]


def test_no_retry_when_none_is_wanted(tasks: BackgroundTasks) -> None:
    failing = Failing(1)
    with pytest.raises(TaskExecutionError):
        tasks.add_task(failing, max_retries=0).result(SOON)
    assert failing.attempts == [1]


def test_delays_double_up_to_a_minute_with_a_random_part() -> None:
    for failures, longest in ((0, 0.1), (1, 0.2), (2, 0.4), (5, 3.2), (9, 51.2), (10, 60.0), (50, 60.0), (5000, 60.0)):
        delays = [backoff(failures) for _ in range(200)]
        assert longest * 0.5 <= min(delays) < longest * 0.6
        assert longest * 0.9 < max(delays) <= longest


def test_the_delay_of_a_retry_follows_that_rule(timed: tuple[BackgroundTasks, ManualClock]) -> None:
    tasks, clock = timed
    handle = tasks.add_task(Failing(100), max_retries=5)
    for longest in (0.1, 0.2, 0.4, 0.8):
        due = eventually(lambda: handle.due_at)
        delay = due - handle.created_at - (clock.now() - 1000.0)
        assert longest * 0.49 <= delay <= longest * 1.01
        attempts = handle.attempts
        clock.advance(longest * 0.49)
        assert handle.status is TaskStatus.PENDING
        clock.advance(longest)
        eventually(lambda attempts=attempts: handle.attempts > attempts)
    handle.cancel()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_requests_to_end_are_not_retried(tasks: BackgroundTasks, error: type[BaseException]) -> None:
    def fail() -> None:
        raise error("end")

    handle = tasks.add_task(fail, max_retries=5)
    with pytest.raises(TaskExecutionError) as caught:
        handle.result(SOON)
    assert isinstance(caught.value.__cause__, error)
    assert handle.attempts == 1
    assert tasks.add_task(abs, -1).result(SOON) == 1


@pytest.mark.parametrize("error", [RecursionError, MemoryError])
def test_resource_errors_fail_the_task_and_not_the_worker(tasks: BackgroundTasks, error: type[Exception]) -> None:
    def fail() -> None:
        raise error

    handle = tasks.add_task(fail, max_retries=0)
    with pytest.raises(TaskExecutionError) as caught:
        handle.result(SOON)
    assert isinstance(caught.value.__cause__, error)
    assert tasks.add_task(abs, -1).result(SOON) == 1
    assert tasks.get_stats().stuck_workers == 0


def test_delay(timed: tuple[BackgroundTasks, ManualClock]) -> None:
    tasks, clock = timed
    handle = tasks.add_task(abs, -1, delay_ms=1500)
    assert tasks.get_stats().delayed_tasks == 1
    clock.advance(1.4)
    assert handle.status is TaskStatus.PENDING
    assert tasks.get_stats().queued_tasks == 0
    clock.advance(0.2)
    assert handle.result(SOON) == 1


def test_expiry_while_waiting(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    gate = Gate()
    tasks.add_task(gate, timeout_ms=None)
    gate.wait()
    tasks.clock = clock = ManualClock(tasks.now())
    ran: list[Any] = []
    handle = tasks.add_task(ran.append, 1, expires_ms=1000)
    clock.advance(0.9)
    assert handle.status is TaskStatus.PENDING
    clock.advance(0.2)
    assert handle.status is TaskStatus.CANCELLED
    gate.open()
    assert tasks.drain(SOON)
    assert ran == []
    assert tasks.get_stats().expired_tasks == 1


def test_expiry_does_not_touch_what_has_started(timed: tuple[BackgroundTasks, ManualClock]) -> None:
    tasks, clock = timed
    gate = Gate()
    handle = tasks.add_task(gate, "value", expires_ms=1000, timeout_ms=None)
    gate.wait()
    clock.advance(5)
    gate.open()
    assert handle.result(SOON) == "value"


def test_delay_in_real_time(tasks: BackgroundTasks) -> None:
    handle = tasks.add_task(abs, -1, delay_ms=20)
    assert handle.result(SOON) == 1
    assert handle.started_at - handle.created_at >= 0.019
