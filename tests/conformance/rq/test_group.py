"""Groups of jobs."""

from __future__ import annotations

from . import jobs
from .watch import outcome, until


def data(rq, *words):
    """Return job data for words."""
    return [rq.Queue.prepare_data(jobs.say, (word,), job_id=word) for word in words]


def test_a_new_group(rq, connection, observed):
    group = rq.Group.create(connection=connection, name="g")
    observed("group", [group.name, repr(group), group.key, group.get_jobs()])
    assert len(rq.Group.create(connection=connection).name) == 32


def test_enqueue_many(rq, queue, connection, burst, observed):
    group = rq.Group.create(connection=connection, name="g")
    made = group.enqueue_many(queue, data(rq, "a", "b"))
    observed("jobs", [job.id for job in made])
    observed("group ids", [job.group_id for job in made])
    observed("stored", rq.Job.fetch("a", connection=connection).group_id)
    observed("in queue", queue.job_ids)
    burst()
    observed("notes", jobs.notes())


def test_get_jobs(rq, queue, connection, observed):
    group = rq.Group.create(connection=connection, name="g")
    group.enqueue_many(queue, data(rq, "a", "b"))
    observed("ids", sorted(job.id for job in group.get_jobs()))
    group.enqueue_many(queue, data(rq, "c"))
    observed("more", sorted(job.id for job in rq.Group.fetch("g", connection=connection).get_jobs()))


def test_fetch_of_nothing(rq, connection, observed):
    observed("error", outcome(lambda: rq.Group.fetch("none", connection=connection)))
    rq.Group.create(connection=connection, name="empty")
    observed("empty", outcome(lambda: rq.Group.fetch("empty", connection=connection)))


def test_all(rq, queue, connection, observed):
    observed("none", rq.Group.all(connection=connection))
    for name in ("g", "h"):
        rq.Group.create(connection=connection, name=name).enqueue_many(queue, data(rq, name))
    observed("names", sorted(group.name for group in rq.Group.all(connection=connection)))


def test_a_group_whose_jobs_are_gone(rq, queue, connection, observed):
    group = rq.Group.create(connection=connection, name="g")
    (job,) = group.enqueue_many(queue, data(rq, "a"))
    job.delete()
    observed("jobs", group.get_jobs())
    observed("all", rq.Group.all(connection=connection))
    observed("fetch", outcome(lambda: rq.Group.fetch("g", connection=connection)))


def test_expired_jobs_leave(rq, queue, connection, burst):
    group = rq.Group.create(connection=connection, name="g")
    group.enqueue_many(queue, [rq.Queue.prepare_data(jobs.nothing, job_id="a", result_ttl=1)])
    assert burst()
    until(lambda: not group.get_jobs())


def test_delete_job(rq, queue, connection, observed):
    group = rq.Group.create(connection=connection, name="g")
    group.enqueue_many(queue, data(rq, "a", "b"))
    group.delete_job("a")
    observed("ids", [job.id for job in group.get_jobs()])
    observed("exists", rq.Job.exists("a", connection=connection))


def test_finished_jobs_stay(rq, queue, connection, burst, observed):
    group = rq.Group.create(connection=connection, name="g")
    group.enqueue_many(queue, data(rq, "a"))
    burst()
    observed("jobs", [[job.id, job.get_status().value] for job in group.get_jobs()])


def test_clean_registries(rq, queue, connection, observed):
    group = rq.Group.create(connection=connection, name="g")
    (job,) = group.enqueue_many(queue, data(rq, "a"))
    job.delete()
    rq.Group.clean_registries(connection=connection)
    observed("all", rq.Group.all(connection=connection))


def test_cleanup_of_an_empty_group(rq, connection, observed):
    group = rq.Group.create(connection=connection, name="g")
    group.cleanup()
    observed("jobs", group.get_jobs())


def test_pipeline(rq, queue, connection, observed):
    group = rq.Group.create(connection=connection, name="g")
    with connection.pipeline() as pipe:
        group.enqueue_many(queue, data(rq, "a", "b"), pipeline=pipe)
        pipe.execute()
    observed("ids", sorted(job.id for job in group.get_jobs()))
    observed("queue", queue.job_ids)


def test_key(rq, observed):
    observed("key", rq.Group.get_key("x"))


def test_dependents_in_a_group(rq, queue, connection, burst, observed):
    parent = queue.enqueue(jobs.say, "parent")
    group = rq.Group.create(connection=connection, name="g")
    group.enqueue_many(queue, [rq.Queue.prepare_data(jobs.say, ("child",), depends_on=parent)])
    observed("statuses", [job.get_status().value for job in group.get_jobs()])
    burst()
    observed("notes", jobs.notes())
