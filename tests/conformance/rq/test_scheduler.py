"""``enqueue_at`` and ``enqueue_in``: what is stored, and who runs a job when it is due."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest

from . import jobs
from .watch import outcome, until


def ago(seconds):
    """Return a moment in the past."""
    return datetime.now(timezone.utc) - timedelta(seconds=seconds)


def test_a_scheduled_job(queue, observed):
    job = queue.enqueue_in(timedelta(minutes=5), jobs.add, 1, y=2, job_id="s")
    observed("job", [job.get_status().value, job.enqueued_at, job.get_position(), job.args, job.kwargs])
    observed("queue", [queue.count, queue.job_ids])
    observed("registry", queue.scheduled_job_registry.get_job_ids())
    observed("in", [job in queue.scheduled_job_registry, "s" in queue.scheduled_job_registry])


def test_time_is_kept_in_whole_seconds(queue):
    when = datetime(2035, 5, 6, 7, 8, 9, 654321, tzinfo=timezone.utc)
    job = queue.enqueue_at(when, jobs.nothing)
    assert queue.scheduled_job_registry.get_scheduled_time(job) == when.replace(microsecond=0)


def test_other_time_zones(queue):
    zone = timezone(timedelta(hours=5))
    job = queue.enqueue_at(datetime(2035, 5, 6, 7, 0, tzinfo=zone), jobs.nothing)
    assert queue.scheduled_job_registry.get_scheduled_time(job) == datetime(2035, 5, 6, 2, 0, tzinfo=timezone.utc)


def test_naive_times_are_local(queue):
    naive = datetime.now().replace(microsecond=0) + timedelta(hours=1)
    job = queue.enqueue_at(naive, jobs.nothing)
    assert queue.scheduled_job_registry.get_scheduled_time(job) == naive.astimezone(timezone.utc)


def test_enqueue_in_is_from_now(queue):
    job = queue.enqueue_in(timedelta(hours=1), jobs.nothing)
    seconds = queue.scheduled_job_registry.get_scheduled_time(job).timestamp() - time.time()
    assert 3590 <= seconds <= 3601


@pytest.mark.parametrize(
    "options",
    [{"job_timeout": 9}, {"result_ttl": 8}, {"failure_ttl": 7}, {"meta": {"a": 1}}, {"description": "x"}, {"ttl": 60}],
    ids=lambda options: next(iter(options)),
)
def test_options(rq, queue, connection, observed, options):
    job = queue.enqueue_in(timedelta(minutes=1), jobs.shape, 1, **options)
    fresh = rq.Job.fetch(job.id, connection=connection)
    (name,) = options
    observed("stored", getattr(fresh, {"job_timeout": "timeout"}.get(name, name)))
    observed("kwargs", fresh.kwargs)


def test_plain_worker_leaves_it_alone(queue, burst, observed):
    queue.enqueue_at(ago(10), jobs.say, "x")
    observed("worked", burst())
    observed("notes", jobs.notes())


def test_burst_with_scheduler_runs_what_is_due(queue, burst, observed):
    for seconds in (1, 30, 20):
        queue.enqueue_at(ago(seconds), jobs.say, str(seconds))
    queue.enqueue_in(timedelta(minutes=5), jobs.say, "not yet")
    observed("worked", burst(with_scheduler=True))
    observed("order", jobs.notes())
    observed("left", queue.scheduled_job_registry.count)


def test_at_front_of_a_scheduled_job(queue, burst, observed):
    queue.enqueue(jobs.say, "first")
    queue.enqueue_at(ago(10), jobs.say, "front", at_front=True)
    queue.enqueue_at(ago(5), jobs.say, "back")
    burst(with_scheduler=True)
    observed("order", jobs.notes())


def test_enqueued_by_the_scheduler(rq, queue, connection, observed):
    job = queue.enqueue_at(ago(10), jobs.nothing)
    scheduler = rq.RQScheduler([queue], connection)
    scheduler.acquire_locks()
    scheduler.prepare_registries()
    scheduler.enqueue_scheduled_jobs()
    job.refresh()
    observed("job", [job.get_status().value, job.enqueued_at is not None])
    observed("queue", queue.job_ids == [job.id])
    observed("registry", queue.scheduled_job_registry.count)
    scheduler.release_locks()


def test_scheduler_reports(rq, queue, connection, observed):
    scheduler = rq.RQScheduler([queue], connection)
    observed("names", list(scheduler._queue_names))
    observed("status", scheduler.status.value)
    observed("statuses", sorted(status.value for status in rq.SchedulerStatus))


def test_cancel(queue, burst, observed):
    job = queue.enqueue_at(ago(10), jobs.say, "never", job_id="s")
    job.cancel()
    observed("registry", queue.scheduled_job_registry.get_job_ids())
    observed("status", job.get_status().value)
    burst(with_scheduler=True)
    observed("notes", jobs.notes())


def test_delete(queue, burst, observed):
    job = queue.enqueue_at(ago(10), jobs.say, "never")
    job.delete()
    observed("registry", queue.scheduled_job_registry.get_job_ids())
    observed("worked", burst(with_scheduler=True))


def test_depends_on_does_not_hold_it(rq, queue, connection, burst, observed):
    parent = queue.enqueue_in(timedelta(minutes=5), jobs.nothing, job_id="p")
    job = queue.enqueue_at(ago(10), jobs.say, "x", depends_on=parent)
    observed("status", job.get_status().value)
    observed("stored", rq.Job.fetch(job.id, connection=connection)._dependency_ids)
    burst(with_scheduler=True)
    observed("notes", jobs.notes())


def test_requeue_runs_it_now(queue, burst, observed):
    job = queue.enqueue_in(timedelta(minutes=5), jobs.say, "now")
    queue.scheduled_job_registry.requeue(job)
    burst()
    observed("notes", jobs.notes())


def test_schedule_job(rq, queue, connection, observed):
    job = queue.create_job(jobs.nothing, job_id="s")
    queue.schedule_job(job, datetime(2035, 1, 1, tzinfo=timezone.utc))
    observed("status", rq.Job.fetch("s", connection=connection).get_status().value)
    assert queue.scheduled_job_registry.get_scheduled_time("s") == datetime(2035, 1, 1, tzinfo=timezone.utc)


def test_registry_schedule_and_remove(rq, queue, observed):
    job = queue.create_job(jobs.nothing, job_id="s")
    job.save()
    registry = queue.scheduled_job_registry
    registry.schedule(job, datetime(2020, 1, 1, tzinfo=timezone.utc))
    observed("due", registry.get_jobs_to_schedule())
    observed("not due", registry.get_jobs_to_schedule(timestamp=1000))
    observed("removed", registry.remove("s"))
    observed("missing", outcome(lambda: registry.get_scheduled_time("s")))


def test_remove_jobs_up_to_a_time(queue, observed):
    registry = queue.scheduled_job_registry
    for year in (2020, 2035):
        queue.enqueue_at(datetime(year, 1, 1, tzinfo=timezone.utc), jobs.nothing, job_id=str(year))
    registry.remove_jobs()
    observed("left", registry.get_job_ids())


def test_rescheduling_moves_it(rq, queue, observed):
    job = queue.enqueue_in(timedelta(minutes=5), jobs.nothing, job_id="s")
    queue.schedule_job(job, datetime(2036, 1, 1, tzinfo=timezone.utc))
    observed("ids", queue.scheduled_job_registry.get_job_ids())
    assert queue.scheduled_job_registry.get_scheduled_time(job).year == 2036


def test_order_in_the_registry_is_by_time(queue, observed):
    for year in (2036, 2034, 2035):
        queue.enqueue_at(datetime(year, 1, 1, tzinfo=timezone.utc), jobs.nothing, job_id=str(year))
    observed("ids", queue.scheduled_job_registry.get_job_ids())


def test_a_job_of_the_past_is_due_at_once(queue, burst, observed):
    queue.enqueue_in(timedelta(seconds=-5), jobs.say, "past")
    burst(with_scheduler=True)
    observed("notes", jobs.notes())


def test_a_worker_with_scheduler_runs_it_when_due(rq, queue, connection):
    job = queue.enqueue_in(timedelta(seconds=1), jobs.say, "due")
    begin = time.monotonic()
    rq.Worker([queue], connection=connection).work(with_scheduler=True, max_jobs=1)
    assert jobs.notes() == ["due"]
    assert time.monotonic() - begin < 20
    until(lambda: job.get_status() == "finished")


def test_callbacks_of_a_scheduled_job(rq, queue, burst, observed):
    queue.enqueue_at(ago(5), jobs.nothing, on_success=rq.Callback(jobs.on_success))
    burst(with_scheduler=True)
    observed("hooks", [note["hook"] for note in jobs.notes()])


def test_scheduled_jobs_of_several_queues(rq, connection, burst, observed):
    for name in ("low", "high"):
        rq.Queue(name, connection=connection).enqueue_at(ago(5), jobs.say, name)
    burst(["high", "low"], with_scheduler=True)
    observed("order", jobs.notes())


def test_lock_line(queue, burst, logs, observed):
    queue.enqueue_at(ago(5), jobs.nothing)
    burst(with_scheduler=True)
    observed("line", logs.having("scheduler lock"))


@pytest.mark.rq212("rq212-schedule-pipeline")
def test_enqueue_at_with_a_pipeline(queue, connection, observed):
    with connection.pipeline() as pipe:
        queue.enqueue_at(ago(5), jobs.nothing, pipeline=pipe)
        observed("before", queue.scheduled_job_registry.count)
        pipe.execute()
    observed("after", queue.scheduled_job_registry.count)
