"""The functions of ``rq.scripts``: unique jobs stored in one step, and locks with an owner."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from . import jobs
from .watch import outcome


@pytest.fixture
def scripts(rq):
    """Return the module."""
    return rq.module("scripts")


@pytest.mark.parametrize("options", [{}, {"at_front": True}, {"enqueue": False}], ids=["back", "front", "stored only"])
def test_save_unique_job(rq, queue, connection, scripts, observed, options):
    queue.enqueue(jobs.nothing, job_id="first")
    job = queue.create_job(jobs.nothing, job_id="j", ttl=90, meta={"m": 1})
    observed("answer", bool(scripts.save_unique_job(connection, queue.key, job, **options)))
    observed("ids", queue.job_ids)
    stored = rq.Job.fetch("j", connection=connection)
    observed("stored", [stored.get_status().value, stored.meta, stored.ttl])
    assert 85 < connection.ttl(job.key) <= 90
    again = queue.create_job(jobs.nothing, job_id="j")
    observed("again", outcome(lambda: scripts.save_unique_job(connection, queue.key, again, **options)))
    observed("count", queue.count)


def test_schedule_unique_job(rq, connection, scripts, observed):
    queue = rq.Queue("other", connection=connection)
    registry = queue.scheduled_job_registry
    job = queue.create_job(jobs.nothing, job_id="j", status=rq.JobStatus.SCHEDULED)
    moment = datetime(2040, 1, 2, 3, 4, 5, 600_000, tzinfo=timezone.utc)
    scripts.schedule_unique_job(connection, queue.key, registry.key, job, moment)
    observed("time", registry.get_scheduled_time("j").isoformat())
    observed("queues", [one.name for one in rq.Queue.all(connection=connection)])
    observed("again", outcome(lambda: scripts.schedule_unique_job(connection, queue.key, registry.key, job, moment)))


def test_a_lock_with_an_owner(connection, scripts, observed):
    observed("first", scripts.acquire_or_refresh_lock(connection, "own:lock", "a", 60))
    connection.expire("own:lock", 5)
    observed(
        "other", [scripts.acquire_or_refresh_lock(connection, "own:lock", "b", 60), connection.ttl("own:lock") <= 5]
    )
    observed(
        "again", [scripts.acquire_or_refresh_lock(connection, "own:lock", "a", 60), connection.ttl("own:lock") > 50]
    )
    observed("release by another", scripts.release_lock(connection, "own:lock", "b"))
    observed("value", connection.get("own:lock"))
    observed("release", [scripts.release_lock(connection, "own:lock", "a"), connection.exists("own:lock")])
    observed("nothing to release", scripts.release_lock(connection, "own:lock", "a"))
