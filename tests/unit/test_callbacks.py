"""on_success and on_error: once, where, with what; a failing callback; drain waits for them."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from brokerless import BackgroundTasks, TaskCancelledError, TaskExecutionError
from tests.unit.rig import SOON, Gate


def fail() -> None:
    raise ValueError("broken")


def test_success_callbacks_get_the_value_on_the_finishing_worker(tasks: BackgroundTasks) -> None:
    gate = Gate()
    seen: list[Any] = []
    handle = tasks.add_task(lambda: (gate(), threading.current_thread())[1])
    assert handle.on_success(lambda value: seen.append((value, threading.current_thread()))) is handle
    handle.on_success(lambda value: seen.append("second")).on_error(lambda error: seen.append(error))
    gate.open()
    assert tasks.drain(SOON)
    assert len(seen) == 2
    assert seen[0][0] is seen[0][1]
    assert seen[1] == "second"


def test_error_callbacks_get_the_exception_once_retries_are_used_up(tasks: BackgroundTasks) -> None:
    seen: list[Any] = []
    handle = tasks.add_task(fail, max_retries=1)
    handle.on_error(seen.append).on_success(seen.append)
    with pytest.raises(TaskExecutionError):
        handle.result(SOON)
    assert tasks.drain(SOON)
    assert seen == [handle.get_error()]
    assert handle.attempts == 2


def test_cancelled_tasks_call_on_error_with_the_cancellation(tasks: BackgroundTasks) -> None:
    seen: list[Any] = []
    handle = tasks.add_task(abs, -1, delay_ms=60_000)
    handle.on_error(seen.append).on_success(seen.append)
    handle.cancel()
    assert len(seen) == 1
    assert isinstance(seen[0], TaskCancelledError)


def test_added_late_they_run_at_once_in_the_caller(tasks: BackgroundTasks) -> None:
    seen: list[Any] = []
    good, bad = tasks.add_task(abs, -1), tasks.add_task(fail, max_retries=0)
    assert tasks.drain(SOON)
    good.on_success(lambda value: seen.append((value, threading.current_thread()))).on_error(seen.append)
    bad.on_error(lambda error: seen.append((str(error), threading.current_thread()))).on_success(seen.append)
    here = threading.current_thread()
    assert seen == [(1, here), ("broken", here)]


def test_each_runs_exactly_once_however_late(tasks: BackgroundTasks) -> None:
    for _ in range(300):
        seen: list[int] = []
        handle = tasks.add_task(abs, -1)
        for _ in range(3):
            handle.on_success(seen.append)
        assert tasks.drain(SOON)
        assert seen == [1, 1, 1]


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_failing_callback_is_logged_and_harms_nobody(
    tasks: BackgroundTasks, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    def broken(value: Any) -> None:
        raise error("in the callback")

    seen: list[Any] = []
    gate = Gate()
    handle = tasks.add_task(gate, 5)
    handle.on_success(broken).on_success(seen.append)
    with caplog.at_level(logging.ERROR, "brokerless"):
        gate.open()
        assert tasks.drain(SOON)
        handle.on_success(broken)
    assert seen == [5]
    assert handle.result(0) == 5
    records = [record for record in caplog.records if handle.task_id in record.getMessage()]
    assert len(records) == 2
    assert all(record.name.startswith("brokerless") for record in records)
    assert tasks.add_task(abs, -1).result(SOON) == 1


def test_drain_waits_for_callbacks(tasks: BackgroundTasks) -> None:
    gate = Gate()
    handle = tasks.add_task(abs, -1, delay_ms=5)
    handle.on_success(gate)
    gate.wait()
    assert handle.done()
    assert not tasks.drain(0.02)
    gate.open()
    assert tasks.drain(SOON)


def test_callbacks_may_submit_and_wait(tasks: BackgroundTasks) -> None:
    results: list[Any] = []
    gate = Gate()
    handle = tasks.add_task(gate, 3)
    handle.on_success(lambda value: results.append(tasks.add_task(pow, value, 2).result(SOON)))
    gate.open()
    assert tasks.drain(SOON)
    assert results == [9]


@pytest.mark.parametrize("wrong", [None, "text", 5])
def test_only_functions(tasks: BackgroundTasks, wrong: Any) -> None:
    handle = tasks.add_task(abs, -1)
    with pytest.raises(TypeError):
        handle.on_success(wrong)
    with pytest.raises(TypeError):
        handle.on_error(wrong)
