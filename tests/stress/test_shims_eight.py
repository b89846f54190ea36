"""Eight threads that use the shims at once, from their first call on: tasks, results, groups, chains, chords, retries,
failures and signals in Celery's; jobs, dependants, retries, callbacks and registries in RQ's. Every task is accounted for.

With a GIL the threads take turns; without one they overlap wherever there are cores.
"""

from __future__ import annotations

import itertools
import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from brokerless.compat.celery_shim import Celery, chain, chord, group, signals
from brokerless.compat.celery_shim.backends.local import LocalBackend
from brokerless.compat.rq_shim import Callback, Queue, Retry
from brokerless.compat.rq_shim.connections import Redis
from brokerless.compat.rq_shim.runtime import engines

from brokerless import Engine
from tests.stress.test_engine_threads import LONG, in_threads

THREADS = 8
ROUNDS = 25
"""What each thread does, one after the other, in the long tests."""
NEW = 8
"""Applications, databases, whose first calls come from all threads."""
_names = itertools.count()


def at_once(main: Callable[[int], None]) -> None:
    """`main` in eight threads, which begin together."""
    begin = threading.Barrier(THREADS)

    def run(index: int) -> None:
        begin.wait(LONG)
        main(index)

    in_threads(*(lambda index=index: run(index) for index in range(THREADS)))


class Tally:
    """What was counted, by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.of: Counter[Any] = Counter()

    def add(self, what: Any) -> None:
        """One more."""
        with self._lock:
            self.of[what] += 1


class Shop:
    """A Celery application whose tasks count their runs."""

    def __init__(self) -> None:
        self.app = Celery(f"eight-{next(_names)}", broker=f"memory://eight-{next(_names)}", set_as_current=False)
        self.ran = ran = Tally()

        @self.app.task(shared=False, name="double")
        def double(number: int) -> int:
            ran.add(number)
            return number * 2

        @self.app.task(shared=False, name="total")
        def total(numbers: list[int]) -> int:
            ran.add(("total", tuple(numbers)))
            return sum(numbers)

        @self.app.task(shared=False, name="fails", ignore_result=False)
        def fails(number: int) -> None:
            ran.add(number)
            raise ValueError(number)

        @self.app.task(bind=True, shared=False, name="again", max_retries=1, default_retry_delay=0)
        def again(self: Any, number: int) -> int:
            ran.add((number, self.request.retries))
            if self.request.retries == 0:
                raise self.retry()
            return number

        @self.app.task(shared=False, name="limited", time_limit=60, soft_time_limit=50)
        def limited(number: int) -> int:
            ran.add(number)
            return number

        self.double, self.total, self.fails, self.again, self.limited = double, total, fails, again, limited

    def one(self, dice: random.Random, number: int) -> tuple[Counter[Any], int]:
        """Uses the application once, with numbers from `number` on; what has to have run, and how many tasks ended well."""
        kind = dice.choice(["delay", "delay", "group", "chain", "chord", "fails", "again", "limited"])
        several = [number + step for step in range(dice.randrange(1, 5))]
        doubled = [each * 2 for each in several]
        if kind == "group":
            assert group(self.double.s(each) for each in several)().get(timeout=LONG) == doubled
            return Counter(several), len(several)
        if kind == "chain":
            assert chain(self.double.s(number), self.double.s())().get(timeout=LONG) == number * 4
            return Counter([number, number * 2]), 2
        if kind == "chord":
            assert chord(self.double.s(each) for each in several)(self.total.s()).get(timeout=LONG) == sum(doubled)
            return Counter([*several, ("total", tuple(doubled))]), len(several) + 1
        if kind == "fails":
            with pytest.raises(ValueError, match=str(number)):
                self.fails.delay(number).get(timeout=LONG)
            return Counter([number]), 0
        if kind == "again":
            assert self.again.delay(number).get(timeout=LONG) == number
            return Counter([(number, 0), (number, 1)]), 1
        task = self.limited if kind == "limited" else self.double
        assert task.delay(number).get(timeout=LONG) == (number if kind == "limited" else number * 2)
        return Counter([number]), 1


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every failure of a task is logged with its traceback."""
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, no_thread_leak: None) -> Iterator[Callable[[], Shop]]:
    """Makes applications whose workers start by themselves; closes them at the end."""
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "1")
    made: list[Shop] = []

    def make() -> Shop:
        made.append(Shop())
        return made[-1]

    yield make
    for each in made:
        each.app.close()


def use(shop: Shop, index: int, rounds: int, expected: list[Counter[Any]], well: list[int]) -> None:
    """What one of the threads does: numbers of its own, far from those of the others."""
    dice = random.Random(index)
    for step in range(rounds):
        ran, good = shop.one(dice, (index * rounds + step) * 1000 + 1)
        expected[index] += ran
        well[index] += good


def test_celery_from_eight_threads(shop: Callable[[], Shop]) -> None:
    celery = shop()
    heard = Tally()
    over = threading.Event()
    expected: list[Counter[Any]] = [Counter() for _ in range(THREADS)]
    well = [0] * THREADS

    def ends(sender: Any = None, **_: Any) -> None:
        if sender.app is celery.app:
            heard.add("success")

    def starts(sender: Any = None, **_: Any) -> None:
        if sender.app is celery.app:
            heard.add("prerun")

    def come_and_go() -> None:
        while not over.is_set():
            listeners = [lambda **_: None for _ in range(4)]
            for listener in listeners:
                signals.task_success.connect(listener, weak=False)
                signals.before_task_publish.connect(listener)  # gone with its last reference
            for listener in listeners:
                signals.task_success.disconnect(listener)
            over.wait(0.001)

    signals.task_success.connect(ends)
    signals.task_prerun.connect(starts)
    restless = threading.Thread(target=come_and_go)
    restless.start()
    try:
        at_once(lambda index: use(celery, index, ROUNDS, expected, well))
    finally:
        over.set()
        restless.join(LONG)
        signals.task_success.disconnect(ends)
        signals.task_prerun.disconnect(starts)
    whole = sum(expected, Counter())
    assert celery.ran.of == whole
    celery.app.close()  # the last signal is sent after the result is there
    assert (heard.of["success"], heard.of["prerun"]) == (sum(well), sum(whole.values()))


def test_the_first_calls_of_new_celery_applications_from_eight_threads(shop: Callable[[], Shop]) -> None:
    for _ in range(NEW):
        celery = shop()
        expected: list[Counter[Any]] = [Counter() for _ in range(THREADS)]
        at_once(lambda index: use(celery, index, 2, expected, [0] * THREADS))  # noqa: B023  # over when it returns
        assert celery.ran.of == sum(expected, Counter())
        celery.app.close()


def test_results_are_bounded_while_eight_threads_write_them(shop: Callable[[], Shop]) -> None:
    celery = shop()
    celery.app.conf.result_max = 500
    backend = LocalBackend(celery.app, url=f"memory://{next(_names)}")

    def write(index: int) -> None:
        for number in range(2000):
            backend.store_result(f"{index}-{number}", number, "SUCCESS" if number % 2 else "STARTED")
            if number % 7 == 0:
                backend.forget(f"{index}-{number}")
            else:
                assert backend.get_state(f"{index}-{number}") in ("SUCCESS", "STARTED", "PENDING")

    at_once(write)
    backend.store_result("last", 1, "SUCCESS")
    assert len(backend._results) <= 500 + THREADS


_ran = Tally()


def work(number: int) -> int:
    """A job."""
    _ran.add(number)
    return number * 2


def fail_once(number: int) -> int:
    """A job that its first attempt fails."""
    _ran.add(number)
    if _ran.of[number] == 1:
        raise ValueError(number)
    return number * 2


def fail(number: int) -> None:
    """A job that fails."""
    _ran.add(number)
    raise ValueError(number)


def succeeded(job: Any, _connection: Any, value: int) -> None:
    """A callback of a job."""
    _ran.add(("success", job.args[0], value))


@pytest.fixture
def rq(monkeypatch: pytest.MonkeyPatch, no_thread_leak: None) -> Iterator[Callable[[], Redis]]:
    """Makes databases, each with an engine of its own whose threads start by themselves."""
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "1")
    monkeypatch.setenv("BROKERLESS_RQ_WORKERS", "4")
    _ran.of.clear()
    made: list[Engine] = []

    def make() -> Redis:
        made.append(Engine(name="rq-eight"))
        engines.use_engine(made[-1])
        return Redis(db=5000 + next(_names))

    yield make
    engines.use_engine(None)
    for engine in made:
        engine.shut_down(True, LONG, True)


def use_rq(connection: Redis, index: int, rounds: int, expected: Counter[Any], jobs: list[Any]) -> None:
    """What one of the threads does, on queues that others use too."""
    dice = random.Random(index)
    for step in range(rounds):
        number = (index * rounds + step) * 10 + 1
        queue = Queue(dice.choice(["one", "two", f"own-{index}"]), connection=connection)
        kind = dice.choice(["plain", "plain", "depends", "retry", "fails", "callback", "many"])
        expected[number] += 1
        if kind == "depends":
            first = queue.enqueue(work, number)
            jobs.append(first)
            jobs.append(queue.enqueue(work, number + 1, depends_on=first))
            expected[number + 1] += 1
        elif kind == "retry":
            jobs.append(queue.enqueue(fail_once, number, retry=Retry(max=2)))
            expected[number] += 1
        elif kind == "fails":
            jobs.append(queue.enqueue(fail, number))
        elif kind == "callback":
            jobs.append(queue.enqueue(work, number, on_success=Callback(succeeded)))
            expected["success", number, number * 2] += 1
        elif kind == "many":
            jobs += queue.enqueue_many([Queue.prepare_data(work, (number + more,)) for more in range(3)])
            expected.update([number + 1, number + 2])
        else:
            jobs.append(queue.enqueue(work, number))
        if dice.random() < 0.5:
            assert jobs[-1].wait(LONG)
        if dice.random() < 0.1:
            assert len(queue.finished_job_registry) + len(queue.failed_job_registry) >= 0
            assert isinstance(queue.job_ids, list)


def check_rq(jobs: list[list[Any]], expected: list[Counter[Any]]) -> None:
    """Every job has ended as it should and ran as often as it should."""
    for job in itertools.chain(*jobs):
        assert job.wait(LONG), job
        failed = job.func_name.endswith(".fail")
        assert job.get_status() == ("failed" if failed else "finished")
        assert job.return_value() == (None if failed else job.args[0] * 2)
    assert _ran.of == sum(expected, Counter())


def test_rq_from_eight_threads(rq: Callable[[], Redis]) -> None:
    connection = rq()
    expected: list[Counter[Any]] = [Counter() for _ in range(THREADS)]
    jobs: list[list[Any]] = [[] for _ in range(THREADS)]
    at_once(lambda index: use_rq(connection, index, ROUNDS, expected[index], jobs[index]))
    check_rq(jobs, expected)
    connection.flushdb()


def test_the_first_jobs_of_new_databases_from_eight_threads(rq: Callable[[], Redis]) -> None:
    for _ in range(NEW):
        connection = rq()
        _ran.of.clear()
        expected: list[Counter[Any]] = [Counter() for _ in range(THREADS)]
        jobs: list[list[Any]] = [[] for _ in range(THREADS)]
        at_once(lambda index: use_rq(connection, index, 2, expected[index], jobs[index]))  # noqa: B023  # as above
        check_rq(jobs, expected)
        connection.flushdb()
