"""One task's life: what it shows in each state, who may end which attempt, what is kept of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import core
from tests.unit.rig import SOON, Gate, Rig


class Retrying(core.Engine):
    """Asks `answer` what a failed attempt means."""

    answer: Any = None

    def _failed(self, task: Any, error: BaseException) -> Any:
        return self.answer


def boom() -> None:
    raise KeyError("boom")


def test_life_of_a_task(rig: Rig) -> None:
    before = time.time()
    task = rig.engine.enqueue(rig.note, ("x",), queue=rig.queue, lane=3, timeout=5.0, options="shared", extra=[1])
    assert (task.state, task.attempt, task.lane, task.queue) == (core.QUEUED, 0, 3, rig.queue)
    assert (task.func, task.args, task.kwargs) == (rig.note, ("x",), {})
    assert (task.value, task.error, task.started_at, task.completed_at, task.due_at) == (None,) * 5
    assert task.run_seconds is None
    assert (task.timeout, task.options, task.extra) == (5.0, "shared", [1])
    assert task.engine is rig.engine
    assert not task.cancel_requested
    rig.run()
    after = time.time()
    assert (task.state, task.attempt, task.value) == (core.COMPLETED, 1, "x")
    assert task.args is None
    assert task.kwargs is None
    assert before - 0.1 <= task.created_at <= task.started_at <= task.completed_at <= after + 0.1
    assert 0.0 <= task.run_seconds < 5.0


def test_ids_count_up_and_task_ids_are_32_hex_digits(rig: Rig) -> None:
    tasks = [rig.engine.enqueue(rig.note, (n,), queue=rig.queue) for n in range(20)]
    assert [task.id for task in tasks] == list(range(1, 21))
    assert len({task.task_id for task in tasks}) == 20
    for task in tasks:
        assert len(task.task_id) == 32
        assert int(task.task_id, 16) >= 0
        assert task.task_id[16:] == f"{task.id:016x}"
        assert rig.engine.get(task.id) is task
        assert rig.engine.get(task.task_id) is task
    assert tasks[0].task_id[:16] == tasks[1].task_id[:16]


@pytest.mark.parametrize("wrong", ["", "x" * 32, "0" * 32, "12", 0, 99, -1])
def test_unknown_ids_find_nothing(rig: Rig, wrong: Any) -> None:
    rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    assert rig.engine.get(wrong) is None


def test_extra_can_be_set(rig: Rig) -> None:
    task = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    assert task.extra is None
    task.extra = {"tags": 1}
    assert task.extra == {"tags": 1}
    task.extra = None
    assert task.extra is None


def test_keyword_arguments_reach_the_function(rig: Rig) -> None:
    task = rig.engine.enqueue(dict, ([("a", 1)],), {"b": 2, "c": 3}, queue=rig.queue)
    assert task.kwargs == {"b": 2, "c": 3}
    rig.run()
    assert task.value == {"a": 1, "b": 2, "c": 3}


def test_failed_task_keeps_error_and_arguments(rig: Rig) -> None:
    def fail(a: int, *, b: int) -> None:
        raise ValueError(a + b)

    task = rig.engine.enqueue(fail, (1,), {"b": 2}, queue=rig.queue)
    rig.run()
    assert task.state == core.FAILED
    assert isinstance(task.error, ValueError)
    assert task.error.args == (3,)
    assert task.error.__traceback__ is not None
    assert (task.args, task.kwargs, task.value) == ((1,), {"b": 2}, None)


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), RecursionError(), MemoryError(), GeneratorExit(), Exception("plain")]
)
def test_exceptions_of_any_class_fail_only_the_task(rig: Rig, error: BaseException) -> None:
    def fail() -> None:
        raise error

    rig.start(1)
    failing = rig.engine.enqueue(fail, queue=rig.queue)
    assert failing.wait(SOON)
    following = rig.engine.enqueue(rig.note, ("next",), queue=rig.queue)
    assert following.wait(SOON)
    assert failing.state == core.FAILED
    assert failing.error is error
    assert following.state == core.COMPLETED


def test_real_recursion_fails_only_the_task(rig: Rig) -> None:
    def deeper() -> None:
        deeper()

    rig.start(1)
    task = rig.engine.enqueue(deeper, queue=rig.queue)
    assert task.wait(SOON)
    assert isinstance(task.error, RecursionError)
    following = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    assert following.wait(SOON)
    assert following.value == 1


def test_withdraw_before_the_start(rig: Rig) -> None:
    task = rig.engine.enqueue(rig.note, ("never",), queue=rig.queue)
    assert task.withdraw()
    assert not task.withdraw()
    assert task.state == core.CANCELLED
    assert task.completed_at is not None
    assert task.started_at is None
    assert task.args == ("never",)
    assert task.wait(0)
    rig.run()
    assert rig.ran == []
    assert rig.engine.outstanding() == 0


def test_withdraw_of_a_running_or_finished_task_is_refused(rig: Rig) -> None:
    gate = Gate()
    rig.start(1)
    task = rig.engine.enqueue(gate, ("value",), queue=rig.queue)
    gate.wait()
    assert not task.withdraw()
    assert task.request_cancel()
    assert task.cancel_requested
    gate.open()
    assert task.wait(SOON)
    assert task.state == core.COMPLETED
    assert task.value == "value"
    assert not task.withdraw()
    assert not task.request_cancel()


def test_cancel_and_claim_race_has_one_winner(rig: Rig) -> None:
    rig.start(2)
    wins = []
    for _ in range(2000):
        ran: list[int] = []
        task = rig.engine.enqueue(ran.append, (1,), queue=rig.queue)
        withdrawn = task.withdraw()
        assert task.wait(SOON)
        assert withdrawn == (task.state == core.CANCELLED)
        assert len(ran) == (0 if withdrawn else 1)
        wins.append(withdrawn)
    assert rig.engine.drain(SOON)
    totals = rig.engine.totals()
    assert totals["completed"] == wins.count(False)
    assert totals["cancelled"] == wins.count(True)


def test_retry_keeps_the_id_and_counts_attempts(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(engine_type=Retrying)
    rig.engine.set_now(1000.0)
    rig.engine.answer = 5.0
    task = rig.engine.enqueue(boom, queue=rig.queue)
    id, task_id = task.id, task.task_id
    rig.run()
    assert (task.state, task.attempt) == (core.DELAYED, 1)
    assert task.due_at == pytest.approx(task.created_at + 5.0)
    rig.advance(4.9)
    assert rig.run() == 0
    rig.advance(0.2)
    assert task.state == core.QUEUED
    rig.engine.answer = None
    rig.run()
    assert (task.state, task.attempt) == (core.FAILED, 2)
    assert (task.id, task.task_id) == (id, task_id)
    assert isinstance(task.error, KeyError)
    totals = rig.engine.totals()
    assert (totals["retried"], totals["failed"], totals["submitted"]) == (1, 1, 1)


def test_cancelled_while_it_waits_for_its_retry(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(engine_type=Retrying)
    rig.engine.set_now(1000.0)
    rig.engine.answer = 5.0
    task = rig.engine.enqueue(boom, queue=rig.queue)
    rig.run()
    assert task.withdraw()
    rig.advance(60)
    assert rig.run() == 0
    assert (task.state, task.attempt) == (core.CANCELLED, 1)
    assert rig.engine.outstanding() == 0


def test_a_cancel_request_does_not_outlive_its_attempt(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(engine_type=Retrying)
    rig.engine.set_now(1000.0)
    rig.engine.answer = 1.0
    seen: list[bool] = []

    def ask() -> None:
        task = core.current()
        seen.append(task.cancel_requested)
        task.request_cancel()
        raise KeyError

    rig.engine.enqueue(ask, queue=rig.queue)
    rig.run()
    rig.engine.answer = None
    rig.advance(2)
    rig.run()
    assert seen == [False, False]


def test_failed_answering_false_cancels(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(engine_type=Retrying)
    rig.engine.answer = False
    task = rig.engine.enqueue(boom, queue=rig.queue)
    rig.run()
    assert task.state == core.CANCELLED
    assert rig.engine.totals()["cancelled"] == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_policy_that_raises_fails_the_task(make_rig: Callable[..., Rig]) -> None:
    class Broken(core.Engine):
        def _failed(self, task: Any, error: BaseException) -> Any:
            raise RuntimeError("policy")

    rig = make_rig(engine_type=Broken)
    task = rig.engine.enqueue(boom, queue=rig.queue)
    rig.run()
    assert task.state == core.FAILED
    assert isinstance(task.error, KeyError)
    assert rig.engine.outstanding() == 0


def test_deferred_task_ends_by_finish(rig: Rig) -> None:
    task = rig.engine.enqueue(lambda: core.DEFERRED, queue=rig.queue)
    rig.run()
    assert task.state == core.RUNNING
    assert not rig.engine.drain(0)
    assert task.finish(1, "late")
    assert (task.state, task.value) == (core.COMPLETED, "late")
    assert not task.finish(1, "again")
    assert not task.fail(1, ValueError())
    assert task.value == "late"
    assert rig.engine.drain(0)


def test_deferred_task_ends_by_fail_or_drop(rig: Rig) -> None:
    first = rig.engine.enqueue(lambda: core.DEFERRED, queue=rig.queue)
    second = rig.engine.enqueue(lambda: core.DEFERRED, queue=rig.queue)
    rig.run()
    error = ValueError("no")
    assert first.fail(1, error)
    assert (first.state, first.error) == (core.FAILED, error)
    assert second.drop(1)
    assert second.state == core.CANCELLED


def test_only_the_named_attempt_can_be_ended(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(engine_type=Retrying)
    rig.engine.set_now(1000.0)
    rig.engine.answer = 1.0
    task = rig.engine.enqueue(lambda: core.DEFERRED, queue=rig.queue)
    assert not task.finish(0, "queued")
    assert not task.finish(1, "queued")
    rig.run()
    assert not task.finish(2, "not yet")
    assert task.failed_attempt(1, ValueError("first"))
    assert task.state == core.DELAYED
    assert not task.failed_attempt(1, ValueError("again"))
    rig.advance(2)
    rig.run()
    assert task.attempt == 2
    assert task.state == core.RUNNING
    assert not task.finish(1, "from the first attempt")
    assert not task.fail(1, KeyError())
    assert not task.drop(1)
    assert task.finish(2, "from the second")
    assert task.value == "from the second"


def test_an_attempt_that_returns_late_changes_nothing(rig: Rig) -> None:
    gate = Gate()
    rig.start(1)
    task = rig.engine.enqueue(gate, ("late",), queue=rig.queue)
    gate.wait()
    limit = TimeoutError("limit")
    assert task.fail(1, limit)
    assert task.wait(0)
    gate.open()
    following = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    assert following.wait(SOON)
    assert (task.state, task.error, task.value) == (core.FAILED, limit, None)
    totals = rig.engine.totals()
    assert (totals["failed"], totals["completed"]) == (1, 1)


def test_wait_times_out_and_then_succeeds(rig: Rig) -> None:
    task = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    start = time.monotonic()
    assert not task.wait(0.02)
    assert time.monotonic() - start >= 0.015
    assert not task.wait(0)
    rig.run()
    assert task.wait(0)
    assert task.wait()
    assert task.wait(timeout=1)


def test_many_threads_wait_for_one_task(rig: Rig) -> None:
    task = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    seen: list[bool] = []
    threads = [threading.Thread(target=lambda: seen.append(task.wait(SOON))) for _ in range(8)]
    for thread in threads:
        thread.start()
    rig.run()
    for thread in threads:
        thread.join(SOON)
    assert seen == [True] * 8


def test_task_type_may_be_a_subclass(make_rig: Callable[..., Rig]) -> None:
    class Handle(core.Task):
        __slots__ = ()

        def shout(self) -> str:
            return str(self.value).upper()

    rig = make_rig(task_type=Handle)
    task = rig.engine.enqueue(rig.note, ("word",), queue=rig.queue)
    rig.run()
    assert type(task) is Handle
    assert task.shout() == "WORD"


def test_current_task_is_the_one_that_the_thread_runs(rig: Rig) -> None:
    assert core.current() is None
    seen: list[Any] = []

    def inner() -> None:
        seen.append(core.current())

    def outer() -> None:
        seen.append(core.current())
        rig.engine.run_until_empty([other])
        seen.append(core.current())

    other = rig.engine.add_queue(1)
    inner_task = rig.engine.enqueue(inner, queue=other)
    outer_task = rig.engine.enqueue(outer, queue=rig.queue)
    rig.run()
    assert seen == [outer_task, inner_task, outer_task]
    assert core.current() is None
