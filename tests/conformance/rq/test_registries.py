"""The registries: membership, counting, removal, requeue, clean-up, and their queue."""

from __future__ import annotations

import time

import pytest

from . import jobs
from .watch import outcome

KINDS = ("Started", "Finished", "Failed", "Deferred", "Scheduled", "Canceled")


def registry(rq, kind, connection, name="default"):
    """Return the registry of a kind."""
    return getattr(rq, f"{kind}JobRegistry")(name, connection=connection)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_registry(rq, connection, observed, kind):
    empty = registry(rq, kind, connection)
    observed(
        "answers", [empty.count, len(empty), empty.get_job_ids(), empty.get_job_count(cleanup=False), "x" in empty]
    )
    observed("key", empty.key)
    observed("name", empty.name)


@pytest.mark.parametrize("kind", KINDS)
def test_made_from_a_queue(rq, queue, connection, observed, kind):
    one = getattr(rq, f"{kind}JobRegistry")(queue=queue)
    same = getattr(queue, f"{kind.lower()}_job_registry")
    observed("equal", [one == same, one == registry(rq, kind, connection), one == registry(rq, kind, connection, "x")])
    assert one.get_queue() == queue


def fill(rq, queue, burst, connection):
    """Put one job into each registry that a burst can fill, and return them by kind."""
    made = {"Finished": queue.enqueue(jobs.nothing, job_id="fin"), "Failed": queue.enqueue(jobs.boom, job_id="fail")}
    burst()
    from datetime import timedelta

    parent = queue.enqueue(jobs.nothing, job_id="par")
    made["Deferred"] = queue.enqueue(jobs.nothing, job_id="def", depends_on=parent)
    made["Scheduled"] = queue.enqueue_in(timedelta(minutes=5), jobs.nothing, job_id="sch")
    made["Canceled"] = queue.enqueue(jobs.nothing, job_id="can")
    made["Canceled"].cancel()
    return made


@pytest.mark.parametrize("kind", KINDS[1:])
def test_membership(rq, queue, connection, burst, observed, kind):
    made = fill(rq, queue, burst, connection)
    one = registry(rq, kind, connection)
    observed("ids", one.get_job_ids())
    observed("in", [made[kind] in one, made[kind].id in one, "other" in one])
    observed("counts", [one.count, len(one), one.get_job_count(cleanup=False)])


@pytest.mark.parametrize("kind", KINDS[1:])
def test_remove(rq, queue, connection, burst, observed, kind):
    made = fill(rq, queue, burst, connection)
    one = registry(rq, kind, connection)
    observed("answers", [one.remove(made[kind]), one.remove(made[kind]), one.remove("no")])
    observed("exists", rq.Job.exists(made[kind].id, connection=connection))
    observed("ids", one.get_job_ids())


@pytest.mark.parametrize("kind", KINDS[1:])
def test_remove_and_delete(rq, queue, connection, burst, observed, kind):
    made = fill(rq, queue, burst, connection)
    one = registry(rq, kind, connection)
    one.remove(made[kind].id, delete_job=True)
    observed("exists", rq.Job.exists(made[kind].id, connection=connection))


@pytest.mark.parametrize("kind", KINDS[1:])
def test_requeue_from(rq, queue, connection, burst, observed, kind):
    made = fill(rq, queue, burst, connection)
    one = registry(rq, kind, connection)
    again = one.requeue(made[kind].id)
    observed("job", [again.id, again.get_status().value])
    observed("queue", queue.job_ids)
    observed("left", one.get_job_ids())
    observed("twice", outcome(lambda: one.requeue(made[kind])))


@pytest.mark.parametrize("kind", KINDS)
def test_requeue_of_a_stranger(rq, queue, connection, observed, kind):
    job = queue.enqueue(jobs.nothing)
    one = registry(rq, kind, connection)
    observed("other", outcome(lambda: one.requeue(job)))
    observed("missing", outcome(lambda: one.requeue("none")))


def test_requeue_at_front(rq, queue, connection, burst, observed):
    fill(rq, queue, burst, connection)
    queue.failed_job_registry.requeue("fail", at_front=True)
    observed("queue", queue.job_ids)


def test_started_registry_cannot_be_changed(rq, queue, connection, observed):
    job = queue.enqueue(jobs.nothing)
    started = queue.started_job_registry
    observed("add", outcome(lambda: started.add(job)).split(":")[0])
    observed("remove", outcome(lambda: started.remove(job)).split(":")[0])


def test_canceled_registry_has_no_expiry(queue, observed):
    observed("error", outcome(queue.canceled_job_registry.get_expired_job_ids).split(":")[0])


def test_add_remove_and_order(rq, queue, connection, observed):
    finished = queue.finished_job_registry
    for number, name in enumerate("cab"):
        finished.add(queue.enqueue(jobs.nothing, job_id=name), ttl=100 * (number + 1))
    observed("ids", finished.get_job_ids())
    observed("desc", finished.get_job_ids(desc=True))
    observed("slices", [finished.get_job_ids(0, 0), finished.get_job_ids(1, 2), finished.get_job_ids(5, 9)])


def test_expiration_time(queue, observed):
    job = queue.enqueue(jobs.nothing)
    queue.finished_job_registry.add(job, ttl=100)
    when = queue.finished_job_registry.get_expiration_time(job)
    assert abs(when.timestamp() - time.time() - 100) < 3


def test_expired_ids(queue, observed):
    registry = queue.finished_job_registry
    old, young = queue.enqueue(jobs.nothing, job_id="old"), queue.enqueue(jobs.nothing, job_id="young")
    registry.add(old, ttl=10)
    registry.add(young, ttl=1000)
    observed("now", registry.get_expired_job_ids())
    observed("soon", registry.get_expired_job_ids(int(time.time()) + 100))
    observed("later", sorted(registry.get_expired_job_ids(int(time.time()) + 2000)))


@pytest.mark.parametrize("kind", ["Finished", "Failed"])
def test_cleanup_by_a_given_time(rq, queue, connection, burst, observed, kind):
    fill(rq, queue, burst, connection)
    one = registry(rq, kind, connection)
    observed("before", one.get_job_count(cleanup=False))
    one.cleanup(timestamp=time.time() + 40 * 10**6)
    observed("after", one.get_job_count(cleanup=False))


@pytest.mark.parametrize("kind", ["Deferred", "Scheduled", "Canceled"])
def test_cleanup_leaves_the_others_alone(rq, queue, connection, burst, observed, kind):
    fill(rq, queue, burst, connection)
    one = registry(rq, kind, connection)
    one.cleanup(timestamp=time.time() + 40 * 10**6)
    observed("ids", one.get_job_ids())


def test_never_expiring_entry_stays(rq, queue, connection, burst, observed):
    job = queue.enqueue(jobs.nothing, result_ttl=-1)
    burst()
    registry = queue.finished_job_registry
    registry.cleanup(timestamp=time.time() + 40 * 10**6)
    assert registry.get_job_ids() == [job.id]


def test_contains_does_not_clean(queue, observed):
    registry = queue.finished_job_registry
    job = queue.enqueue(jobs.nothing)
    registry.add(job, ttl=0)
    observed("in", job in registry)
    observed("count", registry.count)
    observed("in after counting", job in registry)


def test_clean_registries_of_a_queue(rq, queue, observed):
    queue.finished_job_registry.add(queue.enqueue(jobs.nothing), ttl=0)
    queue.failed_job_registry.add(queue.enqueue(jobs.nothing), ttl=0)
    observed("before", [queue.finished_job_registry.get_job_count(cleanup=False)])
    rq.clean_registries(queue)
    counts = (queue.finished_job_registry, queue.failed_job_registry)
    observed("after", [one.get_job_count(cleanup=False) for one in counts])


def test_deleting_a_job_leaves_its_registry(rq, queue, connection, burst, observed):
    made = fill(rq, queue, burst, connection)
    for job in made.values():
        job.delete()
    observed("counts", [registry(rq, kind, connection).get_job_count(cleanup=False) for kind in KINDS])


def test_failed_add_by_hand_makes_no_result(rq, queue, connection, observed):
    job = queue.enqueue(jobs.nothing)
    queue.failed_job_registry.add(job, ttl=5, exc_string="made up")
    observed("ids", queue.failed_job_registry.get_job_ids() == [job.id])
    observed("result", job.latest_result())


def test_scheduled_time_of_a_stranger(queue, observed):
    observed("error", outcome(lambda: queue.scheduled_job_registry.get_scheduled_time("none")))


def test_registry_with_its_own_job_class(rq, queue, connection, burst):
    class Own(rq.Job):
        pass

    queue.enqueue(jobs.boom, job_id="f")
    burst()
    own = rq.FailedJobRegistry(connection=connection, job_class=Own)
    assert own.job_class is Own
    assert type(own.requeue("f")) is Own


def test_length_is_by_queue_name(rq, queue, connection, burst, observed):
    low = rq.Queue("low", connection=connection)
    low.enqueue(jobs.nothing)
    queue.enqueue(jobs.nothing)
    burst(["default", "low"])
    observed("counts", [low.finished_job_registry.count, queue.finished_job_registry.count])
