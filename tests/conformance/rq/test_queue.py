"""The Queue object: looking into it, taking out, emptying, comparing; ``Queue.all`` and ``dequeue_any``."""

from __future__ import annotations

from datetime import timedelta

import pytest

from . import jobs
from .watch import outcome


@pytest.fixture
def filled(queue):
    """Return the default queue with the jobs a, b, c, d."""
    for name in "abcd":
        queue.enqueue(jobs.nothing, job_id=name)
    return queue


def test_an_empty_queue(queue, observed):
    observed("answers", [queue.count, len(queue), bool(queue), queue.is_empty(), queue.job_ids, queue.jobs])
    observed("names", [queue.name, queue.key, queue.is_async])


def test_default_name(rq, connection, observed):
    observed("name", rq.Queue(connection=connection).name)


def test_positional_arguments(rq, connection, observed):
    queue = rq.Queue("q", connection, 77, False)
    observed("fields", [queue.name, queue._default_timeout, queue.is_async])


def test_counts(filled, observed):
    observed("answers", [filled.count, len(filled), filled.is_empty(), bool(filled)])


@pytest.mark.parametrize(("offset", "length"), [(0, -1), (0, 2), (1, 2), (2, 10), (9, 1), (1, -1)])
def test_slices(filled, observed, offset, length):
    observed("ids", filled.get_job_ids(offset, length))
    observed("jobs", [job.id for job in filled.get_jobs(offset, length)])


@pytest.mark.rq212("rq212-length-zero")
def test_slice_of_no_length(filled, observed):
    observed("ids", filled.get_job_ids(0, 0))


def test_positions(filled, observed):
    job = filled.fetch_job("c")
    observed("positions", [filled.get_job_position(job), filled.get_job_position("a"), filled.get_job_position("x")])


def test_remove(filled, observed):
    observed("answers", [filled.remove("b"), filled.remove(filled.fetch_job("d")), filled.remove("b")])
    observed("ids", filled.job_ids)


def test_remove_leaves_the_record(rq, filled, connection, observed):
    filled.remove("b")
    observed("status", rq.Job.fetch("b", connection=connection).get_status().value)


def test_empty(rq, filled, connection, observed):
    observed("removed", filled.empty())
    observed("count", filled.count)
    observed("record", rq.Job.exists("a", connection=connection))
    observed("again", filled.empty())


def test_delete(rq, filled, connection, observed):
    filled.delete()
    observed("queues", rq.Queue.all(connection=connection))
    observed("record", rq.Job.exists("a", connection=connection))


def test_delete_can_keep_the_jobs(rq, filled, connection, observed):
    filled.delete(delete_jobs=False)
    observed("record", rq.Job.exists("a", connection=connection))
    observed("count", filled.count)


def test_push_and_pop(filled, observed):
    filled.push_job_id("x")
    filled.push_job_id("y", at_front=True)
    observed("ids", filled.job_ids)
    observed("popped", [filled.pop_job_id(), filled.pop_job_id()])
    observed("left", filled.job_ids)


def test_compact_drops_ids_without_a_record(filled, observed):
    filled.push_job_id("ghost")
    filled.compact()
    observed("ids", filled.job_ids)


def test_comparison(rq, connection, observed):
    one, same, other = (rq.Queue(name, connection=connection) for name in "aab")
    observed("answers", [one == same, one == other, one < other, one >= same, hash(one) == hash(same)])
    observed("sorted", [queue.name for queue in sorted([other, one])])
    observed("stranger", outcome(lambda: one == "a"))
    observed("less than a stranger", outcome(lambda: one < 3))


def test_all(rq, connection, observed):
    low, high = rq.Queue("low", connection=connection), rq.Queue("high", connection=connection)
    observed("unused", rq.Queue.all(connection=connection))
    job = low.enqueue(jobs.nothing)
    high.enqueue(jobs.nothing, depends_on=job)
    rq.Queue("sch", connection=connection).enqueue_in(timedelta(1), jobs.nothing)
    observed("names", sorted(queue.name for queue in rq.Queue.all(connection=connection)))
    low.empty()
    observed("after emptying", sorted(queue.name for queue in rq.Queue.all(connection=connection)))


def test_iterating_gives_itself(queue, observed):
    observed("first", next(iter(queue)) == queue)


def test_from_key(rq, connection, observed):
    observed("name", rq.Queue.from_queue_key("rq:queue:low", connection=connection).name)
    observed("error", outcome(lambda: rq.Queue.from_queue_key("some:low", connection=connection)))
    observed("prefix", rq.Queue.redis_queue_namespace_prefix)


def test_dequeue_any(rq, filled, connection, observed):
    low = rq.Queue("low", connection=connection)
    low.enqueue(jobs.nothing, job_id="l")
    job, found = rq.Queue.dequeue_any([low, filled], None, connection=connection)
    observed("first", [job.id, found.name])
    job, found = rq.Queue.dequeue_any([low, filled], None, connection=connection)
    observed("second", [job.id, found.name])
    observed("nothing", rq.Queue.dequeue_any([low], None, connection=connection))


def test_dequeue_any_skips_ghosts(rq, queue, connection, observed):
    queue.push_job_id("ghost")
    queue.enqueue(jobs.nothing, job_id="real")
    observed("id", rq.Queue.dequeue_any([queue], None, connection=connection)[0].id)


def test_dequeue_timeouts(rq, queue, connection, observed):
    observed("zero", outcome(lambda: rq.Queue.dequeue_any([queue], 0, connection=connection)))
    observed("one", outcome(lambda: rq.Queue.dequeue_any([queue], 1, connection=connection)).split(":")[0])


def test_custom_queue_class(rq, connection, observed):
    class Own(rq.Queue):
        pass

    observed("repr", [repr(Own("q", connection=connection)), str(Own("q", connection=connection))])
    assert Own("q", connection=connection) == rq.Queue("q", connection=connection)


def test_two_objects_are_one_queue(rq, connection, connect, observed):
    rq.Queue("shared", connection=connection).enqueue(jobs.nothing, job_id="x")
    observed("ids", rq.Queue("shared", connection=connect()).job_ids)


def test_jobs_of_two_queues_are_apart(rq, connection, observed):
    low, high = rq.Queue("low", connection=connection), rq.Queue("high", connection=connection)
    low.enqueue(jobs.nothing, job_id="l")
    observed("counts", [low.count, high.count, high.fetch_job("l"), low.fetch_job("l").id])


def test_a_lost_record_is_dropped_by_jobs(rq, filled, connection, observed):
    rq.Job.fetch("b", connection=connection).delete(remove_from_queue=False)
    observed("before", [filled.count, filled.job_ids])
    observed("jobs", [job.id for job in filled.jobs])
    observed("after", [filled.count, filled.job_ids])


def test_is_async_reads(rq, connection, observed):
    observed("values", [rq.Queue("a", connection=connection, is_async=value).is_async for value in (True, False)])


def test_maintenance_lock(queue, observed):
    first, second = queue.acquire_maintenance_lock(), queue.acquire_maintenance_lock()
    queue.release_maintenance_lock()
    observed("taken", [bool(first), bool(queue.acquire_maintenance_lock())])
    observed("twice", bool(second))
    observed("ends", queue.connection.ttl(queue.registry_cleaning_key))


def test_scheduler_pid_without_a_scheduler(queue, observed):
    observed("pid", queue.scheduler_pid)
