"""Callbacks, hooks and what drain() waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import core
from tests.unit.rig import SOON, Gate, Rig


def test_callbacks_run_once_in_order_on_the_finishing_thread(rig: Rig) -> None:
    rig.start(1)
    gate = Gate()
    seen: list[Any] = []
    task = rig.engine.enqueue(gate, ("value",), queue=rig.queue)
    for name in "abc":
        assert task.add_callback(lambda t, name=name: seen.append((name, t.value, threading.current_thread())))
    gate.wait()
    assert seen == []
    gate.open()
    assert rig.engine.drain(SOON)
    assert seen == [(name, "value", rig.threads[0]) for name in "abc"]


def test_a_late_callback_is_the_callers(rig: Rig) -> None:
    task = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    rig.run()
    assert not task.add_callback(rig.note)
    assert rig.ran == [1]


def test_callbacks_of_a_withdrawn_task_run_on_the_caller(rig: Rig) -> None:
    seen: list[Any] = []
    task = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    task.add_callback(lambda t: seen.append((t.state, threading.current_thread())))
    task.withdraw()
    assert seen == [(core.CANCELLED, threading.current_thread())]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_failing_callback_harms_nobody(rig: Rig, error: type[BaseException]) -> None:
    rig.start(1)
    seen: list[Any] = []

    def fail(_: Any) -> None:
        raise error("callback")

    gate = Gate()
    task = rig.engine.enqueue(gate, queue=rig.queue)
    task.add_callback(fail)
    task.add_callback(seen.append)
    gate.open()
    assert rig.engine.drain(SOON)
    assert task.state == core.COMPLETED
    assert seen == [task]
    assert rig.engine.enqueue(rig.note, (1,), queue=rig.queue).wait(SOON)


def test_drain_waits_for_callbacks(rig: Rig) -> None:
    rig.start(1)
    gate = Gate()
    task = rig.engine.enqueue(rig.note, (1,), queue=rig.queue, delay=1000.0)
    task.add_callback(lambda t: gate(None))
    rig.engine.set_now(rig.engine.now() + 2000)
    rig.engine.fire_due()
    gate.wait()
    assert task.wait(SOON)
    assert not rig.engine.drain(0.02)
    assert rig.engine.outstanding() == 1
    gate.open()
    assert rig.engine.drain(SOON)


def test_callbacks_go_to_the_engine(make_rig: Callable[..., Rig]) -> None:
    calls: list[Any] = []

    class Own(core.Engine):
        def _callbacks(self, task: Any, callbacks: list[Any]) -> None:
            calls.append((task, callbacks, task.state, task.args))

    rig = make_rig(engine_type=Own)
    task = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    for anything in ("a", 5):
        assert task.add_callback(anything)
    rig.run()
    assert calls == [(task, ["a", 5], core.COMPLETED, (1,))]
    assert task.args is None, "the arguments go once the callbacks have run"


def test_runner_is_called_instead_of_the_function(rig: Rig) -> None:
    rig.engine.set_hooks(rig.queue, runner=lambda task: (task.id, task.func(*task.args), core.current() is task))
    task = rig.engine.enqueue(rig.note, ("inner",), queue=rig.queue)
    rig.run()
    assert task.value == (task.id, "inner", True)


def test_runner_that_raises_fails_the_task(rig: Rig) -> None:
    def refuse(task: Any) -> None:
        raise KeyError(task.id)

    rig.engine.set_hooks(rig.queue, runner=refuse)
    task = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    rig.run()
    assert task.state == core.FAILED
    assert task.error.args == (task.id,)
    assert rig.ran == []


def test_runner_may_defer(rig: Rig) -> None:
    rig.engine.set_hooks(rig.queue, runner=lambda task: core.DEFERRED)
    task = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    rig.run()
    assert task.state == core.RUNNING
    assert task.finish(task.attempt, "later")
    assert task.value == "later"


def test_observers_see_start_and_finish_on_the_worker(rig: Rig) -> None:
    rig.start(1)
    seen: list[Any] = []

    def note(what: str) -> Callable[[Any], None]:
        return lambda task: seen.append((what, task.id, task.state, threading.current_thread() is rig.threads[0]))

    rig.engine.set_hooks(rig.queue, on_start=note("start"), on_finish=note("finish"))
    ok = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    bad = rig.engine.enqueue(int, ("no number",), queue=rig.queue)
    assert rig.engine.drain(SOON)
    assert seen == [
        ("start", ok.id, core.RUNNING, True),
        ("finish", ok.id, core.COMPLETED, True),
        ("start", bad.id, core.RUNNING, True),
        ("finish", bad.id, core.FAILED, True),
    ]


def test_finish_observer_sees_a_scheduled_retry(make_rig: Callable[..., Rig]) -> None:
    class Retrying(core.Engine):
        def _failed(self, task: Any, error: BaseException) -> Any:
            return 5.0

    rig = make_rig(engine_type=Retrying)
    states: list[int] = []
    rig.engine.set_hooks(rig.queue, on_finish=lambda task: states.append(task.state))
    rig.engine.enqueue(int, ("no number",), queue=rig.queue)
    rig.run()
    assert states == [core.DELAYED]


def test_on_push_is_called_after_each_push(rig: Rig) -> None:
    counts: list[int] = []
    rig.engine.set_now(1000.0)
    rig.engine.set_hooks(rig.queue, on_push=lambda: counts.append(rig.engine.queued(rig.queue)))
    rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    rig.engine.enqueue(rig.note, (2,), queue=rig.queue)
    assert counts == [1, 2]
    rig.engine.enqueue(rig.note, (3,), queue=rig.queue, delay=1.0)
    assert counts == [1, 2]
    rig.advance(2.0)
    assert counts == [1, 2, 3]
    rig.engine.enqueue_many([{"func": len, "args": ((),)}] * 3, limit=0)
    assert counts[-1] == 6


def test_hooks_belong_to_their_queue(rig: Rig) -> None:
    other = rig.engine.add_queue(1)
    rig.engine.set_hooks(other, runner=lambda task: "hooked")
    plain = rig.engine.enqueue(rig.note, ("plain",), queue=rig.queue)
    hooked = rig.engine.enqueue(rig.note, ("never",), queue=other)
    rig.engine.run_until_empty([rig.queue, other])
    assert (plain.value, hooked.value, rig.ran) == ("plain", "hooked", ["plain"])
    rig.engine.set_hooks(other, on_start=rig.note)
    assert rig.engine.enqueue(rig.note, (2,), queue=other).state == core.QUEUED
    rig.engine.run_until_empty([other])
    assert len(rig.ran) == 2, "a hook that is not named stays"
    rig.engine.set_hooks(other, runner=None, on_start=None)
    again = rig.engine.enqueue(rig.note, ("now",), queue=other)
    rig.engine.run_until_empty([other])
    assert again.value == "now"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_hooks_that_raise_harm_nobody(rig: Rig) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("hook")

    rig.engine.set_hooks(rig.queue, on_push=fail, on_start=fail, on_finish=fail)
    tasks = [rig.engine.enqueue(rig.note, (n,), queue=rig.queue) for n in range(3)]
    assert rig.run() == 3
    assert [task.state for task in tasks] == [core.COMPLETED] * 3
    assert rig.engine.outstanding() == 0
