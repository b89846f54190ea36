"""Eight workers and eight submitters on one engine, with everything that shares objects between threads going on: hooks that
are replaced, callbacks, cancels, limits of time, results that are read while they are made.

With a GIL the threads take turns; without one they overlap wherever there are cores.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from brokerless import BackgroundTasks, EngineShutdown, TaskCancelledError, current_task
from tests.stress.test_engine_threads import LONG, in_threads

THREADS, EACH = 8, 3000


def test_each_task_runs_once_and_its_result_is_its_own(no_thread_leak: None) -> None:
    with BackgroundTasks(workers=THREADS, enable_auto_scaling=False, queue_size=None, result_max=500) as tasks:
        lock = threading.Lock()
        ran: Counter[int] = Counter()
        ended: Counter[int] = Counter()
        cancelled: set[int] = set()
        wrong: list[Any] = []

        def work(number: int, shared: list[int]) -> list[int]:
            task = current_task()
            assert task is not None
            task.set_progress(number % 100)
            with lock:
                ran[number] += 1
            shared.append(number)
            return [number]

        def over(number: int) -> None:
            with lock:
                ended[number] += 1

        def submit(index: int) -> None:
            dice = random.Random(index)
            shared: list[int] = []
            for number in range(index * EACH, (index + 1) * EACH):
                options: dict[str, Any] = {}
                if dice.random() < 0.2:
                    options["timeout_ms"] = 60_000
                if dice.random() < 0.1:
                    options["expires_ms"] = 60_000
                if dice.random() < 0.1:
                    options["delay_ms"] = 1
                handle = tasks.add_task(
                    work, number, shared, priority=dice.choice(["high", "normal", "low"]), **options
                )
                if not handle.add_callback(lambda _, number=number: over(number)):
                    over(number)
                chance = dice.random()
                if chance < 0.1 and handle.cancel():
                    with lock:
                        cancelled.add(number)
                elif chance < 0.2 and number not in cancelled and handle.result(LONG) != [number]:
                    wrong.append(number)

        def look() -> None:
            with tasks.subscribe(["started", "finished"]) as events:
                for _ in range(200):
                    events.get(0.001)
                    tasks.get_stats()

        in_threads(*(lambda index=index: submit(index) for index in range(THREADS)), look, look)
        assert tasks.drain(LONG)
        assert wrong == []
        assert set(ended) == set(range(THREADS * EACH)) and set(ended.values()) == {1}
        assert set(ran.values()) <= {1}
        assert set(ran) | cancelled == set(ended)


@pytest.mark.parametrize(
    "how",
    [{}, {"cancel_pending": True}, {"wait_for_completion": False}],
    ids=["finishing", "cancelling", "not waiting"],
)
def test_a_task_submitted_while_the_engine_ends_ends_too(how: dict[str, bool], no_thread_leak: None) -> None:
    for _ in range(60):
        tasks = BackgroundTasks(workers=4, enable_auto_scaling=False, queue_size=None)
        handles: list[list[Any]] = [[] for _ in range(THREADS)]
        some = threading.Barrier(THREADS + 1)

        def submit(mine: list[Any], tasks: BackgroundTasks = tasks, some: threading.Barrier = some) -> None:
            mine.append(tasks.add_task(abs, -1))
            some.wait(LONG)
            with pytest.raises(EngineShutdown):
                while True:
                    mine.append(tasks.add_task(abs, -len(mine), delay_ms=1 if len(mine) % 50 == 0 else 0))

        def end(tasks: BackgroundTasks = tasks, some: threading.Barrier = some) -> None:
            some.wait(LONG)
            tasks.shutdown(timeout=LONG, **how)

        in_threads(end, *(lambda mine=mine, submit=submit: submit(mine) for mine in handles))
        for handle in itertools.chain(*handles):
            with suppress(TaskCancelledError):
                assert handle.wait(LONG), handle
