"""What goes wrong around the engine: threads that do not start, interrupts amid its own calls, full pools."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import brokerless
from brokerless import BackgroundTasks, BrokerlessError, TaskStatus
from tests.unit.rig import SOON, Gate, eventually, spin


class FailingStarts:
    """The n-th start of a thread with this name fails, as when the system has no more of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, *which: int) -> None:
        self.seen = 0
        real = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            if thread.name.startswith(name):
                self.seen += 1
                if self.seen in which:
                    raise RuntimeError("can't start new thread")
            real(thread)

        monkeypatch.setattr(threading.Thread, "start", start)


@pytest.mark.parametrize("which", [1, 2])
def test_one_worker_thread_does_not_start(
    make_tasks: Callable[..., BackgroundTasks],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    which: int,
) -> None:
    starts = FailingStarts(monkeypatch, "brokerless-worker", which)
    tasks = make_tasks(3)
    with caplog.at_level(logging.ERROR, "brokerless"):
        handles = [tasks.add_task(abs, -n) for n in range(100)]
        if which > 1:
            assert [handle.result(SOON) for handle in handles] == list(range(100))
    assert starts.seen >= which
    assert "cannot start" in caplog.text
    tasks.pools()[0].resize(4)
    assert [handle.result(SOON) for handle in handles] == list(range(100))
    assert tasks.drain(SOON)


def test_the_keeper_thread_does_not_start(
    make_tasks: Callable[..., BackgroundTasks], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    FailingStarts(monkeypatch, "brokerless-keeper", 1)
    tasks = make_tasks(1)
    with caplog.at_level(logging.ERROR, "brokerless"):
        assert tasks.add_task(abs, -1).result(SOON) == 1
    assert "keeper" in caplog.text


def test_the_event_loop_thread_does_not_start(
    make_tasks: Callable[..., BackgroundTasks], monkeypatch: pytest.MonkeyPatch
) -> None:
    FailingStarts(monkeypatch, "brokerless-eventloop", 1)
    tasks = make_tasks(1)

    async def later() -> str:
        return "ran"

    try:
        first: Any = tasks.add_task(later)
    except RuntimeError:
        first = None
    second = tasks.add_task(later)
    assert second.result(SOON) == "ran"
    if first is not None:
        assert first.result(SOON) == "ran"


@pytest.fixture
def quiet_finalizers() -> Iterator[None]:
    hook = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: None
    yield
    sys.unraisablehook = hook


def test_interrupts_of_tasks_that_submit_leave_the_engine_whole(
    make_tasks: Callable[..., BackgroundTasks], quiet_finalizers: None
) -> None:
    tasks = make_tasks(2, queue_size=None, result_max=None)

    def busy() -> None:
        while True:
            tasks.add_task(abs, -1)
            tasks.add_task(abs, -2, priority="low", tags=["a"], delay_ms=60_000).cancel()
            tasks.add_batch([{"func": abs, "args": (-3,)}] * 2)
            spin(0.001)  # code of its own, where the interrupt may land

    for _ in range(10):
        handle = tasks.add_task(busy, timeout_ms=40, max_retries=0)
        with pytest.raises(brokerless.TaskExecutionError):
            handle.result(SOON)
        eventually(lambda: tasks.get_stats().running_tasks == tasks.get_stats().stuck_workers == 0)
    for task in tasks.get_tasks(status="pending", limit=None):
        if task.due_at is not None:
            task.cancel()  # its own cancel() was what the interrupt hit
    assert tasks.drain(SOON)
    stats = tasks.get_stats()
    assert stats.queued_tasks == stats.running_tasks == stats.delayed_tasks == 0
    assert stats.total_workers == 2
    assert tasks.count_tasks() == stats.tasks_processed


def test_a_full_pool_of_tasks_that_wait_for_others_goes_on(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(2)
    handles = [tasks.add_task(lambda n=n: tasks.add_task(abs, -n).result(SOON)) for n in range(20)]
    assert [handle.result(SOON) for handle in handles] == list(range(20))
    assert tasks.get_stats().total_workers >= 2


def test_limits_need_no_timer_each(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    tasks.pause()
    for n in range(100):
        tasks.add_task(abs, n, timeout_ms=5000)
    assert tasks.totals()["scheduled"] == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the kernel's counts of switches")
def test_an_idle_engine_does_not_wake_up(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(2, max_workers=4)
    tasks.add_batch([{"func": abs, "args": (n,)} for n in range(100)])
    assert tasks.drain(SOON)

    def switches() -> int:
        total = 0
        for thread in threading.enumerate():
            if thread.name.startswith("brokerless"):
                with open(f"/proc/self/task/{thread.native_id}/status", encoding="ascii") as status:
                    total += sum(int(line.split()[1]) for line in status if line.startswith("voluntary"))
        return total

    pause = threading.Event()

    def idle() -> bool:
        before = switches()
        pause.wait(0.4)  # the time that is observed
        return switches() == before

    eventually(idle, "a while without any wake-up")


def test_one_base_for_all_errors() -> None:
    for name in (
        "TaskTimeoutError",
        "TaskExecutionError",
        "TaskCancelledError",
        "QueueFull",
        "EngineShutdown",
        "TaskStateError",
        "TimeLimitExceeded",
    ):
        assert issubclass(getattr(brokerless, name), BrokerlessError), name
    assert issubclass(brokerless.TaskTimeoutError, TimeoutError)
    for name in ("TaskInterrupt", "CancelInterrupt", "TimeLimitInterrupt"):
        assert not issubclass(getattr(brokerless, name), Exception), name


def test_a_task_that_shuts_others_out_does_not_stop_critical_ones(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    gates = [Gate() for _ in range(2)]
    tasks.add_task(gates[0])
    gates[0].wait()
    first = tasks.add_task(gates[1], priority="critical")
    gates[1].wait()
    second = tasks.add_task(abs, -1, priority="critical")
    assert second.status is TaskStatus.PENDING, "there is one reserved worker, not one for each"
    for gate in gates:
        gate.open()
    assert first.result(SOON) is None
    assert second.result(SOON) == 1
