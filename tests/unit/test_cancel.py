"""cancel(): before the start, of a running task, with an interrupt."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import (
    BackgroundTasks,
    CancelInterrupt,
    TaskCancelledError,
    TaskExecutionError,
    TaskStatus,
    current_task,
)
from tests.unit.rig import SOON, Gate, eventually, spin


def test_cancelled_before_the_start_it_never_runs(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    gate = Gate()
    tasks.add_task(gate)
    gate.wait()
    ran: list[int] = []
    handles = [tasks.add_task(ran.append, n) for n in range(10)]
    assert all(handle.cancel() is True for handle in handles[::2])
    assert handles[0].cancel() is False
    gate.open()
    assert tasks.drain(SOON)
    assert ran == [1, 3, 5, 7, 9]
    assert {handle.status for handle in handles[::2]} == {TaskStatus.CANCELLED}
    assert tasks.get_stats().cancelled_tasks == 5


def test_a_running_task_is_asked(tasks: BackgroundTasks) -> None:
    entered = threading.Event()

    def cooperative() -> str:
        task = current_task()
        assert task is not None
        assert not task.is_cancelled()
        entered.set()
        deadline = time.monotonic() + SOON
        while not task.is_cancelled() and time.monotonic() < deadline:
            pass
        return "stopped"

    handle = tasks.add_task(cooperative)
    assert entered.wait(SOON)
    assert handle.cancel() is False
    assert handle.result(SOON) == "stopped"
    assert handle.status is TaskStatus.COMPLETED


def test_a_task_that_says_it_was_cancelled_is(tasks: BackgroundTasks) -> None:
    gate = Gate()

    def stop() -> None:
        gate()
        raise TaskCancelledError("as you wish")

    handle = tasks.add_task(stop)
    gate.wait()
    handle.cancel()
    gate.open()
    with pytest.raises(TaskCancelledError, match="as you wish"):
        handle.result(SOON)
    assert handle.status is TaskStatus.CANCELLED


def test_no_retry_follows_a_cancel(tasks: BackgroundTasks) -> None:
    gate = Gate()

    def fail() -> None:
        gate()
        raise ValueError

    handle = tasks.add_task(fail, max_retries=5)
    gate.wait()
    handle.cancel()
    gate.open()
    with pytest.raises(TaskExecutionError):
        handle.result(SOON)
    assert handle.attempts == 1


def test_interrupting_a_running_task(tasks: BackgroundTasks) -> None:
    entered = threading.Event()
    cleaned = threading.Event()

    def loop() -> None:
        try:
            entered.set()
            spin()
        finally:
            cleaned.set()

    handle = tasks.add_task(loop)
    assert entered.wait(SOON)
    assert handle.cancel(interrupt=True) is False
    with pytest.raises(TaskCancelledError):
        handle.result(SOON)
    assert cleaned.is_set()
    assert handle.attempts == 1
    assert tasks.add_task(abs, -1).result(SOON) == 1


def test_except_exception_does_not_swallow_the_interrupt(tasks: BackgroundTasks) -> None:
    entered = threading.Event()

    def stubborn() -> str:
        try:
            entered.set()
            spin()
        except Exception:
            return "swallowed"
        return "ran out"

    handle = tasks.add_task(stubborn)
    assert entered.wait(SOON)
    handle.cancel(interrupt=True)
    with pytest.raises(TaskCancelledError):
        handle.result(SOON)


def test_a_task_may_survive_its_interrupt(tasks: BackgroundTasks) -> None:
    entered = threading.Event()

    def survivor() -> str:
        try:
            entered.set()
            spin()
        except CancelInterrupt:
            return "survived"
        return "ran out"

    handle = tasks.add_task(survivor)
    assert entered.wait(SOON)
    handle.cancel(interrupt=True)
    assert handle.result(SOON) == "survived"


def test_interrupting_a_coroutine(tasks: BackgroundTasks) -> None:
    entered = threading.Event()
    cleaned = threading.Event()

    async def forever() -> None:
        try:
            entered.set()
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    handle = tasks.add_task(forever)
    assert entered.wait(SOON)
    assert handle.cancel(interrupt=True) is False
    with pytest.raises(TaskCancelledError):
        handle.result(SOON)
    assert cleaned.wait(SOON)
    assert handle.status is TaskStatus.CANCELLED


def test_cancel_after_the_end_changes_nothing(tasks: BackgroundTasks) -> None:
    handle = tasks.add_task(abs, -1)
    assert handle.result(SOON) == 1
    assert handle.cancel() is False
    assert handle.cancel(interrupt=True) is False
    assert handle.result(0) == 1


def test_cancel_while_waiting_for_the_retry(tasks: BackgroundTasks) -> None:
    calls: list[Any] = []

    def fail() -> None:
        calls.append(1)
        raise ValueError

    handle = tasks.add_task(fail, max_retries=1000)
    eventually(lambda: handle.cancel(), "to be between two attempts")
    assert handle.status is TaskStatus.CANCELLED
    count = len(calls)
    assert tasks.drain(SOON)
    assert len(calls) == count
