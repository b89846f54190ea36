"""``depends_on``: deferral, release, order, failure, cancel and delete of a parent."""

from __future__ import annotations

import pytest

from . import jobs
from .watch import outcome


def test_child_is_deferred(rq, queue, connection, observed):
    parent = queue.enqueue(jobs.nothing, job_id="p")
    child = queue.enqueue(jobs.nothing, job_id="c", depends_on=parent)
    observed("status", child.get_status().value)
    observed("enqueued_at", child.enqueued_at)
    observed("queue", queue.job_ids)
    observed("deferred", queue.deferred_job_registry.get_job_ids())
    fresh = rq.Job.fetch("c", connection=connection)
    observed("ids", [fresh.dependency_ids, fresh._dependency_ids, parent.dependent_ids])
    assert fresh.dependency == parent
    assert fresh.fetch_dependencies() == [parent]
    observed("met", fresh.dependencies_are_met())


def test_keys_of_dependency_ids(rq, queue, observed):
    parent = queue.enqueue(jobs.nothing, job_id="p")
    child = queue.enqueue(jobs.nothing, job_id="c", depends_on=parent)
    observed("dependency ids", child.dependency_ids)
    observed("dependent ids", parent.dependent_ids)


def test_child_runs_after_its_parent(queue, burst, observed):
    parent = queue.enqueue(jobs.say, "parent")
    child = queue.enqueue(jobs.say, "child", depends_on=parent)
    burst()
    observed("order", jobs.notes())
    observed("deferred", queue.deferred_job_registry.count)
    observed("status", child.get_status().value)


@pytest.mark.parametrize("form", ["job", "id", "list", "mixed", "dependency", "list-of-dependencies", "tuple"])
def test_forms_of_depends_on(rq, queue, burst, observed, form):
    one, two = queue.enqueue(jobs.say, "one", job_id="one"), queue.enqueue(jobs.say, "two", job_id="two")
    given = {
        "job": one,
        "id": "one",
        "list": [one, two],
        "mixed": ["one", two],
        "dependency": rq.Dependency([one, "two"]),
        "list-of-dependencies": [rq.Dependency("one"), rq.Dependency(two)],
        "tuple": (one, "two"),
    }[form]
    child = queue.enqueue(jobs.say, "child", depends_on=given)
    observed("ids", sorted(child._dependency_ids))
    burst()
    observed("order", jobs.notes())


def test_two_parents_in_two_queues(rq, connection, queue, burst, observed):
    other = rq.Queue("other", connection=connection)
    child = queue.enqueue(
        jobs.say, "child", depends_on=[queue.enqueue(jobs.say, "one"), other.enqueue(jobs.say, "two")]
    )
    burst(["default"])
    observed("after one", child.get_status().value)
    burst(["other"])
    observed("after two", [child.get_status().value, queue.job_ids == [child.id]])
    burst(["default"])
    observed("order", jobs.notes())


def test_child_of_a_finished_parent_is_queued_at_once(queue, burst, observed):
    parent = queue.enqueue(jobs.nothing)
    burst()
    child = queue.enqueue(jobs.nothing, depends_on=parent)
    observed("status", child.get_status().value)
    observed("deferred", queue.deferred_job_registry.count)


def test_missing_parent_counts_as_met(queue, observed):
    observed("status", queue.enqueue(jobs.nothing, depends_on="never").get_status().value)


def test_one_missing_and_one_waiting_parent(queue, observed):
    parent = queue.enqueue(jobs.nothing)
    observed("status", queue.enqueue(jobs.nothing, depends_on=["never", parent]).get_status().value)


def test_child_lands_in_its_own_queue(rq, queue, connection, burst, observed):
    low = rq.Queue("low", connection=connection)
    parent = queue.enqueue(jobs.nothing)
    low.enqueue(jobs.nothing, job_id="c", depends_on=parent)
    observed("registries", [queue.deferred_job_registry.get_job_ids(), low.deferred_job_registry.get_job_ids()])
    burst()
    observed("low", low.job_ids)


def test_released_child_goes_to_the_back(queue, worker, observed):
    parent = queue.enqueue(jobs.say, "a")
    queue.enqueue(jobs.say, "x")
    queue.enqueue(jobs.say, "b", depends_on=parent)
    worker().work(burst=True)
    observed("order", jobs.notes())


def test_enqueue_at_front_of_the_dependency(rq, queue, burst, observed):
    parent = queue.enqueue(jobs.say, "a")
    queue.enqueue(jobs.say, "x")
    queue.enqueue(jobs.say, "b", depends_on=rq.Dependency(parent, enqueue_at_front=True))
    burst()
    observed("order", jobs.notes())


def test_at_front_with_an_unmet_dependency_is_ignored(queue, burst, observed):
    parent = queue.enqueue(jobs.say, "a")
    queue.enqueue(jobs.say, "x")
    queue.enqueue(jobs.say, "b", depends_on=parent, at_front=True)
    burst()
    observed("order", jobs.notes())


def test_at_front_with_a_met_dependency(queue, burst, observed):
    parent = queue.enqueue(jobs.nothing)
    burst()
    queue.enqueue(jobs.say, "x")
    queue.enqueue(jobs.say, "b", depends_on=parent, at_front=True)
    burst()
    observed("order", jobs.notes())


def test_failed_parent_keeps_its_child(queue, burst, observed):
    parent = queue.enqueue(jobs.flaky, "p", 1)
    child = queue.enqueue(jobs.say, "child", depends_on=parent)
    burst()
    observed("status", child.get_status().value)
    parent.requeue()
    burst()
    observed("after requeue", child.get_status().value)
    observed("order", jobs.notes())


def test_allow_failure(rq, queue, connection, burst, observed):
    parent = queue.enqueue(jobs.boom)
    child = queue.enqueue(jobs.say, "child", depends_on=rq.Dependency(parent, allow_failure=True))
    observed("stored", rq.Job.fetch(child.id, connection=connection).allow_dependency_failures)
    burst()
    observed("order", jobs.notes())


def test_allow_failure_of_one_holds_for_all(rq, queue, burst, observed):
    bad, worse = queue.enqueue(jobs.boom), queue.enqueue(jobs.boom)
    child = queue.enqueue(jobs.nothing, depends_on=[rq.Dependency(bad, allow_failure=True), rq.Dependency(worse)])
    burst()
    observed("status", child.get_status().value)


@pytest.mark.rq212("rq212-allow-failure-met")
def test_allow_failure_of_a_parent_that_failed_before(rq, queue, burst, observed):
    parent = queue.enqueue(jobs.boom)
    burst()
    child = queue.enqueue(jobs.nothing, depends_on=rq.Dependency(parent, allow_failure=True))
    observed("status", child.get_status().value)


def test_child_of_a_parent_that_failed_before(queue, burst, observed):
    parent = queue.enqueue(jobs.boom)
    burst()
    observed("status", queue.enqueue(jobs.nothing, depends_on=parent).get_status().value)


def test_parent_whose_result_is_not_kept_releases_its_child(queue, burst, observed):
    parent = queue.enqueue(jobs.say, "parent", result_ttl=0)
    queue.enqueue(jobs.say, "child", depends_on=parent)
    burst()
    observed("order", jobs.notes())


def test_canceled_parent_keeps_its_child(queue, burst, observed):
    parent = queue.enqueue(jobs.nothing)
    child = queue.enqueue(jobs.nothing, depends_on=parent)
    parent.cancel()
    burst()
    observed("status", child.get_status().value)


def test_cancel_can_release_the_child(queue, burst, observed):
    parent = queue.enqueue(jobs.say, "parent")
    child = queue.enqueue(jobs.say, "child", depends_on=parent)
    parent.cancel(enqueue_dependents=True)
    observed("status", [parent.get_status().value, child.get_status().value])
    burst()
    observed("order", jobs.notes())


def test_cancel_with_two_parents_waits_for_the_other(queue, burst, observed):
    one, two = queue.enqueue(jobs.say, "one"), queue.enqueue(jobs.say, "two")
    child = queue.enqueue(jobs.say, "child", depends_on=[one, two])
    one.cancel(enqueue_dependents=True)
    observed("status", child.get_status().value)
    burst()
    observed("order", jobs.notes())
    observed("status at the end", child.get_status().value)


def test_cancel_a_child(queue, burst, observed):
    parent = queue.enqueue(jobs.nothing, job_id="p")
    child = queue.enqueue(jobs.say, "child", depends_on=parent)
    child.cancel()
    observed("registries", [queue.deferred_job_registry.count, queue.canceled_job_registry.count])
    observed("dependents", len(parent.dependent_ids))
    burst()
    observed("status", child.get_status().value)
    observed("notes", jobs.notes())


def test_cancel_a_child_and_forget_it(queue, burst, observed):
    parent = queue.enqueue(jobs.nothing, job_id="p")
    child = queue.enqueue(jobs.say, "child", depends_on=parent)
    child.cancel(remove_from_dependencies=True)
    observed("dependents", parent.dependent_ids)


def test_deleted_parent_keeps_its_child(rq, queue, burst, observed):
    parent = queue.enqueue(jobs.nothing)
    child = queue.enqueue(jobs.nothing, depends_on=parent)
    parent.delete()
    burst()
    observed("status", child.get_status().value)


def test_delete_with_dependents(rq, queue, connection, observed):
    parent = queue.enqueue(jobs.nothing, job_id="p")
    queue.enqueue(jobs.nothing, job_id="c", depends_on=parent)
    parent.delete(delete_dependents=True)
    observed("exist", [rq.Job.exists(name, connection=connection) for name in ("p", "c")])
    observed("deferred", queue.deferred_job_registry.get_job_ids())


def test_chain_of_three(queue, burst, observed):
    first = queue.enqueue(jobs.say, "1")
    second = queue.enqueue(jobs.say, "2", depends_on=first)
    third = queue.enqueue(jobs.say, "3", depends_on=second)
    burst()
    observed("order", jobs.notes())
    observed("status", third.get_status().value)


def test_many_children_are_all_released(queue, burst):
    parent = queue.enqueue(jobs.nothing)
    for number in range(12):
        queue.enqueue(jobs.say, str(number), depends_on=parent)
    burst()
    assert sorted(jobs.notes(), key=int) == [str(number) for number in range(12)]


def test_child_reads_the_values_of_its_parents(queue, burst, observed):
    parents = [queue.enqueue(jobs.add, 1, number) for number in range(3)]
    child = queue.enqueue(jobs.parent_values, depends_on=parents)
    burst()
    assert sorted(child.return_value()) == [1, 2, 3]


def test_a_retried_parent_releases_its_child_when_it_ends(rq, queue, burst, observed):
    parent = queue.enqueue(jobs.flaky, "p", 2, retry=rq.Retry(3))
    queue.enqueue(jobs.say, "child", depends_on=parent)
    burst()
    observed("order", jobs.notes())


def test_parent_that_gives_up_keeps_its_child(rq, queue, burst, observed):
    parent = queue.enqueue(jobs.flaky, "p", 9, retry=rq.Retry(1))
    child = queue.enqueue(jobs.say, "child", depends_on=parent)
    burst()
    observed("order", jobs.notes())
    observed("status", child.get_status().value)


def test_timeout_and_ttls_of_a_deferred_job(rq, queue, connection, observed):
    parent = queue.enqueue(jobs.nothing)
    child = queue.enqueue(jobs.nothing, depends_on=parent, job_timeout=7, result_ttl=8, failure_ttl=9, ttl=90)
    fresh = rq.Job.fetch(child.id, connection=connection)
    observed("options", [fresh.timeout, fresh.result_ttl, fresh.failure_ttl, fresh.ttl])


def test_default_timeout_of_a_deferred_job(queue, observed):
    observed("timeout", queue.enqueue(jobs.nothing, depends_on=queue.enqueue(jobs.nothing)).timeout)


def test_enqueue_dependents_by_hand(rq, queue, observed):
    parent = queue.enqueue(jobs.nothing)
    child = queue.enqueue(jobs.nothing, depends_on=parent)
    parent.set_status(rq.JobStatus.FINISHED)
    queue.enqueue_dependents(parent)
    observed("status", child.get_status().value)


def test_fetch_dependencies_of_a_deleted_parent(rq, queue, observed):
    parent = queue.enqueue(jobs.nothing, job_id="p")
    child = queue.enqueue(jobs.nothing, depends_on=parent)
    parent.delete()
    observed("dependencies", [job.id if job else None for job in child.fetch_dependencies()])
    observed("dependency", outcome(lambda: child.dependency))
    observed("met", child.dependencies_are_met())


def test_job_without_dependencies(queue, observed):
    job = queue.enqueue(jobs.nothing)
    observed("answers", [job.dependency, job.dependency_ids, job.dependent_ids, job.fetch_dependencies()])
    observed("met", job.dependencies_are_met())


@pytest.mark.rq212("rq212-cancel-pipeline")
def test_cancel_with_a_pipeline_does_not_release_the_child(queue, connection, observed):
    parent = queue.enqueue(jobs.nothing)
    child = queue.enqueue(jobs.nothing, depends_on=parent)
    with connection.pipeline() as pipe:
        pipe.watch(parent.dependents_key)
        parent.cancel(enqueue_dependents=True, pipeline=pipe)
        pipe.execute()
    observed("statuses", [parent.get_status().value, child.get_status().value])
    observed("ready", queue.ready_job_registry.get_job_ids(cleanup=False) == [child.id])
    queue.ready_job_registry.cleanup()
    observed("after the maintenance", [child.get_status().value, queue.job_ids == [child.id]])
