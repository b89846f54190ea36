"""The engine as a `concurrent.futures.Executor`: futures are views on tasks."""

from __future__ import annotations

import asyncio
import concurrent.futures as cf
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import BackgroundTasks, TaskCancelledError, TaskExecutor, TimeLimitExceeded, current_task
from tests.unit.rig import SOON, Gate, eventually, spin

Make = Callable[..., BackgroundTasks]


@pytest.fixture
def executor(tasks: BackgroundTasks) -> TaskExecutor:
    return tasks.executor()


def test_submit_map_and_the_task_behind_a_future(tasks: BackgroundTasks, executor: TaskExecutor) -> None:
    assert isinstance(executor, cf.Executor)
    future = executor.submit(pow, 2, exp=10)
    assert isinstance(future, cf.Future)
    assert future.result(SOON) == 1024
    assert future.task.is_successful()
    assert list(executor.map(pow, [2, 3], [3, 2])) == [8, 9]
    assert tasks.drain(SOON)
    assert tasks.get_tasks() == [], "what has ended is not kept twice"


def test_errors_and_their_frames(executor: TaskExecutor) -> None:
    def fail() -> None:
        raise ValueError("no")

    future = executor.submit(fail)
    assert isinstance(future.exception(SOON), ValueError)
    with pytest.raises(ValueError, match="no"):
        future.result()
    assert future.task.attempts == 1, "an executor does not retry unless asked to"


def test_as_completed_and_wait(executor: TaskExecutor) -> None:
    gate = Gate()
    slow, quick = executor.submit(gate, "slow"), executor.submit(abs, -1)
    done, not_done = cf.wait([slow, quick], timeout=SOON, return_when=cf.FIRST_COMPLETED)
    assert (done, not_done) == ({quick}, {slow})
    gate.open()
    assert {future.result() for future in cf.as_completed([slow, quick], timeout=SOON)} == {1, "slow"}


def test_cancel_before_and_after_the_start(make_tasks: Make) -> None:
    tasks = make_tasks(1)
    executor = tasks.executor()
    gate = Gate()
    running = executor.submit(gate)
    gate.wait()
    waiting = executor.submit(abs, 1)
    called: list[bool] = []
    waiting.add_done_callback(lambda future: called.append(future.cancelled()))
    assert running.cancel() is False
    assert waiting.cancel() is True
    assert waiting.cancel() is True
    assert waiting.task.is_cancelled()
    assert called == [True]
    assert cf.wait([waiting], timeout=SOON).done == {waiting}
    with pytest.raises(cf.CancelledError):
        waiting.result()
    gate.open()
    assert running.result(SOON) is None
    assert running.cancel() is False


def test_a_task_that_is_cancelled_cancels_its_future(make_tasks: Make) -> None:
    tasks = make_tasks(1)
    executor = tasks.executor()
    gate = Gate()
    running = executor.submit(gate)
    gate.wait()
    waiting = executor.submit(abs, 1)
    assert waiting.task.cancel() is True
    assert waiting.cancelled()
    gate.open()
    running.result(SOON)
    looping = executor.submit(spin)
    eventually(looping.running)
    looping.task.cancel(interrupt=True)
    with pytest.raises(TaskCancelledError):
        looping.result(SOON)


def test_options_hold_for_every_call(tasks: BackgroundTasks) -> None:
    executor = tasks.executor(timeout_ms=50, priority="high", tags="door")
    future = executor.submit(spin)
    with pytest.raises(TimeLimitExceeded):
        future.result(SOON)
    assert (future.task.tags, future.task.priority.name) == (("door",), "HIGH")  # type: ignore[union-attr]
    tries: list[int] = []

    def second_time() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError
        return len(tries)

    assert tasks.executor(max_retries=2).submit(second_time).result(SOON) == 2
    with pytest.raises(TypeError, match="workers"):
        tasks.executor(workers=3)


def test_a_call_may_be_compiled(tasks: BackgroundTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def form(func: Any, mode: Any) -> Any:
        asked.append((func, mode))
        return func

    monkeypatch.setattr(tasks.compilation, "form", form)
    assert tasks.executor(compile_to_c=True).submit(_cube, 3).result(SOON) == 27
    assert asked[0] == (_cube, True)
    assert tasks.executor().submit(_cube, 3).result(SOON) == 27
    assert (_cube, False) in asked


def _cube(n: int) -> int:
    return n * n * n


def test_coroutine_functions(executor: TaskExecutor) -> None:
    async def double(n: int) -> int:
        await asyncio.sleep(0)
        task = current_task()
        assert task is not None
        return 2 * n

    async def fail() -> None:
        raise KeyError("x")

    async def never() -> None:
        await asyncio.Event().wait()

    assert executor.submit(double, 4).result(SOON) == 8
    with pytest.raises(KeyError):
        executor.submit(fail).result(SOON)
    future = executor.submit(never)
    eventually(future.running)
    future.task.cancel(interrupt=True)
    with pytest.raises(TaskCancelledError):
        future.result(SOON)


def test_from_an_event_loop(executor: TaskExecutor) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        return list(await asyncio.gather(*(loop.run_in_executor(executor, abs, -n) for n in range(5))))

    assert asyncio.run(main()) == list(range(5))


def test_names_are_those_of_the_functions(tasks: BackgroundTasks, executor: TaskExecutor) -> None:
    gate = Gate()
    blockers = [executor.submit(gate) for _ in range(2)]
    waiting = executor.submit(_cube, 2)
    assert "_cube" in repr(waiting.task)
    gate.open()
    cf.wait(blockers, timeout=SOON)


def test_workers_that_wait_for_futures_do_not_starve(make_tasks: Make) -> None:
    tasks = make_tasks(1)
    executor = tasks.executor()

    def outer() -> tuple[int, bool]:
        inner, failing = executor.submit(abs, -3), executor.submit(int, "x")
        return inner.result(SOON), isinstance(failing.exception(SOON), ValueError)

    assert executor.submit(outer).result(SOON) == (3, True)
    stuck = Gate()

    def impatient() -> str:
        try:
            executor.submit(stuck).result(0.03)
        except cf.TimeoutError:
            return "timeout"
        return "value"

    assert executor.submit(impatient).result(SOON) == "timeout"
    stuck.open()


def test_shutdown_leaves_the_engine_alone(tasks: BackgroundTasks) -> None:
    with tasks.executor() as executor:
        futures = [executor.submit(time.sleep, 0.01) for _ in range(5)]
    assert all(future.done() for future in futures)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(abs, 1)
    assert tasks.add_task(abs, -1).wait(SOON) == 1
    executor.shutdown()


def test_shutdown_without_waiting_and_with_cancelling(make_tasks: Make) -> None:
    tasks = make_tasks(1)
    executor = tasks.executor()
    gate = Gate()
    running = executor.submit(gate, 1)
    gate.wait()
    waiting = [executor.submit(abs, 1) for _ in range(3)]
    executor.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in waiting)
    assert not running.done()
    closer = threading.Thread(target=executor.shutdown)
    closer.start()
    gate.open()
    closer.join(SOON)
    assert not closer.is_alive()
    assert running.result(0) == 1


def test_an_engine_that_was_shut_down(make_tasks: Make) -> None:
    tasks = make_tasks(1)
    executor = tasks.executor()
    gate = Gate()
    running = executor.submit(gate)
    gate.wait()
    waiting = executor.submit(abs, 1)
    tasks.shutdown(wait_for_completion=False, cancel_pending=True)
    assert waiting.cancelled()
    gate.open()
    running.result(SOON)
    with pytest.raises(RuntimeError, match="after shutdown of the engine"):
        executor.submit(abs, 1)
    executor.shutdown()


def test_cancels_from_all_sides_race_with_the_workers(make_tasks: Make) -> None:
    tasks = make_tasks(4, queue_size=None)
    executor = tasks.executor()
    ran: list[int] = []
    futures: list[Any] = []

    def submit(first: int) -> None:
        for number in range(first, first + 200):
            futures.append((number, executor.submit(ran.append, number)))

    def cancel(dice: random.Random) -> None:
        for _ in range(1500):
            if futures:
                future = dice.choice(futures)[1]
                dice.choice((future, future.task)).cancel()

    threads = [threading.Thread(target=submit, args=(1000 * n,)) for n in range(3)]
    threads += [threading.Thread(target=cancel, args=(random.Random(n),)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not cf.wait([future for _, future in futures], timeout=SOON).not_done
    assert len(ran) == len(set(ran))
    for number, future in futures:
        assert future.cancelled() == (number not in ran)
        assert future.cancelled() or future.result() is None
    executor.shutdown()


@pytest.mark.parametrize("wrong", [None, 5, "abs"])
def test_only_what_can_be_called(executor: TaskExecutor, wrong: Any) -> None:
    with pytest.raises(TypeError, match="something to call"):
        executor.submit(wrong)
    executor.shutdown()
