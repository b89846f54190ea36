"""Chains and parallel groups: the truth table of the flags, outcomes, cancelling, progress."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import BackgroundTasks, TaskCancelledError, TaskExecutionError, TaskStatus
from tests.unit.rig import SOON, Gate


class Step:
    """Notes what it got; fails if told to."""

    def __init__(self, log: list[Any], name: str, fails: bool = False) -> None:
        self.log, self.name, self.fails = log, name, fails

    def __call__(self, *args: Any) -> str:
        self.log.append((self.name, args))
        if self.fails:
            raise ValueError(self.name)
        return f"value of {self.name}"


def call(step: Step, *args: Any) -> dict[str, Any]:
    return {"func": step, "args": args, "max_retries": 0}


TABLE = [
    # pass on, stop, failing, what ran with which arguments, outcome
    (True, True, None, [("a", (1,)), ("b", ("value of a", 2)), ("c", ("value of b", 3))], "value of c"),
    (True, False, None, [("a", (1,)), ("b", ("value of a", 2)), ("c", ("value of b", 3))], "value of c"),
    (False, True, None, [("a", (1,)), ("b", (2,)), ("c", (3,))], "value of c"),
    (False, False, None, [("a", (1,)), ("b", (2,)), ("c", (3,))], "value of c"),
    (True, True, "a", [("a", (1,))], ValueError),
    (True, True, "b", [("a", (1,)), ("b", ("value of a", 2))], ValueError),
    (True, False, "b", [("a", (1,)), ("b", ("value of a", 2)), ("c", (None, 3))], "value of c"),
    (False, True, "b", [("a", (1,)), ("b", (2,))], ValueError),
    (False, False, "b", [("a", (1,)), ("b", (2,)), ("c", (3,))], "value of c"),
    (True, True, "c", [("a", (1,)), ("b", ("value of a", 2)), ("c", ("value of b", 3))], ValueError),
    (True, False, "c", [("a", (1,)), ("b", ("value of a", 2)), ("c", ("value of b", 3))], ValueError),
    (False, False, "c", [("a", (1,)), ("b", (2,)), ("c", (3,))], ValueError),
]


@pytest.mark.parametrize(("pass_on", "stop", "failing", "ran", "outcome"), TABLE)
def test_truth_table(
    tasks: BackgroundTasks, pass_on: bool, stop: bool, failing: str | None, ran: list[Any], outcome: Any
) -> None:
    log: list[Any] = []
    steps = [call(Step(log, name, name == failing), number) for number, name in enumerate("abc", 1)]
    chain = tasks.chain_tasks(steps, chain_on_success=pass_on, stop_on_failure=stop)
    if outcome is ValueError:
        with pytest.raises(TaskExecutionError) as caught:
            chain.result(SOON)
        assert isinstance(caught.value.__cause__, ValueError)
        assert chain.status is TaskStatus.FAILED
    else:
        assert chain.result(SOON) == outcome
        assert chain.status is TaskStatus.COMPLETED
    assert log == ran
    assert len(chain.children) == len(ran)


def test_chain_of_bare_functions(tasks: BackgroundTasks) -> None:
    chain = tasks.chain_tasks([lambda: 5, lambda v: v + 1, str])
    assert chain.result(SOON) == "6"
    assert [child.result(0) for child in chain.children] == [5, 6, "6"]
    assert (chain.progress.current, chain.progress.total) == (3, 3)


def test_chain_passes_none_on(tasks: BackgroundTasks) -> None:
    assert tasks.chain_tasks([lambda: None, lambda value: value is None]).result(SOON) is True


def test_chain_waits_for_retries(tasks: BackgroundTasks) -> None:
    calls: list[int] = []

    def fail_once() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError
        return "second"

    assert tasks.chain_tasks([fail_once, str.upper]).result(SOON) == "SECOND"


def test_chain_of_coroutines_and_functions(tasks: BackgroundTasks) -> None:
    async def double(value: int) -> int:
        return value * 2

    assert tasks.chain_tasks([lambda: 3, double, double, str]).result(SOON) == "12"


def test_empty_chain_is_refused(tasks: BackgroundTasks) -> None:
    with pytest.raises(ValueError, match="chain_tasks"):
        tasks.chain_tasks([])


def test_long_chain(tasks: BackgroundTasks) -> None:
    assert tasks.chain_tasks([lambda: 0] + [lambda value: value + 1] * 1500).result(SOON) == 1500


def test_cancelled_member_ends_the_chain(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    gate = Gate()
    chain = tasks.chain_tasks([gate, {"func": abs, "delay_ms": 60_000}, str])
    gate.wait()
    gate.open()
    _wait_for_children(chain, 2)
    assert chain.children[1].cancel()
    with pytest.raises(TaskCancelledError):
        chain.result(SOON)
    assert len(chain.children) == 2


def _wait_for_children(chain: Any, count: int) -> None:
    from tests.unit.rig import eventually

    eventually(lambda: len(chain.children) == count)


def test_cancelling_a_chain(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    ran: list[Any] = []
    chain = tasks.chain_tasks([{"func": abs, "args": (-1,), "delay_ms": 60_000}, ran.append])
    assert chain.cancel()
    assert chain.status is TaskStatus.CANCELLED
    assert chain.children[0].status is TaskStatus.CANCELLED
    assert not chain.cancel()
    assert tasks.drain(SOON)
    assert ran == []


def test_retry_of_a_failed_chain_runs_all_of_it_again(tasks: BackgroundTasks) -> None:
    log: list[Any] = []
    failing = Step(log, "b", fails=True)
    chain = tasks.chain_tasks([call(Step(log, "a")), call(failing)])
    with pytest.raises(TaskExecutionError):
        chain.result(SOON)
    failing.fails = False
    again = chain.retry()
    assert again.result(SOON) == "value of b"
    assert again.retry_of is chain
    assert [name for name, _ in log] == ["a", "b", "a", "b"]


def test_parallel_values_keep_their_order(tasks: BackgroundTasks) -> None:
    gate = Gate()
    group = tasks.parallel_tasks([{"func": gate, "args": ("slow",)}, lambda: "quick", lambda: 3])
    gate.wait()
    gate.open()
    assert group.result(SOON) == ["slow", "quick", 3]
    assert group.progress.current == group.progress.total == 3


def test_parallel_runs_side_by_side(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(3)
    barrier = threading.Barrier(3, timeout=SOON)
    assert sorted(tasks.parallel_tasks([barrier.wait] * 3).result(SOON)) == [0, 1, 2]


def test_parallel_with_failures_waits_for_all(tasks: BackgroundTasks) -> None:
    log: list[Any] = []
    group = tasks.parallel_tasks(
        [call(Step(log, "a")), call(Step(log, "b", True)), call(Step(log, "c", True)), call(Step(log, "d"))]
    )
    with pytest.raises(TaskExecutionError, match="b"):
        group.result(SOON)
    assert len(log) == 4
    assert all(child.done() for child in group.children)


def test_parallel_first_success_wins(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(2)
    gate = Gate()
    log: list[Any] = []
    group = tasks.parallel_tasks([gate, call(Step(log, "bad", True)), lambda: "first"], wait_for_all=False)
    assert group.result(SOON) == "first"
    gate.open()


def test_parallel_without_any_success_fails_like_the_last(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    log: list[Any] = []
    group = tasks.parallel_tasks([call(Step(log, name, True)) for name in "abc"], wait_for_all=False)
    with pytest.raises(TaskExecutionError, match="c"):
        group.result(SOON)


def test_max_parallelism(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(4)
    lock = threading.Lock()
    running: list[int] = []
    most: list[int] = []

    def watch(n: int) -> int:
        with lock:
            running.append(n)
            most.append(len(running))
        sum(range(2000))
        with lock:
            running.remove(n)
        return n

    group = tasks.parallel_tasks([{"func": watch, "args": (n,)} for n in range(60)], max_parallelism=2)
    assert group.result(SOON) == list(range(60))
    assert max(most) <= 2


def test_empty_group(tasks: BackgroundTasks) -> None:
    assert tasks.parallel_tasks([]).result(SOON) == []
    with pytest.raises(ValueError, match="parallel_tasks"):
        tasks.parallel_tasks([], wait_for_all=False)


@pytest.mark.parametrize("wrong", [0, -1, 1.5])
def test_wrong_parallelism(tasks: BackgroundTasks, wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="max_parallelism"):
        tasks.parallel_tasks([abs], max_parallelism=wrong)


def test_cancelling_a_group(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    tasks.pause()
    group = tasks.parallel_tasks([lambda: 1] * 5, max_parallelism=2)
    assert group.cancel()
    tasks.resume()
    assert tasks.drain(SOON)
    assert group.status is TaskStatus.CANCELLED
    assert {child.status for child in group.children} == {TaskStatus.CANCELLED}


def test_groups_inside_groups(tasks: BackgroundTasks) -> None:
    outer = tasks.parallel_tasks(
        [
            lambda: tasks.chain_tasks([lambda: 1, lambda v: v + 1]).result(SOON),
            lambda: tasks.add_task(abs, -7).result(SOON),
        ]
    )
    assert outer.result(SOON) == [2, 7]


def test_a_group_ends_when_the_engine_shuts_down(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    chain = tasks.chain_tasks([{"func": abs, "args": (-1,), "delay_ms": 60_000}, str])
    group = tasks.parallel_tasks([{"func": abs, "args": (-1,), "delay_ms": 60_000}] * 3, max_parallelism=1)
    tasks.shutdown(cancel_pending=True)
    for handle in (chain, group):
        with pytest.raises(TaskCancelledError):
            handle.result(SOON)


def test_statistics_count_members_and_not_groups(tasks: BackgroundTasks) -> None:
    tasks.chain_tasks([lambda: 1, str]).result(SOON)
    tasks.parallel_tasks([lambda: 1] * 3).result(SOON)
    assert tasks.drain(SOON)
    assert tasks.get_stats().completed_tasks == 5


def test_a_chain_whose_next_member_cannot_be_submitted_ends(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    gate = Gate()
    chain = tasks.chain_tasks([gate, abs])
    gate.wait()
    tasks.shutdown(wait_for_completion=False)
    gate.open()
    with pytest.raises((TaskExecutionError, TaskCancelledError)):
        chain.result(SOON)
    assert len(chain.children) == 1
