"""Exceptions sent into a worker's thread: they reach the attempt that was meant, or nothing at all."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from brokerless import core
from tests.switching import switching_every
from tests.unit.rig import SOON, Gate, Rig, eventually, python_ok


class Stop(BaseException):
    pass


class Soft(Exception):
    pass


def spin(entered: threading.Event) -> None:
    entered.set()
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        pass
    raise AssertionError("nobody interrupted the loop")


def running(rig: Rig, task: Any) -> int:
    """The worker that runs it."""

    def found() -> list[int]:
        workers = rig.engine.workers()
        return [w + 1 for w in workers if (info := rig.engine.worker_info(w)) is not None and info["task"] is task]

    return int(eventually(found)[0]) - 1


def send(rig: Rig, worker: int, task: Any, exc: type[BaseException] = Stop, attempt: int = 1) -> None:
    """Until it is accepted: it is refused while the thread is in the engine's own code."""
    eventually(lambda: rig.engine.interrupt(worker, task, attempt, exc))


def test_a_python_loop_is_interrupted(rig: Rig) -> None:
    rig.start(1)
    entered = threading.Event()
    task = rig.engine.enqueue(spin, (entered,), queue=rig.queue)
    assert entered.wait(SOON)
    send(rig, running(rig, task), task)
    assert task.wait(SOON)
    assert task.state == core.FAILED
    assert isinstance(task.error, Stop)
    following = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    assert following.wait(SOON)
    assert following.state == core.COMPLETED


def test_a_task_may_catch_the_interrupt(rig: Rig) -> None:
    rig.start(1)
    entered = threading.Event()

    def cleaning() -> str:
        try:
            spin(entered)
        except Soft:
            return "cleaned up"
        return "never"

    task = rig.engine.enqueue(cleaning, queue=rig.queue)
    assert entered.wait(SOON)
    send(rig, running(rig, task), task, Soft)
    assert task.wait(SOON)
    assert task.value == "cleaned up"


def test_other_tasks_attempts_and_idle_workers_are_not_interrupted(rig: Rig) -> None:
    [worker] = rig.start(1)
    gate = Gate()
    over = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    assert over.wait(SOON)
    assert not rig.engine.interrupt(worker, over, 1, Stop)
    task = rig.engine.enqueue(gate, ("value",), queue=rig.queue)
    gate.wait()
    assert not rig.engine.interrupt(worker, over, 1, Stop)
    assert not rig.engine.interrupt(worker, task, 2, Stop)
    assert not rig.engine.interrupt(worker + 5, task, 1, Stop)
    gate.open()
    assert task.wait(SOON)
    assert task.value == "value"


@pytest.mark.parametrize("wrong", [ValueError("an instance"), "Stop", None, int])
def test_only_exception_classes_are_sent(rig: Rig, wrong: Any) -> None:
    [worker] = rig.start(1)
    gate = Gate()
    task = rig.engine.enqueue(gate, queue=rig.queue)
    gate.wait()
    with pytest.raises(TypeError):
        rig.engine.interrupt(worker, task, 1, wrong)
    gate.open()
    assert task.wait(SOON)
    assert task.state == core.COMPLETED


def test_a_call_into_c_sees_it_only_when_it_returns(rig: Rig) -> None:
    [worker] = rig.start(1)
    lock = threading.Lock()
    lock.acquire()
    entered = threading.Event()

    def in_c() -> None:
        entered.set()
        lock.acquire()
        threading.current_thread()

    task = rig.engine.enqueue(in_c, queue=rig.queue)
    assert entered.wait(SOON)
    send(rig, worker, task)
    assert not task.wait(0.03)
    lock.release()
    assert task.wait(SOON)
    assert isinstance(task.error, Stop)


@pytest.fixture
def fast_switching() -> Iterator[None]:
    """Threads change places as often as the interpreter can; an interrupt that lands in a finalizer is let pass."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: None
    with switching_every(1e-6):
        yield
    sys.unraisablehook = hook


def test_interrupts_never_reach_another_task(rig: Rig, fast_switching: None) -> None:
    """Targets are interrupted as they begin and end; the tasks between them never are."""
    [worker] = rig.start(1)
    over = threading.Event()

    def chase() -> None:
        while not over.is_set():
            info = rig.engine.worker_info(worker)
            task = info and info["task"]
            if task is not None and task.options == "target":
                rig.engine.interrupt(worker, task, info["attempt"], Stop)

    def work(turns: int) -> int:
        total = 0
        for turn in range(turns):
            total += turn
        return total

    chasers = [threading.Thread(target=chase) for _ in range(2)]
    for chaser in chasers:
        chaser.start()
    hit = rounds = 0
    deadline = time.monotonic() + 8
    while (hit < 10 or rounds < 10) and time.monotonic() < deadline:
        rounds += 1
        tasks = []
        for n in range(100):
            tasks.append(rig.engine.enqueue(work, (n * 20,), queue=rig.queue, options="target"))
            tasks.append(rig.engine.enqueue(work, (20,), queue=rig.queue, options="bystander"))
        assert rig.engine.drain(SOON)
        for task in tasks:
            if task.state == core.COMPLETED:
                continue
            assert task.options == "target" and isinstance(task.error, Stop), (task, task.options, task.error)
            hit += 1
    over.set()
    for chaser in chasers:
        chaser.join(SOON)
    assert hit, "no interrupt arrived at all"
    assert rig.engine.workers() == [worker], "the worker died"


def test_interrupts_leave_the_engine_whole_when_the_task_calls_it(rig: Rig, fast_switching: None) -> None:
    """A task that submits, cancels and ends others all the time may be interrupted anywhere in between."""
    [worker] = rig.start(1)
    other = rig.engine.add_queue(2)
    for _ in range(150):
        entered = threading.Event()

        def busy(entered: threading.Event = entered) -> None:
            engine = rig.engine
            entered.set()
            deadline = time.monotonic() + SOON
            while time.monotonic() < deadline:
                engine.enqueue(abs, (-1,), queue=other, delay=1000.0).withdraw()
                engine.enqueue(abs, (-1,), queue=other, lane=1).add_callback(id)
                engine.claim([other]).finish(1, None)

        task = rig.engine.enqueue(busy, queue=rig.queue)
        assert entered.wait(SOON)
        # More than once: one that lands in a finalizer is swallowed by the interpreter.
        eventually(lambda task=task: rig.engine.interrupt(worker, task, 1, Stop) and task.wait(0.1))
        assert isinstance(task.error, Stop)
    left = [task for task in rig.engine.tasks() if task.state < core.COMPLETED]
    assert len(left) == rig.engine.outstanding()
    for task in left:  # interrupted between the claim and the finish, or before the withdraw
        assert task.withdraw() or task.finish(1, None)
    assert rig.engine.outstanding() == 0
    assert rig.engine.queued(other) == 0
    assert rig.engine.totals()["scheduled"] == 0
    assert rig.engine.drain(0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_callbacks_and_hooks_are_not_interrupted(rig: Rig) -> None:
    [worker] = rig.start(1)
    gate = Gate()
    outcome: list[Any] = []

    def finishing(task: Any) -> None:
        outcome.append(rig.engine.interrupt(worker, task, 1, Stop))
        gate(None)
        outcome.append("whole")

    rig.engine.set_hooks(rig.queue, on_finish=finishing)
    task = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    gate.wait()
    assert not rig.engine.interrupt(worker, task, 1, Stop)
    gate.open()
    assert rig.engine.drain(SOON)
    assert outcome == [False, "whole"]


def test_a_task_performed_on_another_thread_can_be_interrupted(rig: Rig) -> None:
    entered = threading.Event()
    task = rig.engine.enqueue(spin, (entered,), queue=rig.queue, timeout=5.0)
    rig.engine.set_now(1000.0)

    def interrupt() -> None:
        assert entered.wait(SOON)
        rig.engine.set_now(1005.0)
        [(worker, overdue, attempt)] = rig.engine.overdue()
        assert overdue is task
        send(rig, worker, task, attempt=attempt)

    helper = threading.Thread(target=interrupt)
    helper.start()
    assert rig.run() == 1
    helper.join(SOON)
    assert isinstance(task.error, Stop)


def test_the_interpreter_is_as_before_after_an_interrupt() -> None:
    """An interrupt that is taken back must not leave the interpreter looking for it: under a tracer it would hang."""
    python_ok(
        """
        import sys, threading, time
        from brokerless import core

        class Stop(BaseException):
            pass

        engine = core.Engine()
        queue, group = engine.add_queue(1), engine.add_group()
        engine.subscribe(group, [queue])
        worker = engine.add_worker(group)
        thread = threading.Thread(target=engine.work, args=(worker,), daemon=True)
        thread.start()

        def spin(entered):
            entered.set()
            while True:
                time.monotonic()

        for _ in range(5):
            entered = threading.Event()
            task = engine.enqueue(spin, (entered,), queue=queue)
            entered.wait()
            while not engine.interrupt(worker, task, 1, Stop):
                pass
            assert task.wait(10)

        lines = []
        def trace(frame, event, argument):
            lines.append(frame.f_lineno)
            return trace

        def traced():
            return [n for n in range(3)]

        sys.settrace(trace)
        traced()
        sys.settrace(None)
        assert lines
        engine.stop()
        thread.join(10)
        """,
        timeout=15,
    )
