"""``rate_limit=RateLimit(key, concurrency)`` of rq 3.0: at most so many jobs of a key at a time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from . import jobs
from .watch import outcome

pytestmark = pytest.mark.rq212("rq212-rate-limit")


def limited(rq, queue, number, concurrency=1, **options):
    """Enqueue so many jobs under one key."""
    limit = rq.RateLimit("k", concurrency)
    made = []
    for index in range(number):
        made.append(queue.enqueue(jobs.say, str(index), job_id=f"j{index}", rate_limit=limit, **options))
    return made


@pytest.mark.parametrize("arguments", [("k", 1), ("", 1), ("k", 0), ("k", -1), ("k", "1"), ("k", 1.5)], ids=str)
def test_constructor(rq, observed, arguments):
    def make():
        limit = rq.RateLimit(*arguments)
        return [limit.key, limit.concurrency]

    observed("outcome", outcome(make))


def test_jobs_over_the_limit_wait(rq, queue, observed):
    made = limited(rq, queue, 3)
    observed("statuses", [job.get_status().value for job in made])
    observed("queue", queue.job_ids)
    observed("enqueued", [job.enqueued_at is not None for job in made])
    registry = rq.RateLimitRegistry("k", connection=queue.connection)
    observed("allowed", registry.get_allowed_job_ids())
    observed("waiting", sorted(registry.get_rate_limited_job_ids()))
    observed("counts", [registry.get_allowed_job_count(), registry.get_rate_limited_job_count(), registry.concurrency])


def test_all_run_in_order(rq, queue, burst, observed):
    made = limited(rq, queue, 4)
    burst()
    assert sorted(jobs.notes()) == ["0", "1", "2", "3"]
    observed("statuses", [job.get_status().value for job in made])


def test_concurrency_of_two(rq, queue, observed):
    limited(rq, queue, 4, concurrency=2)
    observed("queue", queue.job_ids)


def test_a_failure_frees_its_slot(rq, queue, burst, observed):
    limit = rq.RateLimit("k", 1)
    queue.enqueue(jobs.say_boom, "first", rate_limit=limit)
    queue.enqueue(jobs.say, "second", rate_limit=limit)
    burst()
    observed("notes", jobs.notes())


def test_keys_are_apart(rq, queue, observed):
    for key in "ab":
        queue.enqueue(jobs.nothing, job_id=key, rate_limit=rq.RateLimit(key, 1))
    observed("queue", queue.job_ids)


def test_one_key_over_two_queues(rq, queue, connection, burst, observed):
    low = rq.Queue("low", connection=connection)
    limit = rq.RateLimit("k", 1)
    queue.enqueue(jobs.say, "default", rate_limit=limit)
    low.enqueue(jobs.say, "low", rate_limit=limit)
    observed("counts", [queue.count, low.count])
    burst(["default"])
    observed("after", [queue.count, low.count])


def test_cancel_frees_the_slot(rq, queue, observed):
    made = limited(rq, queue, 2)
    made[0].cancel()
    observed("queue", queue.job_ids)
    observed("statuses", [job.get_status().value for job in made])


def test_cancel_of_a_waiting_job(rq, queue, burst, observed):
    made = limited(rq, queue, 3)
    made[1].cancel()
    burst()
    observed("notes", jobs.notes())


def test_delete_frees_the_slot(rq, queue, observed):
    made = limited(rq, queue, 2)
    made[0].delete()
    observed("queue", queue.job_ids)


def test_retry_gives_its_slot_back(rq, queue, burst, observed):
    limit = rq.RateLimit("k", 1)
    first = queue.enqueue(jobs.flaky, "first", 1, rate_limit=limit, retry=rq.Retry(1))
    second = queue.enqueue(jobs.say, "second", rate_limit=limit)
    burst()
    observed("statuses", [first.get_status().value, second.get_status().value])


def test_what_does_not_go_together(rq, queue, connection, observed):
    limit = rq.RateLimit("k", 1)
    sync = rq.Queue("sync", connection=connection, is_async=False)
    observed("sync", outcome(lambda: sync.enqueue(jobs.nothing, rate_limit=limit)))
    observed("unique", outcome(lambda: queue.enqueue(jobs.nothing, rate_limit=limit, job_id="x", unique=True)))
    with connection.pipeline() as pipe:
        observed("pipeline", outcome(lambda: queue.enqueue(jobs.nothing, rate_limit=limit, pipeline=pipe)))


def test_dependent_job_with_a_limit(rq, queue, burst, observed):
    limit = rq.RateLimit("k", 1)
    parent = queue.enqueue(jobs.say, "parent")
    made = [queue.enqueue(jobs.say, name, depends_on=parent, rate_limit=limit) for name in ("a", "b")]
    observed("statuses", [job.get_status().value for job in made])
    burst()
    observed("ran", sorted(jobs.notes()))


def test_scheduled_job_with_a_limit(rq, queue, burst, observed):
    limit = rq.RateLimit("k", 1)
    queue.enqueue(jobs.say, "now", rate_limit=limit)
    later = queue.enqueue_in(timedelta(seconds=-5), jobs.say, "later", rate_limit=limit)
    observed("status", later.get_status().value)
    burst(with_scheduler=True)
    observed("ran", sorted(jobs.notes()))


def test_at_front_is_kept_while_waiting(rq, queue, burst, observed):
    limit = rq.RateLimit("k", 1)
    queue.enqueue(jobs.say, "first", rate_limit=limit)
    queue.enqueue(jobs.say, "front", rate_limit=limit, at_front=True)
    queue.enqueue(jobs.say, "plain")
    burst()
    observed("notes", jobs.notes())


def test_is_stored(rq, queue, connection, observed):
    limited(rq, queue, 1, concurrency=3)
    job = rq.Job.fetch("j0", connection=connection)
    observed("fields", [job.rate_limit_key, job.rate_limit_concurrency, job.has_rate_limit])


def test_registries_end_when_nothing_waits(rq, queue, connection, burst, observed):
    limited(rq, queue, 2)
    observed("before", [one.key for one in rq.RateLimitRegistry.all(connection)])
    burst()
    for registry in rq.RateLimitRegistry.all(connection):
        registry.cleanup()
    observed("after", rq.RateLimitRegistry.all(connection))
