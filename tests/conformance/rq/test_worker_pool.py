"""WorkerPool, RoundRobin and Spawn workers, and the registration of workers."""

from __future__ import annotations

import pytest

from . import jobs
from .watch import outcome, until


def test_a_pool(rq, queue, connection, observed):
    low = rq.Queue("low", connection=connection)
    pool = rq.WorkerPool([queue, "low"], connection=connection, num_workers=2)
    observed("queues", [str(one) for one in pool.queues])
    observed("fields", [pool.num_workers, pool.number_of_active_workers, pool.status.value])
    assert pool.queues == [queue, low]


def test_a_burst_of_a_pool(rq, queue, connection, observed):
    made = [queue.enqueue(jobs.say, str(number)) for number in range(4)]
    pool = rq.WorkerPool([queue], connection=connection, num_workers=2)
    pool.start(burst=True)
    until(lambda: all(job.get_status() == "finished" for job in made))
    assert sorted(jobs.notes()) == ["0", "1", "2", "3"]
    observed("workers", rq.Worker.count(connection=connection))


def test_pool_without_workers(rq, queue, connection, observed):
    pool = rq.WorkerPool([queue], connection=connection)
    observed("default", pool.num_workers)


def test_worker_keys(rq, queue, connection, observed):
    registration = rq.module("worker_registration")
    observed("none", sorted(registration.get_keys(connection=connection)))
    helper = rq.SimpleWorker([queue], name="W", connection=connection)
    helper.register_birth()
    observed("all", sorted(registration.get_keys(connection=connection)))
    observed("queue", sorted(registration.get_keys(queue)))
    observed("error", outcome(registration.get_keys))
    helper.register_death()
    observed("after", sorted(registration.get_keys(connection=connection)))


@pytest.mark.parametrize("kind", ["SimpleWorker", "Worker", "SpawnWorker"])
def test_kinds_of_workers(rq, queue, connection, observed, kind):
    job = queue.enqueue(jobs.add, 1)
    helper = getattr(rq, kind)([queue], name="W", connection=connection)
    observed("name", [helper.name, helper.queue_names()])
    observed("base", isinstance(helper, rq.BaseWorker))
    observed("status", job.get_status().value)


def test_clean_worker_registry(rq, queue, connection, observed):
    registration = rq.module("worker_registration")
    helper = rq.SimpleWorker([queue], name="W", connection=connection)
    helper.register_birth()
    registration.clean_worker_registry(queue)
    observed("kept", sorted(registration.get_keys(queue)))
    helper.register_death()
