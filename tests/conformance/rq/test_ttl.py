"""How long records, results and registry entries live."""

from __future__ import annotations

import pytest

from . import jobs
from .watch import outcome, until


def gone(rq, job, connection):
    """Return whether the job's record is gone."""
    return not rq.Job.exists(job.id, connection=connection)


@pytest.mark.parametrize("result_ttl", [None, 40, -1], ids=["default", "own", "never"])
def test_ttl_of_a_finished_job(queue, connection, burst, observed, result_ttl):
    job = queue.enqueue(jobs.nothing, result_ttl=result_ttl)
    burst()
    ttl = connection.ttl(job.key)
    observed("ttl", ttl if ttl < 0 else round(ttl, -1))


@pytest.mark.parametrize("failure_ttl", [None, 40, -1], ids=["default", "own", "never"])
def test_ttl_of_a_failed_job(queue, connection, burst, observed, failure_ttl):
    job = queue.enqueue(jobs.boom, failure_ttl=failure_ttl)
    burst()
    ttl = connection.ttl(job.key)
    observed("ttl", ttl if ttl < 0 else round(ttl, -1))
    observed("in registry", job in queue.failed_job_registry)


def test_default_result_ttl_of_the_worker(queue, connection, worker, observed):
    job = queue.enqueue(jobs.nothing)
    worker(default_result_ttl=90).work(burst=True)
    observed("ttl", round(connection.ttl(job.key), -1))


def test_result_is_not_kept(rq, queue, connection, burst, observed):
    job = queue.enqueue(jobs.say, "x", result_ttl=0, job_id="z")
    burst()
    observed("ran", jobs.notes())
    observed("exists", rq.Job.exists("z", connection=connection))
    observed("status", outcome(job.get_status))
    observed("refresh", outcome(job.refresh))
    observed("results", [job.latest_result(), job.return_value()])
    observed("registry", queue.finished_job_registry.count)


def test_result_expires(rq, queue, connection, burst, observed):
    job = queue.enqueue(jobs.nothing, result_ttl=1)
    burst()
    until(lambda: gone(rq, job, connection))
    until(lambda: queue.finished_job_registry.count == 0)
    observed("result", job.latest_result())


def test_failure_ttl_of_zero(rq, queue, connection, burst, observed):
    job = queue.enqueue(jobs.boom, failure_ttl=0)
    burst()
    observed("record", rq.Job.exists(job.id, connection=connection))
    observed("in registry", job.id in queue.failed_job_registry)


def test_failure_expires(rq, queue, connection, burst):
    job = queue.enqueue(jobs.boom, failure_ttl=1)
    burst()
    until(lambda: gone(rq, job, connection))
    until(lambda: queue.failed_job_registry.count == 0)


def test_ttl_in_the_queue(rq, queue, connection, burst, observed):
    job = queue.enqueue(jobs.say, "late", ttl=1, job_id="late")
    until(lambda: gone(rq, job, connection))
    observed("ids", [queue.count, queue.job_ids])
    observed("jobs", queue.jobs)
    observed("count after jobs", queue.count)
    observed("worked", burst())
    observed("failed", queue.failed_job_registry.count)


def test_expired_job_is_skipped(rq, queue, connection, burst, observed):
    late = queue.enqueue(jobs.say, "late", ttl=1)
    queue.enqueue(jobs.say, "next")
    until(lambda: gone(rq, late, connection))
    observed("worked", burst())
    observed("ran", jobs.notes())


def test_ttl_is_lifted_when_the_job_runs(queue, connection, burst, observed):
    job = queue.enqueue(jobs.nothing, ttl=100)
    burst()
    observed("ttl", round(connection.ttl(job.key), -1))


def test_ttl_of_a_scheduled_job_does_not_run(queue, connection, observed):
    from datetime import timedelta

    job = queue.enqueue_in(timedelta(minutes=1), jobs.nothing, ttl=5)
    observed("status", job.get_status().value)


def test_canceled_job_has_no_ttl(queue, connection, burst, observed):
    job = queue.enqueue(jobs.nothing)
    job.cancel()
    observed("ttl", connection.ttl(job.key))


def test_queued_job_without_ttl(queue, connection, observed):
    observed("ttl", connection.ttl(queue.enqueue(jobs.nothing).key))


def test_cleanup_by_hand(rq, queue, connection, observed):
    job = queue.enqueue(jobs.nothing)
    job.cleanup(ttl=100)
    observed("own", connection.ttl(job.key) > 90)
    job.cleanup(ttl=-1)
    observed("never", connection.ttl(job.key) > 90)
    job.cleanup(ttl=0)
    observed("now", rq.Job.exists(job.id, connection=connection))


def test_unknown_ttl_keys(connection, observed):
    observed("answers", [connection.ttl("nothing"), connection.exists("nothing")])


@pytest.mark.parametrize("result_ttl", [5, 0, -1])
def test_result_ttl_of_a_repeated_run(rq, queue, connection, burst, observed, result_ttl):
    job = queue.enqueue(jobs.say, "x", result_ttl=result_ttl, repeat=rq.Repeat(1))
    burst()
    observed("ran", jobs.notes())
    observed("exists", rq.Job.exists(job.id, connection=connection))


def test_failed_job_that_succeeds_later_gets_the_result_ttl(queue, connection, burst, observed):
    job = queue.enqueue(jobs.flaky, "x", 1, result_ttl=70)
    burst()
    job.requeue()
    burst()
    observed("ttl", round(connection.ttl(job.key), -1))
