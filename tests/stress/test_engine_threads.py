"""Many threads on one core with tiny rings: nothing is lost, nothing runs twice, nothing waits for ever.

The seed of a failing run is in its name; what threads make of it differs from run to run.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import Any

import pytest

from brokerless import core
from tests.unit.rig import SOON, Rig

LONG = 60.0


def in_threads(*mains: Any) -> None:
    """Run them side by side; the first error is raised here."""
    errors: list[BaseException] = []

    def guarded(main: Any) -> None:
        try:
            main()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(main,)) for main in mains]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
        assert not thread.is_alive(), "a producer hangs"
    if errors:
        raise errors[0]


@pytest.mark.parametrize("ring_size", [1, 2, 8])
def test_each_item_once_and_in_its_producers_order(switching: float, ring_size: int) -> None:
    producers, each = 4, 10_000
    with Rig(ring_size=ring_size) as rig:
        logs: dict[int, list[tuple[int, int, int]]] = {}

        def note(producer: int, number: int) -> None:
            logs.setdefault(threading.get_ident(), []).append((producer, core.current().lane, number))

        def produce(producer: int) -> None:
            lanes = random.Random(producer)
            for number in range(each):
                rig.engine.enqueue(note, (producer, number), queue=rig.queue, lane=lanes.randrange(4), keep=False)

        rig.start(3)
        in_threads(*(lambda producer=n: produce(producer) for n in range(producers)))
        assert rig.engine.drain(LONG)
    everything = [entry for log in logs.values() for entry in log]
    assert len(everything) == producers * each == len(set(everything))
    for log in logs.values():  # one worker sees the tasks of one producer and lane in their order
        last: dict[tuple[int, int], int] = {}
        for producer, lane, number in log:
            assert last.get((producer, lane), -1) < number
            last[producer, lane] = number


@pytest.mark.parametrize("seed", range(10))
def test_everything_at_once(switching: float, seed: int) -> None:
    """Submits, batches, cancels, delays, expiry, pauses, subscriptions, workers that come and go."""
    with Rig(ring_size=2, result_max=50) as rig:
        engine = rig.engine
        other = engine.add_queue(2)
        second = engine.add_group()
        engine.subscribe(second, [other, rig.queue])
        rig.start(2)
        rig.start(1, group=second)
        rig.start_keeper()
        runs: Counter[int] = Counter()
        ends: Counter[int] = Counter()
        lock = threading.Lock()
        everything: list[Any] = []
        withdrawn: list[Any] = []

        def run() -> None:
            with lock:
                runs[core.current().id] += 1

        def over(task: Any) -> None:
            with lock:
                ends[task.id] += 1

        def submit(number: int) -> None:
            dice = random.Random(seed * 100 + number)
            for _ in range(1500):
                queue = dice.choice([rig.queue, other])
                task = engine.enqueue(
                    run,
                    queue=queue,
                    lane=dice.randrange(2),
                    front=dice.random() < 0.2,
                    delay=dice.choice([None, None, 0.0005]),
                    expires=dice.choice([None, None, 0.001, 60.0]),
                )
                counted = task.add_callback(over)
                with lock:
                    everything.append(task)
                    if not counted:
                        ends[task.id] += 1
                if dice.random() < 0.2 and task.withdraw():
                    with lock:
                        withdrawn.append(task)

        def batches() -> None:
            for _ in range(100):
                items = [(run, (), None, n % 2, None, None, None, None, None, other) for n in range(10)]
                tasks = engine.enqueue_many(items, limit=0)
                with lock:
                    everything.extend(tasks)
                for task in tasks:
                    if not task.add_callback(over):
                        over(task)

        def disturb() -> None:
            dice = random.Random(seed)
            for _ in range(200):
                group = dice.choice([rig.group, second])
                engine.pause_group(group, True)
                engine.subscribe(group, dice.choice([[rig.queue, other], [other, rig.queue], [other]]))
                engine.rotate(group, dice.random() < 0.5)
                engine.pending(other), engine.tasks(), engine.totals(), engine.delayed()
                engine.pause_group(group, False)
                if dice.random() < 0.2:
                    [worker] = rig.start(1, group=group)
                    engine.stop_worker(worker)
            engine.subscribe(rig.group, [rig.queue, other])
            engine.subscribe(second, [other, rig.queue])

        def burst() -> None:
            for _ in range(200):
                engine.run_until_empty([other], 5)
                task = engine.claim([rig.queue])
                if task is not None:
                    engine.perform(task)

        in_threads(lambda: submit(1), lambda: submit(2), batches, disturb, burst)
        assert engine.drain(LONG), f"{engine.outstanding()} never ended"
        states = Counter(task.state for task in everything)
        assert set(states) <= {core.COMPLETED, core.CANCELLED}
        for task in everything:
            assert runs[task.id] == (1 if task.state == core.COMPLETED else 0), task
            assert ends[task.id] == 1, task
        assert all(task.state == core.CANCELLED for task in withdrawn)
        totals = engine.totals()
        assert totals["completed"] == states[core.COMPLETED]
        assert totals["cancelled"] == states[core.CANCELLED]
        assert totals["submitted"] == len(everything)
        assert totals["scheduled"] == 0
        assert engine.queued(rig.queue) == engine.queued(other) == 0


def test_no_wake_up_is_lost(switching: float) -> None:
    """One task at a time: each push meets a worker that is just falling asleep."""
    with Rig(ring_size=1) as rig:
        rig.start(2)
        for n in range(60_000):
            assert rig.engine.enqueue(abs, (n,), queue=rig.queue, keep=False).wait(SOON), f"round {n} hangs"


def test_claimers_and_workers_side_by_side(switching: float) -> None:
    with Rig(ring_size=2) as rig:
        rig.start(1)
        over = threading.Event()
        done: list[int] = []

        def claimer() -> None:
            while not over.is_set():
                task = rig.engine.claim([rig.queue], 0.01)
                if task is not None:
                    rig.engine.perform(task)

        def produce() -> None:
            try:
                for n in range(4000):
                    rig.engine.enqueue(done.append, (n,), queue=rig.queue, keep=False)
                assert rig.engine.drain(LONG)
            finally:
                over.set()

        in_threads(claimer, claimer, produce)
        assert sorted(done) == list(range(4000))


def test_one_outcome_per_attempt(switching: float) -> None:
    """finish, fail, drop and the worker itself race for each attempt."""

    class Retrying(core.Engine):
        def _failed(self, task: Any, error: BaseException) -> Any:
            return 0.0 if task.attempt < 3 else None

    with Rig(engine_type=Retrying) as rig:
        rig.start(2)
        rig.start_keeper()
        ended: list[int] = []

        def over(task: Any) -> None:
            ended.append(task.id)

        def racing(n: int) -> None:
            if n % 2:
                raise ValueError(n)

        tasks: list[Any] = []
        for n in range(3000):
            task = rig.engine.enqueue(racing, (n,), queue=rig.queue)
            if not task.add_callback(over):
                over(task)
            tasks.append(task)
        wins: list[int] = []

        def meddle(seed: int) -> None:
            dice = random.Random(seed)
            for task in tasks:
                attempt = dice.randint(1, 3)
                how = dice.choice(
                    [task.drop, lambda a, t=task: t.finish(a, None), lambda a, t=task: t.fail(a, KeyError())]
                )
                if how(attempt):
                    wins.append(task.id)

        in_threads(lambda: meddle(1), lambda: meddle(2))
        assert rig.engine.drain(LONG)
        assert sorted(ended) == [task.id for task in tasks]
        assert len(wins) == len(set(wins))


def test_engines_come_and_go(no_thread_leak: None) -> None:
    from brokerless import BackgroundTasks

    dice = random.Random(7)
    for _ in range(150):
        tasks = BackgroundTasks(dice.randint(1, 3), queue_size=None)
        handles = [tasks.add_task(abs, -n, delay_ms=dice.choice([0, 0, 1])) for n in range(dice.randint(0, 200))]
        how = dice.choice([{}, {"cancel_pending": True}, {"wait_for_completion": False}, {"timeout": 0.001}])
        tasks.shutdown(**how)
        for handle in handles:
            assert handle._wait(SOON), (handle, how)
