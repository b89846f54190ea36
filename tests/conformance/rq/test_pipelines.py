"""``pipeline=``: nothing is visible before ``execute``, and a pipeline carries keys and jobs together."""

from __future__ import annotations

import pytest

from . import jobs
from .watch import outcome


def test_enqueue_waits_for_execute(rq, queue, connection, observed):
    with connection.pipeline() as pipe:
        job = queue.enqueue(jobs.nothing, job_id="J", pipeline=pipe)
        observed("local", job.get_status(refresh=False).value)
        observed("before", [queue.count, rq.Job.exists("J", connection=connection)])
        pipe.execute()
    observed("after", [queue.count, job.get_status().value])


def test_a_pipeline_that_is_not_executed(rq, queue, connection, observed):
    with connection.pipeline() as pipe:
        queue.enqueue(jobs.nothing, job_id="J", pipeline=pipe)
    observed("after", [queue.count, rq.Job.exists("J", connection=connection)])


def test_reset_drops_what_waits(queue, connection, observed):
    pipe = connection.pipeline()
    queue.enqueue(jobs.nothing, pipeline=pipe)
    pipe.reset()
    observed("executed", pipe.execute())
    observed("count", queue.count)


def test_two_queues_in_one_pipeline(rq, queue, connection, observed):
    low = rq.Queue("low", connection=connection)
    with connection.pipeline() as pipe:
        queue.enqueue(jobs.nothing, pipeline=pipe)
        low.enqueue(jobs.nothing, pipeline=pipe)
        observed("before", [queue.count, low.count])
        pipe.execute()
    observed("after", [queue.count, low.count])


def test_keys_and_jobs_in_one_pipeline(queue, connection, observed):
    with connection.pipeline() as pipe:
        queue.enqueue(jobs.nothing, pipeline=pipe)
        pipe.set("conformance:key", "value")
        observed("before", [connection.get("conformance:key"), queue.count])
        pipe.execute()
    observed("after", [connection.get("conformance:key"), queue.count])


def test_enqueue_many(rq, queue, connection, observed):
    with connection.pipeline() as pipe:
        data = [rq.Queue.prepare_data(jobs.nothing, job_id=name) for name in "abc"]
        made = queue.enqueue_many(data, pipeline=pipe)
        observed("before", [len(made), queue.count])
        pipe.execute()
    observed("after", queue.job_ids)


def test_at_front(queue, connection, observed):
    queue.enqueue(jobs.nothing, job_id="first")
    with connection.pipeline() as pipe:
        queue.enqueue(jobs.nothing, job_id="front", at_front=True, pipeline=pipe)
        pipe.execute()
    observed("ids", queue.job_ids)


def test_dependent_job(queue, connection, burst, observed):
    parent = queue.enqueue(jobs.say, "parent")
    with connection.pipeline() as pipe:
        child = queue.enqueue(jobs.say, "child", depends_on=parent, pipeline=pipe)
        pipe.execute()
    observed("status", child.get_status().value)
    burst()
    observed("notes", jobs.notes())


def test_save_and_delete(rq, queue, connection, observed):
    job = queue.enqueue(jobs.nothing, job_id="J")
    with connection.pipeline() as pipe:
        job.description = "new"
        job.save(pipeline=pipe)
        observed("before", rq.Job.fetch("J", connection=connection).description == "new")
        pipe.execute()
    observed("after", rq.Job.fetch("J", connection=connection).description)
    with connection.pipeline() as pipe:
        job.delete(pipeline=pipe)
        pipe.execute()
    observed("deleted", [rq.Job.exists("J", connection=connection), queue.count])


def test_remove_and_push(queue, connection, observed):
    queue.enqueue(jobs.nothing, job_id="J")
    with connection.pipeline() as pipe:
        queue.remove("J", pipeline=pipe)
        queue.push_job_id("K", pipeline=pipe)
        observed("before", queue.job_ids)
        pipe.execute()
    observed("after", queue.job_ids)


def test_set_status(rq, queue, connection, observed):
    job = queue.enqueue(jobs.nothing)
    with connection.pipeline() as pipe:
        job.set_status(rq.JobStatus.FAILED, pipeline=pipe)
        observed("before", rq.Job.fetch(job.id, connection=connection).get_status().value)
        pipe.execute()
    observed("after", rq.Job.fetch(job.id, connection=connection).get_status().value)


def test_cancel(queue, connection, observed):
    job = queue.enqueue(jobs.nothing)
    with connection.pipeline() as pipe:
        job.cancel(pipeline=pipe)
        pipe.execute()
    observed("after", [job.get_status().value, queue.count, queue.canceled_job_registry.count])


def test_registry_add_and_remove(queue, connection, observed):
    job = queue.enqueue(jobs.nothing)
    registry = queue.finished_job_registry
    with connection.pipeline() as pipe:
        registry.add(job, ttl=50, pipeline=pipe)
        observed("before", registry.count)
        pipe.execute()
    observed("added", registry.count)
    with connection.pipeline() as pipe:
        registry.remove(job, pipeline=pipe)
        pipe.execute()
    observed("removed", registry.count)


def test_execute_answers(connection, observed):
    with connection.pipeline() as pipe:
        pipe.set("conformance:a", 1).incr("conformance:a").get("conformance:a")
        observed("answers", pipe.execute())
        observed("empty", pipe.execute())


def test_length_of_a_pipeline(connection, observed):
    with connection.pipeline() as pipe:
        pipe.set("conformance:a", 1)
        pipe.get("conformance:a")
        observed("length", len(pipe))


def test_watch_sees_a_change(rq, connection, connect, observed):
    other = connect()
    connection.set("conformance:a", 1)
    with connection.pipeline() as pipe:
        pipe.watch("conformance:a")
        value = int(pipe.get("conformance:a"))
        other.set("conformance:a", 5)
        pipe.multi()
        pipe.set("conformance:a", value + 1)
        observed("error", outcome(pipe.execute).split(":")[0])
    observed("value", connection.get("conformance:a"))


def test_watch_without_a_change(connection, observed):
    connection.set("conformance:a", 1)
    with connection.pipeline() as pipe:
        pipe.watch("conformance:a")
        pipe.multi()
        pipe.incr("conformance:a")
        observed("answer", pipe.execute())


@pytest.mark.parametrize("transaction", [True, False])
def test_transaction_argument(connection, observed, transaction):
    with connection.pipeline(transaction=transaction) as pipe:
        pipe.set("conformance:a", 1)
        observed("answer", pipe.execute())


def test_group_and_keys(rq, queue, connection, observed):
    group = rq.Group.create(connection=connection, name="g")
    with connection.pipeline() as pipe:
        pipe.set("conformance:a", 1)
        group.enqueue_many(queue, [rq.Queue.prepare_data(jobs.nothing, job_id="J")], pipeline=pipe)
        pipe.execute()
    observed("after", [queue.job_ids, connection.get("conformance:a")])
