"""Time limits of tasks in threads: at the deadline the task fails, its thread is interrupted or replaced, and nobody
else feels anything of it."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from brokerless import (
    BackgroundTasks,
    SoftTimeLimitExceeded,
    TaskExecutionError,
    TaskOptions,
    TaskStatus,
    TimeLimitExceeded,
    TimeLimitInterrupt,
    current_task,
    limits,
)
from tests.unit.rig import SOON, WITHOUT_GIL, Gate, eventually, python, python_ok, spin


def limit_of(handle: Any) -> BaseException:
    with pytest.raises(TaskExecutionError) as caught:
        handle.result(SOON)
    assert caught.value.__cause__ is not None
    return caught.value.__cause__


def test_a_python_loop_is_ended_at_its_limit(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    seen: list[BaseException] = []

    def loop() -> None:
        try:
            spin()
        except BaseException as error:
            seen.append(error)
            raise

    handle = tasks.add_task(loop, timeout_ms=50, max_retries=0)
    error = limit_of(handle)
    assert isinstance(error, TimeLimitExceeded)
    assert isinstance(error, TimeoutError)
    assert "0.05" in str(error)
    assert tasks.add_task(abs, -1).result(SOON) == 1
    assert isinstance(seen[0], TimeLimitInterrupt)
    stats = tasks.get_stats()
    assert (stats.timed_out_tasks, stats.stuck_workers, stats.total_workers) == (1, 0, 1)
    assert handle.status is TaskStatus.FAILED


def test_thirty_seconds_by_default_and_none_for_no_limit(tasks: BackgroundTasks) -> None:
    assert tasks.add_task(abs, -1).timeout == 30.0
    assert tasks.add_task(abs, -1, timeout_ms=None).timeout is None
    assert tasks.add_task(abs, -1, timeout_ms=1500).timeout == 1.5


def test_a_timed_out_attempt_is_retried_when_its_thread_has_left(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(2)
    running: list[int] = []
    most: list[int] = []
    attempts: list[int] = []

    def slow_once() -> str:
        task = current_task()
        assert task is not None
        attempts.append(task.attempt)
        running.append(1)
        most.append(len(running))
        try:
            if len(attempts) == 1:
                spin()
        finally:
            running.pop()
        return "second"

    handle = tasks.add_task(slow_once, timeout_ms=50)
    assert handle.result(SOON) == "second"
    assert attempts == [1, 2]
    assert handle.attempts == 2
    assert max(most) == 1
    assert isinstance(handle.errors[0], TimeLimitExceeded)


def stuck(tasks: BackgroundTasks, **options: Any) -> tuple[Any, Gate, Any]:
    """A task whose thread stays in a C call beyond its limit and the grace time."""
    tasks.limits.grace = 0.05
    gate = Gate()
    lock = threading.Lock()
    lock.acquire()
    calls: list[int] = []

    def blocked() -> str:
        calls.append(1)
        if len(calls) == 1:
            gate.entered.set()
            lock.acquire()
        return f"late value of call {len(calls)}"

    handle = tasks.add_task(blocked, timeout_ms=30, **options)
    gate.wait()
    return handle, gate, lock


def test_a_stuck_thread_is_counted_and_replaced(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    handle, _, lock = stuck(tasks, max_retries=0)
    assert isinstance(limit_of(handle), TimeLimitExceeded)
    eventually(lambda: tasks.get_stats().stuck_workers == 1)
    assert tasks.get_stats().total_workers == 1
    assert tasks.add_task(abs, -1).result(SOON) == 1, "the replacement works"
    lock.release()
    eventually(lambda: tasks.get_stats().stuck_workers == 0)
    assert handle.status is TaskStatus.FAILED
    assert isinstance(handle.get_error(), TimeLimitExceeded)
    stats = tasks.get_stats()
    assert (stats.failed_tasks, stats.completed_tasks, stats.total_workers) == (1, 1, 1)


def test_time_sleep_is_such_a_call(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    tasks.limits.grace = 0.05
    handle = tasks.add_task(time.sleep, 1.0, timeout_ms=30, max_retries=0)
    assert isinstance(limit_of(handle), TimeLimitExceeded)
    eventually(lambda: tasks.get_stats().stuck_workers == 1)
    assert tasks.add_task(abs, -1).result(0.5) == 1
    eventually(lambda: tasks.get_stats().stuck_workers == 0)


def test_a_stuck_attempt_is_not_retried(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    handle, _, lock = stuck(tasks, max_retries=5)
    assert isinstance(limit_of(handle), TimeLimitExceeded)
    assert handle.attempts == 1
    lock.release()
    assert tasks.drain(SOON)
    assert handle.status is TaskStatus.FAILED


def test_unless_asked_for(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    handle, _, lock = stuck(tasks, max_retries=5, retry_stuck=True)
    assert handle.result(SOON) == "late value of call 2"
    lock.release()
    eventually(lambda: tasks.get_stats().stuck_workers == 0)
    assert handle.result(0) == "late value of call 2"
    assert isinstance(handle.errors[0], TimeLimitExceeded)


def test_every_worker_stuck_and_work_goes_on(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(2)
    tasks.limits.grace = 0.02
    release = threading.Event()
    handles = [tasks.add_task(release.wait, SOON, timeout_ms=20, max_retries=0) for _ in range(6)]
    for handle in handles:
        assert isinstance(limit_of(handle), TimeLimitExceeded)
    assert tasks.add_task(abs, -1).result(SOON) == 1
    release.set()
    eventually(lambda: tasks.get_stats().stuck_workers == 0 and tasks.get_stats().total_workers == 2)


def test_a_worker_that_leaves_while_it_is_given_up_has_a_successor(
    make_tasks: Callable[..., BackgroundTasks], monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = make_tasks(1)
    tasks.limits.grace = 0.02
    release, real = threading.Event(), tasks.abandon

    def abandon(worker: int) -> bool:
        info = tasks.worker_info(worker)
        assert info is not None
        found = real(worker)
        release.set()
        next(thread for thread in threading.enumerate() if thread.ident == info["thread_id"]).join(SOON)
        return found

    monkeypatch.setattr(tasks, "abandon", abandon)
    assert isinstance(limit_of(tasks.add_task(release.wait, SOON, timeout_ms=10, max_retries=0)), TimeLimitExceeded)
    assert tasks.add_task(abs, -1).result(SOON) == 1
    eventually(lambda: tasks.get_stats().stuck_workers == 0 and tasks.get_stats().total_workers == 1)


def test_the_interrupt_never_reaches_the_next_task(make_tasks: Callable[..., BackgroundTasks]) -> None:
    """Tasks that end just around their limit, with bystanders between them on the same worker."""
    tasks = make_tasks(1, queue_size=None, result_max=None)

    def around(limit: float) -> None:
        spin(limit * 0.97)

    pairs = []
    for _ in range(60):
        pairs.append((tasks.add_task(around, 0.004, timeout_ms=4, max_retries=0), tasks.add_task(spin, 0.0005)))
    assert tasks.drain(SOON)
    for timed, bystander in pairs:
        assert bystander.status is TaskStatus.COMPLETED, bystander.get_error()
        if timed.status is not TaskStatus.COMPLETED:
            assert isinstance(timed.get_error(), TimeLimitExceeded)


class Recording(logging.Handler):
    """A handler that takes its time and notes when it is torn."""

    def __init__(self) -> None:
        super().__init__()
        self.torn: list[BaseException] = []
        self.emitted = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            spin(0.004)
            self.emitted += 1
        except BaseException as error:
            self.torn.append(error)
            raise


@pytest.mark.skipif(
    WITHOUT_GIL,
    reason="without a GIL the thread goes on between the look at what it runs and the interrupt",
)
def test_the_interrupt_never_lands_in_logging(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    logger = logging.getLogger("tests.unit.limits")
    logger.propagate = False
    handler = Recording()
    logger.addHandler(handler)
    logger.addHandler(logging.NullHandler())

    def chatty() -> None:
        deadline = time.monotonic() + SOON
        while time.monotonic() < deadline:
            logger.warning("a line")
            spin(0.002)

    try:
        for _ in range(5):
            handle = tasks.add_task(chatty, timeout_ms=30, max_retries=0)
            assert isinstance(limit_of(handle), TimeLimitExceeded)
            assert tasks.add_task(abs, -1).result(SOON) == 1
    finally:
        logger.removeHandler(handler)
    assert handler.emitted >= 5
    assert handler.torn == []


def test_part_of_a_stack_is_no_answer(
    make_tasks: Callable[..., BackgroundTasks], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a GIL a frame may end while the one below it is looked for."""
    task = make_tasks(1).add_task(abs, -1)
    lower = SimpleNamespace(f_code=python.__code__, f_globals=python.__globals__, f_back=None)
    whole = SimpleNamespace(f_code=spin.__code__, f_globals=spin.__globals__, f_back=lower)
    part = SimpleNamespace(f_code=spin.__code__, f_globals=spin.__globals__, f_back=None)

    def answer(*stacks: object) -> bool:
        seen = iter(stacks)
        monkeypatch.setattr(sys, "_current_frames", lambda: {1: next(seen)})
        return limits.may_interrupt(1, task)

    assert answer(whole, whole)
    assert not answer(part, whole)
    assert not answer(whole, part)


def test_a_look_at_threads_survives_collections_and_ending_threads() -> None:
    """Before Python 3.12 all threads stopped for ever when a thread ended during a collection in the middle of a look."""
    python_ok(
        """
import faulthandler, gc, sys, threading, time
from brokerless import core
sys.setswitchinterval(0.0005)
faulthandler.dump_traceback_later(60, exit=True)
gc.callbacks.append(lambda phase, info: time.sleep(0))  # lets the GIL go, as a finalizer may
over = False

def come_and_go():
    while not over:
        threads = [threading.Thread(target=int) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

others = [threading.Thread(target=come_and_go, daemon=True) for _ in range(2)]
for other in others:
    other.start()
gc.set_threshold(1)
for _ in range(60):
    assert {thread.ident for thread in others} | {threading.get_ident()} <= core.current_frames().keys()
assert gc.isenabled()
gc.disable()
core.current_frames()
assert not gc.isenabled()
gc.set_threshold(700)
over = True
for other in others:
    other.join()
"""
    )


def pauses_of_looks(tasks: BackgroundTasks, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the engine makes between its looks at threads, as they come."""
    pauses: list[float] = []
    real = tasks.keeper.look_later

    def noting(seconds: float, func: Callable[[], Any]) -> Any:
        pauses.append(seconds)
        return real(seconds, func)

    monkeypatch.setattr(tasks.keeper, "look_later", noting)
    return pauses


def let_it_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at a thread's processor time waits until the thread had some: a busy machine may give it none
    between two looks."""
    real = limits.ident_seconds
    found: list[float | None] = [-1.0]

    def after_a_move(thread_id: int) -> float | None:
        eventually(lambda: real(thread_id) != found[-1], "the thread moves")
        found.append(real(thread_id))
        return found[-1]

    monkeypatch.setattr(limits, "ident_seconds", after_a_move)


class Holding(logging.Handler):
    """A handler that stays until it is let go: in Python code, or in one C call."""

    def __init__(self, moving: bool) -> None:
        super().__init__()
        self.moving = moving
        self.gate = Gate()

    def emit(self, record: logging.LogRecord) -> None:
        self.gate.entered.set()
        while self.moving and not self.gate.release.is_set():
            spin(0.001)
        self.gate.release.wait(SOON)


@pytest.mark.parametrize("moving", [True, False])
def test_looks_at_a_thread_in_logging(
    make_tasks: Callable[..., BackgroundTasks], monkeypatch: pytest.MonkeyPatch, moving: bool
) -> None:
    """They keep no step with the thread, and stay frequent while it moves, also after it counts as stuck."""
    tasks = make_tasks(1)
    tasks.limits.grace = 0.02
    pauses = pauses_of_looks(tasks, monkeypatch)
    if moving:
        let_it_move(monkeypatch)
    logger = logging.Logger("tests.unit.limits.holding")
    handler = Holding(moving)
    logger.addHandler(handler)

    def chatty() -> None:
        logger.warning("a line")
        spin()

    try:
        handle = tasks.add_task(chatty, timeout_ms=10, max_retries=0)
        assert isinstance(limit_of(handle), TimeLimitExceeded)
        eventually(lambda: tasks.get_stats().stuck_workers == 1)
        del pauses[:]
        if moving:
            eventually(lambda: len(pauses) >= 20)
            assert max(pauses) <= 0.01
            assert len(set(pauses)) >= 15
        else:
            eventually(lambda: pauses and max(pauses) > 0.1)
    finally:
        handler.gate.open()
    eventually(lambda: tasks.get_stats().stuck_workers == 0, "the thread leaves once it is out of logging")


def test_the_interrupt_never_lands_in_a_callback(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    seen: list[Any] = []

    def long_callback(_: Any) -> None:
        spin(0.1)
        seen.append("whole")

    gate = Gate()
    handle = tasks.add_task(gate, timeout_ms=60_000)
    gate.wait()
    handle.on_success(long_callback)
    gate.open()
    eventually(lambda: handle.done())
    handle.cancel(interrupt=True)
    assert tasks.drain(SOON)
    assert seen == ["whole"]


def test_soft_limit_then_hard_limit(engine: Any) -> None:
    queue = engine.queue("limited", lanes=1)
    engine.pool("workers", [queue], workers=1)
    seen: list[str] = []

    def cleaning() -> str:
        try:
            spin()
        except SoftTimeLimitExceeded:
            seen.append("soft")
        return "cleaned up"

    handle = queue.submit(cleaning, soft_timeout=0.03, timeout=SOON)
    assert handle.result(SOON) == "cleaned up"
    assert seen == ["soft"]

    def stubborn() -> None:
        try:
            spin()
        except SoftTimeLimitExceeded:
            seen.append("ignored")
            spin()

    handle = queue.submit(stubborn, soft_timeout=0.03, timeout=0.09)
    error = limit_of(handle)
    assert isinstance(error, TimeLimitExceeded)
    assert seen == ["soft", "ignored"]


def test_limits_with_exceptions_of_the_callers_choice(engine: Any) -> None:
    class Soft(Exception):
        pass

    class Hard(Exception):
        pass

    queue = engine.queue("limited", lanes=1)
    engine.pool("workers", [queue], workers=1)
    assert isinstance(limit_of(queue.submit(spin, soft_timeout=0.03, soft_exception=Soft)), Soft)
    error = limit_of(queue.submit(spin, timeout=0.03, hard_exception=lambda limit: Hard(limit)))
    assert isinstance(error, Hard)
    assert error.args == (0.03,)


def test_without_limits_nothing_is_limited(engine: Any) -> None:
    queue = engine.queue("plain", lanes=1)
    engine.pool("workers", [queue], workers=1)
    handle = queue.submit(spin, (0.05,))
    assert handle.timeout is None
    assert handle.options is None
    assert handle.result(SOON) is None


def test_limits_hold_on_the_calling_thread_too(engine: Any) -> None:
    queue = engine.queue("manual", lanes=1)
    handle = queue.submit(spin, timeout=0.05)
    assert engine.run_until_empty([queue]) == 1
    assert isinstance(limit_of(handle), TimeLimitExceeded)


def test_equal_options_are_one_object() -> None:
    assert TaskOptions(timeout=5.0) == TaskOptions(timeout=5.0)
    assert TaskOptions(timeout=5.0, soft_timeout=2.0).first_deadline == 2.0
    assert TaskOptions(timeout=5.0).first_deadline == 5.0


def test_is_cancelled_tells_a_task_that_its_limit_has_passed(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    seen: list[bool] = []

    def polling() -> None:
        task = current_task()
        assert task is not None
        deadline = time.monotonic() + SOON
        while time.monotonic() < deadline:
            try:
                while not task.is_cancelled():
                    spin(0.001)
            except BaseException:
                continue
            seen.append(True)
            return

    handle = tasks.add_task(polling, timeout_ms=30, max_retries=0)
    assert isinstance(limit_of(handle), TimeLimitExceeded)
    assert tasks.add_task(abs, -1).result(SOON) == 1
    assert seen == [True]
