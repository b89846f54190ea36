"""Eight workers and eight submitters on one engine, with everything that shares objects between threads going on: hooks that
are replaced, callbacks, cancels, limits of time, results that are read while they are made.

With a GIL the threads take turns; without one they overlap wherever there are cores.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import Any

from brokerless import BackgroundTasks, current_task
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
