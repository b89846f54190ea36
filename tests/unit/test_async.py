"""`async def` tasks: one loop, their own limit, time limits by cancelling, context."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import BackgroundTasks, TaskExecutionError, TaskStatus, TimeLimitExceeded, current_task
from tests.unit.rig import SOON, eventually

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")


async def where() -> tuple[threading.Thread, asyncio.AbstractEventLoop]:
    return threading.current_thread(), asyncio.get_running_loop()


def test_all_run_on_one_loop_in_one_thread(tasks: BackgroundTasks) -> None:
    places = {tasks.add_task(where).result(SOON) for _ in range(5)}
    assert len(places) == 1
    [(thread, _)] = places
    assert thread is not threading.current_thread()
    assert thread.name.startswith("brokerless-")
    assert thread.daemon


def test_they_run_at_once(tasks: BackgroundTasks) -> None:
    entered: list[int] = []

    async def meet() -> int:
        entered.append(1)
        while len(entered) < 50:
            await asyncio.sleep(0)
        return len(entered)

    handles = [tasks.add_task(meet) for _ in range(50)]
    assert [handle.result(SOON) for handle in handles] == [50] * 50


def test_their_number_is_limited(engine: Any) -> None:
    from brokerless import Engine

    limited = Engine(name="limited", async_limit=3)
    running: list[int] = []
    most: list[int] = []
    three = asyncio.Event()

    async def watch(n: int) -> int:
        running.append(n)
        most.append(len(running))
        if len(running) == 3:
            three.set()
        await three.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        running.remove(n)
        return n

    handles = [limited.enqueue(watch, (n,), queue=limited.eventloop.queue.index) for n in range(30)]
    assert [handle.result(SOON) for handle in handles] == list(range(30))
    assert max(most) == 3
    limited.shut_down(True, SOON, True)


def test_failure_and_retry(tasks: BackgroundTasks) -> None:
    attempts: list[int] = []

    async def fail_once() -> str:
        task = current_task()
        assert task is not None
        attempts.append(task.attempt)
        await asyncio.sleep(0)
        if len(attempts) == 1:
            raise ValueError("first")
        return "second"

    handle = tasks.add_task(fail_once)
    assert handle.result(SOON) == "second"
    assert attempts == [1, 2]
    assert handle.attempts == 2
    bad = tasks.add_task(fail_forever, max_retries=0)
    with pytest.raises(TaskExecutionError) as caught:
        bad.result(SOON)
    assert isinstance(caught.value.__cause__, KeyError)


async def fail_forever() -> None:
    raise KeyError("always")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_base_exceptions_fail_only_the_task(tasks: BackgroundTasks, error: type[BaseException]) -> None:
    async def end() -> None:
        raise error("end")

    handle = tasks.add_task(end, max_retries=0)
    with pytest.raises(TaskExecutionError) as caught:
        handle.result(SOON)
    assert isinstance(caught.value.__cause__, error)
    assert tasks.add_task(where).result(SOON)


def test_time_limit_cancels_the_coroutine(tasks: BackgroundTasks) -> None:
    seen: list[BaseException] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            seen.append(error)
            raise

    handle = tasks.add_task(forever, timeout_ms=30, max_retries=0)
    with pytest.raises(TaskExecutionError) as caught:
        handle.result(SOON)
    assert isinstance(caught.value.__cause__, TimeLimitExceeded)
    eventually(lambda: seen)
    assert isinstance(seen[0], asyncio.CancelledError)
    assert tasks.add_task(where).result(SOON)


def test_time_limit_with_a_retry(tasks: BackgroundTasks) -> None:
    attempts: list[int] = []

    async def slow_once() -> str:
        attempts.append(1)
        if len(attempts) == 1:
            await asyncio.Event().wait()
        return "second"

    handle = tasks.add_task(slow_once, timeout_ms=30)
    assert handle.result(SOON) == "second"
    assert handle.attempts == 2
    assert isinstance(handle.errors[0], TimeLimitExceeded)


def test_a_blocked_loop_still_has_its_limit(tasks: BackgroundTasks) -> None:
    release = threading.Event()

    async def blocking() -> None:
        release.wait(SOON)

    handle = tasks.add_task(blocking, timeout_ms=30, max_retries=0)
    with pytest.raises(TaskExecutionError) as caught:
        handle.result(SOON)
    assert isinstance(caught.value.__cause__, TimeLimitExceeded)
    release.set()
    assert tasks.add_task(where).result(SOON)


def test_context_variables_and_current_task(tasks: BackgroundTasks) -> None:
    async def read() -> tuple[str, str | None]:
        await asyncio.sleep(0)
        task = current_task()
        if task is not None:
            task.set_progress(1, 2)
            task.log("a line")
        return variable.get(), task.task_id if task else None

    def submit() -> Any:
        variable.set("submitter")
        return tasks.add_task(read)

    handle = contextvars.copy_context().run(submit)
    assert handle.result(SOON) == ("submitter", handle.task_id)
    assert handle.logs == ["a line"]
    assert handle.progress.current == 1


def test_cancelled_before_its_start(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    tasks.pause()
    handle = tasks.add_task(where)
    assert handle.cancel()
    tasks.resume()
    assert tasks.drain(SOON)
    assert handle.status is TaskStatus.CANCELLED


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("retries", [0, 1])
def test_a_limit_that_passes_before_the_first_step(
    tasks: BackgroundTasks, retries: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """asyncio never enters a task that is cancelled so early; its place is free and its retry comes all the same."""
    later = tasks.call_later
    limits = 0

    def at_once(seconds: float, func: Callable[[], Any]) -> Any:
        nonlocal limits
        limits += seconds == 7.0
        if seconds == 7.0 and limits == 1:
            func()
        return later(seconds, func)

    monkeypatch.setattr(tasks, "call_later", at_once)
    handle = tasks.add_task(where, timeout_ms=7_000, max_retries=retries)
    if retries:
        assert handle.result(SOON)
    else:
        with pytest.raises(TaskExecutionError) as caught:
            handle.result(SOON)
        assert isinstance(caught.value.__cause__, TimeLimitExceeded)
    assert tasks.add_task(where).result(SOON)
    assert eventually(lambda: tasks.eventloop.running == 0)
    gc.collect()
    assert not caplog.records


def test_kinds_of_coroutine_functions(tasks: BackgroundTasks) -> None:
    import functools

    class Thing:
        async def method(self, value: int) -> int:
            return value

        async def __call__(self, value: int) -> int:
            return value

    for func in (Thing().method, Thing(), functools.partial(Thing().method)):
        assert tasks.add_task(func, 4).result(SOON) == 4


def test_run_coroutine(engine: Any) -> None:
    done: list[Any] = []
    future = engine.run_coroutine(where(), done.append)
    thread, _ = future.result(SOON)
    eventually(lambda: done == [future])
    assert thread.name.startswith("brokerless-")


def test_a_coroutine_may_await_a_handle(tasks: BackgroundTasks) -> None:
    async def outer() -> int:
        value: int = await tasks.add_task(pow, 2, 3)
        return value

    assert tasks.add_task(outer).result(SOON) == 8
