"""`shutdown()`: what it waits for, what it cancels, and that nothing is left after it."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import BackgroundTasks, TaskCancelledError, TaskStatus
from tests.unit.rig import SOON, Gate, eventually


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("brokerless")]


def test_shutdown_waits_for_the_work(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    done: list[int] = []
    for n in range(500):
        tasks.add_task(done.append, n)
    assert tasks.shutdown() is True
    assert done == list(range(500))
    assert ours() == []
    assert tasks.shutdown() is True, "it may be called again"


def test_shutdown_cancels_what_has_not_started(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    gate = Gate()
    running = tasks.add_task(gate, "finished")
    gate.wait()
    waiting = [tasks.add_task(abs, n) for n in range(5)]
    delayed = tasks.add_task(abs, -1, delay_ms=60_000)
    closing = threading.Thread(target=lambda: tasks.shutdown(cancel_pending=True))
    closing.start()
    for handle in [*waiting, delayed]:
        with pytest.raises(TaskCancelledError):
            handle.result(SOON)
    gate.open()
    closing.join(SOON)
    assert running.result(SOON) == "finished"
    assert ours() == []


def test_shutdown_gives_up_after_its_timeout(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    gate = Gate()
    running = tasks.add_task(gate, "late", timeout_ms=None)
    gate.wait()
    waiting = tasks.add_task(abs, -1)
    assert tasks.shutdown(timeout=0.05) is False
    assert waiting.status is TaskStatus.CANCELLED
    gate.open()
    assert running.result(SOON) == "late"


def test_shutdown_without_waiting_works_the_queue_off(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    gate = Gate()
    tasks.add_task(gate)
    gate.wait()
    handles = [tasks.add_task(abs, -n) for n in range(20)]
    delayed = tasks.add_task(abs, -1, delay_ms=60_000)
    assert tasks.shutdown(wait_for_completion=False) is False
    assert delayed.status is TaskStatus.CANCELLED
    gate.open()
    assert [handle.result(SOON) for handle in handles] == list(range(20))


def test_shutdown_from_a_task(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(2)
    handle = tasks.add_task(tasks.shutdown)
    handle.result(SOON)
    assert tasks.closed


def test_context_manager(make_tasks: Callable[..., BackgroundTasks]) -> None:
    with make_tasks(1) as tasks:
        handles = [tasks.add_task(abs, -n) for n in range(50)]
    assert [handle.status for handle in handles] == [TaskStatus.COMPLETED] * 50
    with pytest.raises(KeyError), make_tasks(1) as failing:
        left = failing.add_task(abs, -1, delay_ms=60_000)
        raise KeyError
    assert left.status is TaskStatus.CANCELLED
    assert ours() == []


def test_paused_engine_can_be_shut_down(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    tasks.pause()
    handle = tasks.add_task(abs, -1)
    assert tasks.shutdown() is True
    assert handle.result(0) == 1


def test_a_finished_engine_is_freed(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = BackgroundTasks(2)
    tasks.add_task(abs, -1).result(SOON)
    tasks.chain_tasks([lambda: 1, str]).result(SOON)
    tasks.shutdown()
    gone = weakref.ref(tasks)
    del tasks
    # without a GIL, what a thread let go of may be counted only once it has ended
    eventually(lambda: gc.collect() >= 0 and gone() is None, "the engine is still there")


@pytest.mark.parametrize(
    ("wrong", "error"), [("5", TypeError), (True, TypeError), (-1, ValueError), (float("nan"), ValueError)]
)
def test_a_wrong_time_is_named_and_ends_nothing(
    make_tasks: Callable[..., BackgroundTasks], wrong: Any, error: type[Exception]
) -> None:
    tasks = make_tasks(1)
    with tasks.subscribe() as events:
        for wait in (tasks.drain, tasks.settle, events.get, lambda timeout: tasks.shutdown(timeout=timeout)):
            with pytest.raises(error, match=f"timeout={wrong!r}: expected a number of seconds not below 0, or None"):
                wait(wrong)
    assert tasks.add_task(abs, -1).result(SOON) == 1


def test_a_wrong_clock_is_named(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    with pytest.raises(TypeError, match="clock=5: expected a ManualClock"):
        tasks.clock = 5  # type: ignore[assignment]
    assert tasks.add_task(abs, -1, delay_ms=1).result(SOON) == 1
