"""In which order a worker empties several queues."""

from __future__ import annotations

import pytest

from . import jobs


@pytest.fixture
def filled(rq, connection):
    """Return two queues with three jobs each."""
    made = [rq.Queue(name, connection=connection) for name in ("high", "low")]
    for number in range(3):
        for queue in made[::-1]:
            queue.enqueue(jobs.say, f"{queue.name[0]}{number}")
    return made


def test_first_queue_first(filled, burst, observed):
    burst(["high", "low"])
    observed("order", jobs.notes())


def test_order_is_that_of_the_worker(filled, burst, observed):
    burst(["low", "high"])
    observed("order", jobs.notes())


def test_round_robin(filled, burst, observed):
    burst(["high", "low"], dequeue_strategy="round_robin")
    observed("order", jobs.notes())


def test_round_robin_of_uneven_queues(rq, filled, connection, burst, observed):
    rq.Queue("mid", connection=connection).enqueue(jobs.say, "m0")
    burst(["high", "mid", "low"], dequeue_strategy="round_robin")
    observed("order", jobs.notes())


def test_random_runs_all(filled, burst):
    burst(["high", "low"], dequeue_strategy="random")
    assert sorted(jobs.notes()) == ["h0", "h1", "h2", "l0", "l1", "l2"]
    for letter in "hl":
        assert [note for note in jobs.notes() if note[0] == letter] == [f"{letter}{number}" for number in range(3)]


def test_unknown_strategy(filled, burst, observed, logs):
    observed("worked", burst(["high", "low"], dequeue_strategy="nonsense"))
    observed("ran", jobs.notes())
    observed("logged", len(logs.having("unhandled exception")))


def test_strategy_names(rq, observed):
    observed("values", sorted(strategy.value for strategy in rq.DequeueStrategy))


@pytest.mark.parametrize("kind", ["RoundRobinWorker", "RandomWorker"])
def test_worker_classes(rq, filled, connection, kind):
    getattr(rq, kind)(["high", "low"], connection=connection).work(burst=True)
    ran = jobs.notes()
    assert sorted(ran) == ["h0", "h1", "h2", "l0", "l1", "l2"]
    if kind == "RoundRobinWorker":
        assert ran == ["h0", "l0", "h1", "l1", "h2", "l2"]


def test_a_job_added_to_the_first_queue_goes_before(rq, connection, burst, observed):
    high, low = rq.Queue("high", connection=connection), rq.Queue("low", connection=connection)
    low.enqueue(add_to_high)
    low.enqueue(jobs.say, "low")
    burst([high, low])
    observed("order", jobs.notes())


def add_to_high():
    """Enqueue a job in a queue of higher priority."""
    from .names import names

    job = names().get_current_job()
    jobs.note("adding")
    names().Queue("high", connection=job.connection).enqueue(jobs.say, "high")


def test_queues_that_are_not_listened_to_are_left(filled, burst, observed):
    burst(["high"])
    observed("left", [queue.count for queue in filled])


def test_max_jobs_over_two_queues(filled, burst, observed):
    burst(["high", "low"], max_jobs=4)
    observed("order", jobs.notes())
