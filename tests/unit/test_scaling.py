"""Auto-scaling: when it grows, when it does not, when it shrinks. Measures and time are the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from brokerless import BackgroundTasks, scaling
from tests.unit.rig import SOON, Gate, eventually


class Measures:
    """What the scaler reads: cores used by the workers, and the time."""

    def __init__(self) -> None:
        self.cores = 0.0
        self.time = 10_000.0


@pytest.fixture
def measures(monkeypatch: pytest.MonkeyPatch) -> Iterator[Measures]:
    measures = Measures()

    class Meter:
        def __init__(self, *_: Any) -> None:
            pass

        def read(self, threads: Any) -> float:
            list(threads)
            return measures.cores

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return measures.time

    monkeypatch.setattr(scaling, "ThreadMeter", Meter)
    monkeypatch.setattr(scaling, "time", Clock)
    # Looks happen when the test says so.
    monkeypatch.setattr(scaling, "TICK", 1e6)
    return measures


def scaled(make_tasks: Callable[..., BackgroundTasks], least: int, most: int) -> tuple[BackgroundTasks, Any]:
    tasks = make_tasks(least, min_workers=least, max_workers=most)
    tasks.start()
    scaler: Any = tasks._scaler
    assert scaler is not None
    return tasks, scaler


def fill(tasks: BackgroundTasks, count: int) -> tuple[Gate, list[Any]]:
    """So many tasks that stay until the gate opens."""
    gate = Gate()
    return gate, [tasks.add_task(gate) for _ in range(count)]


def size(tasks: BackgroundTasks) -> int:
    return tasks.get_stats().total_workers


def test_it_grows_when_tasks_wait_and_workers_do_not_compute(
    make_tasks: Callable[..., BackgroundTasks], measures: Measures
) -> None:
    tasks, scaler = scaled(make_tasks, 1, 8)
    gate, handles = fill(tasks, 20)
    scaler._tick()
    assert size(tasks) == 2
    for _ in range(20):
        measures.time += 1.0
        scaler._tick()
    assert size(tasks) == 8, "it stops at max_workers"
    gate.open()
    for handle in handles:
        handle.result(SOON)


def test_it_does_not_grow_when_workers_compute(make_tasks: Callable[..., BackgroundTasks], measures: Measures) -> None:
    tasks, scaler = scaled(make_tasks, 1, 8)
    measures.cores = 0.9
    gate, _ = fill(tasks, 20)
    for _ in range(5):
        scaler._tick()
    assert size(tasks) == 1
    measures.cores = 0.79
    scaler._tick()
    assert size(tasks) == 2
    gate.open()


def test_it_does_not_grow_while_nothing_waits(make_tasks: Callable[..., BackgroundTasks], measures: Measures) -> None:
    tasks, scaler = scaled(make_tasks, 2, 8)
    gate, _ = fill(tasks, 2)
    gate.wait()
    eventually(lambda: tasks.get_stats().running_tasks == 2)
    for _ in range(5):
        scaler._tick()
    assert size(tasks) == 2
    gate.open()


def test_queue_wait_is_estimated_from_length_and_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "TICK", 0.1)
    wait = scaling.Scaler.queue_wait
    assert wait(0, 0) == 0.0
    assert wait(10, 100) == pytest.approx(0.01)
    assert wait(40, 100) < scaling.LONG_WAIT < wait(60, 100)
    assert wait(1, 0) > scaling.LONG_WAIT


def test_it_shrinks_after_thirty_idle_seconds(make_tasks: Callable[..., BackgroundTasks], measures: Measures) -> None:
    tasks, scaler = scaled(make_tasks, 1, 8)
    gate, handles = fill(tasks, 20)
    for _ in range(20):
        measures.time += 1.0
        scaler._tick()
    assert size(tasks) == 8
    gate.open()
    for handle in handles:
        handle.result(SOON)
    eventually(lambda: tasks.get_stats().running_tasks == 0)
    scaler._tick()
    measures.time += 29
    scaler._tick()
    assert size(tasks) == 8
    for _ in range(10):
        measures.time += 30
        scaler._tick()
    assert size(tasks) == 1, "it stops at min_workers"
    eventually(lambda: len([t for t in tasks.pools()[0].threads() if t.is_alive()]) == 1)
    assert tasks.add_task(abs, -1).result(SOON) == 1


def test_a_paused_engine_is_left_alone(make_tasks: Callable[..., BackgroundTasks], measures: Measures) -> None:
    tasks, scaler = scaled(make_tasks, 1, 8)
    tasks.pause()
    for _ in range(50):
        tasks.add_task(abs, -1)
    for _ in range(5):
        scaler._tick()
    assert size(tasks) == 1


@pytest.mark.parametrize(
    "arguments", [{"workers": 2}, {"workers": 2, "enable_auto_scaling": False}, {"workers": 3, "max_workers": 3}]
)
def test_without_room_there_is_no_scaling(make_tasks: Callable[..., BackgroundTasks], arguments: Any) -> None:
    assert make_tasks(**arguments)._scaler is None


def test_in_real_life_sleeping_tasks_get_more_workers(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1, max_workers=4)
    gate, handles = fill(tasks, 4)
    eventually(lambda: tasks.get_stats().running_tasks == 4)
    assert size(tasks) == 4
    gate.open()
    for handle in handles:
        handle.result(SOON)
