"""TaskResult: outcomes, waiting, times, retry(), queries by id, status and tags."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import (
    BackgroundTasks,
    BrokerlessError,
    TaskCancelledError,
    TaskExecutionError,
    TaskResult,
    TaskStateError,
    TaskStatus,
    TaskTimeoutError,
)
from tests.unit.rig import SOON, Gate


def fail(message: str = "broken") -> None:
    local_variable = [message]
    raise ValueError(*local_variable)


def test_a_handle_before_during_and_after(tasks: BackgroundTasks) -> None:
    before = time.time()
    gate = Gate()
    handle = tasks.add_task(gate, "value")
    assert isinstance(handle, TaskResult)
    gate.wait()
    assert handle.status is TaskStatus.RUNNING
    assert not handle.done()
    assert not handle.is_complete()
    assert not handle.is_successful()
    assert not handle.is_failed()
    assert handle.get_result() is None
    assert handle.get_error() is None
    assert handle.completed_at is None
    assert handle.execution_time_ms is None
    gate.open()
    assert handle.wait(SOON) == "value"
    assert handle.done()
    assert handle.is_complete()
    assert handle.is_successful()
    assert not handle.is_failed()
    assert before - 1 <= handle.created_at <= handle.started_at <= handle.completed_at <= time.time() + 1
    assert handle.execution_time_ms >= 0.0
    assert handle.attempts == 1
    assert handle.errors == []
    assert handle.retry_of is None
    assert handle.get_error() is None


def test_delayed_is_pending(tasks: BackgroundTasks) -> None:
    handle = tasks.add_task(abs, -1, delay_ms=60_000)
    assert handle.status is TaskStatus.PENDING
    assert handle.cancel()


def test_waiting_for_retry_is_pending(tasks: BackgroundTasks) -> None:
    gate = Gate()

    def fail_then_wait() -> None:
        gate.entered.set()
        raise ValueError

    handle = tasks.add_task(fail_then_wait, max_retries=100)
    gate.wait()
    statuses = set()
    deadline = time.monotonic() + SOON
    while TaskStatus.PENDING not in statuses and time.monotonic() < deadline:
        statuses.add(handle.status)
    assert statuses <= {TaskStatus.PENDING, TaskStatus.RUNNING}
    assert TaskStatus.PENDING in statuses
    handle.cancel()


def test_failure(tasks: BackgroundTasks) -> None:
    handle = tasks.add_task(fail, max_retries=0)
    with pytest.raises(TaskExecutionError, match="broken") as caught:
        handle.wait(SOON)
    error = handle.get_error()
    assert isinstance(error, ValueError)
    assert caught.value.__cause__ is error
    assert caught.value.task_id == handle.task_id
    assert handle.task_id in str(caught.value)
    assert isinstance(caught.value, BrokerlessError)
    assert handle.status is TaskStatus.FAILED
    assert handle.is_failed()
    assert not handle.is_successful()
    assert handle.errors == [error]
    with pytest.raises(TaskExecutionError):
        handle.get_result()


def test_frames_are_cleared_and_line_numbers_stay(tasks: BackgroundTasks) -> None:
    handle = tasks.add_task(fail, max_retries=0)
    with pytest.raises(TaskExecutionError):
        handle.wait(SOON)
    assert tasks.drain(SOON)
    error = handle.get_error()
    assert error is not None
    summary = traceback.extract_tb(error.__traceback__)
    assert summary[-1].name == "fail"
    assert summary[-1].line == "raise ValueError(*local_variable)"
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_name == "fail"]
    assert frames
    assert all("local_variable" not in frame.f_locals for frame in frames)


def test_waiting_too_short(tasks: BackgroundTasks) -> None:
    gate = Gate()
    handle = tasks.add_task(gate, 1)
    for wait in (handle.wait, handle.result):
        with pytest.raises(TaskTimeoutError) as caught:
            wait(0.01)
        assert isinstance(caught.value, TimeoutError)
        assert isinstance(caught.value, BrokerlessError)
    gate.open()
    assert handle.wait() == 1


def test_cancelled_raises(tasks: BackgroundTasks) -> None:
    handle = tasks.add_task(abs, -1, delay_ms=60_000)
    handle.cancel()
    for outcome in (handle.wait, handle.result, handle.get_result):
        with pytest.raises(TaskCancelledError):
            outcome()
    assert isinstance(handle.get_error(), TaskCancelledError)


def test_awaitable(tasks: BackgroundTasks) -> None:
    gate = Gate()
    slow = tasks.add_task(gate, "slow")
    failing = tasks.add_task(fail, max_retries=0)

    async def main() -> list[Any]:
        asyncio.get_running_loop().call_soon(gate.open)
        first = await slow
        again = await slow
        with pytest.raises(TaskExecutionError):
            await failing
        both = await asyncio.gather(tasks.add_task(abs, -1), tasks.add_task(abs, -2))
        return [first, again, both]

    assert asyncio.run(main()) == ["slow", "slow", [1, 2]]


def test_cancelling_an_await_leaves_the_task(tasks: BackgroundTasks) -> None:
    gate = Gate()
    handle = tasks.add_task(gate, "value")

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_await(handle), 0.01)

    asyncio.run(main())
    gate.open()
    assert handle.result(SOON) == "value"


async def _await(handle: TaskResult) -> Any:
    return await handle


def test_retry_gives_a_new_handle(tasks: BackgroundTasks) -> None:
    outcomes: list[Any] = [ValueError("first"), "second"]

    def next_outcome(name: str) -> Any:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return name, outcome

    handle = tasks.add_task(next_outcome, "x", max_retries=0, tags=["a"], metadata={"k": 1}, priority="high")
    with pytest.raises(TaskExecutionError):
        handle.result(SOON)
    again = handle.retry()
    assert again is not handle
    assert again.task_id != handle.task_id
    assert again.retry_of is handle
    assert again.result(SOON) == ("x", "second")
    assert (again.tags, again.metadata, again.priority) == (("a",), {"k": 1}, handle.priority)
    assert handle.status is TaskStatus.FAILED


def test_retry_with_delay_and_retries(tasks: BackgroundTasks) -> None:
    handle = tasks.add_task(fail, max_retries=0)
    with pytest.raises(TaskExecutionError):
        handle.result(SOON)
    again = handle.retry(max_retries=1, delay_ms=1)
    with pytest.raises(TaskExecutionError):
        again.result(SOON)
    assert again.attempts == 2


def test_retry_of_a_cancelled_task(tasks: BackgroundTasks) -> None:
    handle = tasks.add_task(abs, -5, delay_ms=60_000)
    handle.cancel()
    assert handle.retry().result(SOON) == 5


@pytest.mark.parametrize("state", ["completed", "running", "delayed"])
def test_retry_needs_a_failed_or_cancelled_task(tasks: BackgroundTasks, state: str) -> None:
    gate = Gate()
    if state == "delayed":
        handle = tasks.add_task(abs, -1, delay_ms=60_000)
    else:
        handle = tasks.add_task(gate, 1)
        gate.wait()
        if state == "completed":
            gate.open()
            handle.result(SOON)
    with pytest.raises(TaskStateError):
        handle.retry()
    gate.open()
    handle.cancel()


@pytest.mark.parametrize("arguments", [{"max_retries": -1}, {"max_retries": "x"}, {"delay_ms": -1}])
def test_retry_checks_its_arguments(tasks: BackgroundTasks, arguments: dict[str, Any]) -> None:
    handle = tasks.add_task(fail, max_retries=0)
    with pytest.raises(TaskExecutionError):
        handle.result(SOON)
    with pytest.raises((TypeError, ValueError)):
        handle.retry(**arguments)


def test_queries(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    done = tasks.add_task(abs, -1, tags=["a", "b"])
    failed = tasks.add_task(fail, max_retries=0, tags=["a"], priority="high")
    waiting = tasks.add_task(abs, -1, delay_ms=60_000, tags=["b"], priority="low")
    assert done.result(SOON) == 1
    with pytest.raises(TaskExecutionError):
        failed.result(SOON)
    assert tasks.get_tasks() == [waiting, failed, done]
    assert tasks.get_tasks(limit=2) == [waiting, failed]
    assert tasks.get_tasks(status="completed") == [done]
    assert tasks.get_tasks(status=TaskStatus.FAILED) == [failed]
    assert tasks.get_tasks(status="PENDING") == [waiting]
    assert tasks.get_tasks(priority="high") == [failed]
    assert tasks.get_tasks(tags=["a"]) == [failed, done]
    assert tasks.get_tasks(tags=["a", "b"]) == [done]
    assert tasks.get_tasks(tags="b", status="pending") == [waiting]
    assert (tasks.count_tasks(), tasks.count_tasks(tags="a"), tasks.count_tasks("running")) == (3, 2, 0)
    assert tasks.get_task_by_id(done.task_id) is done
    assert tasks.get_task_by_id("0" * 32) is None
    assert tasks.get_task_result(done) == tasks.get_task_result(done.task_id) == 1
    assert tasks.get_task_result(waiting) is None
    with pytest.raises(KeyError):
        tasks.get_task_result("0" * 32)
    for wrong in ({"status": "done"}, {"priority": "urgent"}, {"limit": -1}, {"tags": 5}):
        with pytest.raises((TypeError, ValueError)):
            tasks.get_tasks(**wrong)


def test_by_default_a_hundred_tasks_are_listed(tasks: BackgroundTasks) -> None:
    tasks.add_batch([{"func": abs, "args": (n,)} for n in range(150)])
    assert len(tasks.get_tasks()) == 100
    assert len(tasks.get_tasks(limit=None)) == 150
    assert tasks.drain(SOON)


def test_results_leave_by_count(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1, result_max=5)
    handles = [tasks.add_task(abs, n) for n in range(20)]
    assert tasks.drain(SOON)
    assert tasks.count_tasks() == 5
    assert tasks.get_task_by_id(handles[0].task_id) is None
    assert handles[0].result(0) == 0
    assert tasks.get_task_by_id(handles[-1].task_id) is handles[-1]


def test_results_leave_by_age(make_tasks: Callable[..., BackgroundTasks]) -> None:
    from brokerless import ManualClock

    tasks = make_tasks(1, result_ttl=60.0)
    tasks.clock = clock = ManualClock()
    handle = tasks.add_task(abs, -1)
    assert handle.result(SOON) == 1
    assert tasks.drain(SOON)
    clock.advance(59)
    assert tasks.count_tasks() == 1
    clock.advance(2)
    assert tasks.count_tasks() == 0
