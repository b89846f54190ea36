"""The Job object: fetching, ids, status, meta, data, equality, what is stored and what is lazy."""

from __future__ import annotations

from datetime import timezone

import pytest

from . import jobs
from .watch import outcome


def test_fetch_of_an_unknown_id(rq, connection, observed):
    observed("fetch", outcome(lambda: rq.Job.fetch("nope", connection=connection)))
    observed("exists", rq.Job.exists("nope", connection=connection))


def test_exists(rq, queue, connection):
    job = queue.enqueue(jobs.nothing, job_id="there")
    assert rq.Job.exists("there", connection=connection)
    job.delete()
    assert not rq.Job.exists("there", connection=connection)


def test_fetch_many_keeps_order_and_gives_none(rq, queue, connection):
    first, second = queue.enqueue(jobs.nothing, job_id="a"), queue.enqueue(jobs.nothing, job_id="b")
    assert rq.Job.fetch_many(["b", "no", "a"], connection=connection) == [second, None, first]
    assert rq.Job.fetch_many([], connection=connection) == []


def test_id_is_made_when_asked_for(rq, connection):
    job = rq.Job(connection=connection)
    assert job.id == job.id
    assert len(job.id) == 36
    job.id = "own"
    assert job.id == "own"


@pytest.mark.parametrize("value", ["a b", "a:b", "", "a\n", 5, None, "ok-1_X"])
def test_validate_job_id(rq, observed, value):
    observed("outcome", outcome(lambda: rq.validate_job_id(value)))


def test_parse_job_id(rq, observed):
    observed("values", [rq.parse_job_id("a"), rq.parse_job_id("a:b"), rq.parse_job_id("a:b:c")])


def test_setting_a_bad_id(rq, connection, observed):
    job = rq.Job(connection=connection)

    def assign(value):
        job.id = value

    observed("number", outcome(lambda: assign(5)))
    observed("colon", outcome(lambda: assign("a:b")))
    observed("in constructor", outcome(lambda: rq.Job("a:b", connection=connection)))


def test_keys_are_strings(rq, connection, observed):
    job = rq.Job("j", connection=connection)
    observed("keys", [job.key, job.dependents_key, job.dependencies_key, rq.Job.key_for("x")])
    observed("prefix", rq.Job.redis_job_namespace_prefix)
    observed("dependents", rq.Job.dependents_key_for("x"))


def test_equality_is_by_class_and_id(rq, connection):
    one, same, other = (rq.Job(name, connection=connection) for name in ("x", "x", "y"))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != "x"

    class Own(rq.Job):
        pass

    assert {one, same, other} == {one, other}
    assert isinstance(Own("x", connection=connection), rq.Job)


def test_a_new_job(rq, connection, observed):
    job = rq.Job("n", connection=connection)
    observed("status", job.get_status(refresh=False).value)
    observed("stored", outcome(job.get_status))
    observed("func_name", outcome(lambda: job.func_name))
    observed("refresh", outcome(job.refresh))
    observed("value", job.return_value())
    observed("results", job.results())
    observed("position", job.get_position())


def test_status_of_a_deleted_job(queue, observed):
    job = queue.enqueue(jobs.nothing, job_id="gone")
    job.delete()
    observed("status", outcome(job.get_status))
    observed("refresh", outcome(job.refresh))
    observed("local", job.get_status(refresh=False).value)
    observed("is_queued", outcome(lambda: job.is_queued))


@pytest.mark.parametrize(
    "name",
    ["queued", "started", "finished", "failed", "deferred", "scheduled", "stopped", "canceled"],
)
def test_set_status_and_its_properties(rq, queue, connection, observed, name):
    job = queue.enqueue(jobs.nothing, job_id="s")
    job.set_status(rq.JobStatus(name))
    fresh = rq.Job.fetch("s", connection=connection)
    flags = ("queued", "started", "finished", "failed", "deferred", "scheduled", "stopped", "canceled")
    observed("true ones", [flag for flag in flags if getattr(fresh, f"is_{flag}")])
    observed("status", fresh.get_status().value)


def test_job_status_values(rq, observed):
    observed("values", sorted(status.value for status in rq.JobStatus if "_" not in status.value))
    assert rq.JobStatus("queued") is rq.JobStatus.QUEUED
    assert isinstance(rq.JobStatus.QUEUED, str)


@pytest.mark.rq212("rq212-statuses")
def test_statuses_of_3_0(rq, observed):
    observed("values", [rq.JobStatus.RATE_LIMITED.value, rq.JobStatus.READY_TO_ENQUEUE.value])


def test_meta_is_saved_on_request(rq, queue, connection, observed):
    job = queue.enqueue(jobs.nothing, meta={"a": 1})
    job.meta["b"] = 2
    observed("before", rq.Job.fetch(job.id, connection=connection).meta)
    job.save_meta()
    observed("after", rq.Job.fetch(job.id, connection=connection).meta)


def test_get_meta_refreshes(rq, queue, connection, observed):
    job = queue.enqueue(jobs.nothing, meta={"a": 1})
    other = rq.Job.fetch(job.id, connection=connection)
    other.meta["a"] = 2
    other.save_meta()
    observed("stale", job.meta)
    observed("local", job.get_meta(refresh=False))
    observed("fresh", job.get_meta())
    observed("kept", job.meta)


def test_save_writes_meta_unless_told_not_to(rq, queue, connection, observed):
    job = queue.enqueue(jobs.nothing)
    job.meta["a"] = 1
    job.save(include_meta=False)
    observed("without", rq.Job.fetch(job.id, connection=connection).meta)
    job.save()
    observed("with", rq.Job.fetch(job.id, connection=connection).meta)


def test_save_changes_attributes(rq, queue, connection, observed):
    job = queue.enqueue(jobs.add, 1)
    job.description, job.timeout, job.result_ttl, job.failure_ttl = "other", 9, 8, 7
    job.save()
    again = rq.Job.fetch(job.id, connection=connection)
    observed("stored", [again.description, again.timeout, again.result_ttl, again.failure_ttl])


def test_changing_args_before_it_runs(rq, queue, connection, burst):
    job = queue.enqueue(jobs.add, 1)
    job.args = (5,)
    job.kwargs = {"y": 6}
    job.save()
    burst()
    assert job.return_value() == 11


def test_data_is_made_of_the_call(rq, connection, observed):
    job = rq.Job.create(jobs.add, args=(1,), kwargs={"y": 2}, connection=connection)
    other = rq.Job(connection=connection)
    other.data = job.data
    observed("call", [other.func_name, other.instance, other.args, other.kwargs])


def test_job_of_no_function_has_no_data(rq, connection, observed):
    observed("outcome", outcome(lambda: rq.Job("x", connection=connection).data))


def test_held_job_is_not_refreshed_by_itself(rq, queue, burst, observed):
    job = queue.enqueue(jobs.add, 1)
    burst()
    observed("stale", [job.worker_name, job.started_at, job.ended_at])
    observed("asked", [job.get_status().value, job.return_value()])
    job.refresh()
    assert job.worker_name
    assert job.started_at.tzinfo is timezone.utc
    assert job.ended_at >= job.started_at


def test_position(queue, observed):
    first, second = queue.enqueue(jobs.nothing, job_id="a"), queue.enqueue(jobs.nothing, job_id="b")
    observed("positions", [first.get_position(), second.get_position()])
    second.delete()
    observed("gone", second.get_position())


def test_get_ttl_and_result_ttl(rq, connection, observed):
    job = rq.Job.create(jobs.nothing, connection=connection)
    observed("unset", [job.get_ttl(), job.get_ttl(3), job.get_result_ttl(4)])
    job = rq.Job.create(jobs.nothing, connection=connection, ttl=5, result_ttl=6)
    observed("set", [job.get_ttl(), job.get_ttl(3), job.get_result_ttl(4)])


def test_old_names_warn(queue, burst, observed):
    job = queue.enqueue(jobs.add, 1)
    failed = queue.enqueue(jobs.boom)
    burst()
    job.refresh()
    with pytest.warns(DeprecationWarning, match="deprecated") as caught:
        value = job.result
    observed("result", [value, str(caught[0].message)])
    failed.refresh()
    with pytest.warns(DeprecationWarning, match="deprecated") as caught:
        text = failed.exc_info
    observed("exc_info", [text.strip().splitlines()[-1], str(caught[0].message)])
    assert text == failed.latest_result().exc_string


def test_return_value_is_cached_until_refreshed(rq, queue, connection, burst, observed):
    job = queue.enqueue(jobs.current_id)
    observed("before", job.return_value())
    burst()
    assert job.return_value() == job.id
    observed("refreshed", job.return_value(refresh=True) == job.id)


@pytest.mark.rq212("rq212-delete-results")
def test_delete_takes_the_results_along(queue, burst, observed):
    job = queue.enqueue(jobs.add, 1)
    burst()
    observed("before", job.return_value())
    job.delete()
    observed("cached", job.return_value())
    observed("stored", [job.return_value(refresh=True), job.latest_result(), job.results()])


def test_execute_runs_the_function_here(rq, connection, observed):
    observed("perform", rq.Job.create(jobs.add, args=(2,), connection=connection)._execute())
    job = rq.Job.create(jobs.current_id, connection=connection, id="here")
    job.save()
    observed("current inside", job.perform())
    observed("current after", rq.get_current_job())


def test_exists_after_create_only(rq, connection):
    job = rq.Job.create(jobs.nothing, connection=connection, id="c")
    assert not rq.Job.exists("c", connection=connection)
    job.save()
    assert rq.Job.exists("c", connection=connection)


def test_create_param_errors(rq, connection, observed):
    observed("args", outcome(lambda: rq.Job.create(jobs.add, args="string", connection=connection)))
    observed("kwargs", outcome(lambda: rq.Job.create(jobs.add, kwargs="string", connection=connection)))
    observed("func", outcome(lambda: rq.Job.create(42, connection=connection)).split(":")[0])
    observed("callback", outcome(lambda: rq.Job.create(jobs.add, on_success=3, connection=connection)))


def test_delete_takes_it_from_the_queue(queue, observed):
    job = queue.enqueue(jobs.nothing)
    job.delete()
    observed("queue", [queue.count, queue.job_ids])


def test_delete_can_leave_the_queue_alone(queue, observed):
    job = queue.enqueue(jobs.nothing, job_id="left")
    job.delete(remove_from_queue=False)
    observed("ids", queue.job_ids)
    observed("jobs", queue.jobs)
    observed("ids after jobs", queue.job_ids)


def test_module_functions_cancel_and_requeue(rq, queue, connection, burst, observed):
    job = queue.enqueue(jobs.nothing, job_id="c")
    rq.cancel_job("c", connection=connection)
    observed("canceled", job.get_status().value)
    failed = queue.enqueue(jobs.boom, job_id="f")
    burst()
    again = rq.requeue_job("f", connection=connection)
    observed("requeued", [again.id, failed.get_status().value, queue.job_ids])
    observed("missing", outcome(lambda: rq.requeue_job("none", connection=connection)))


def test_to_dict_names(rq, queue, observed):
    job = queue.enqueue(jobs.add, 1, result_ttl=3, ttl=4, failure_ttl=5, meta={"m": 1})
    fields = job.to_dict()
    known = (
        "created_at",
        "data",
        "origin",
        "description",
        "enqueued_at",
        "timeout",
        "result_ttl",
        "failure_ttl",
        "ttl",
    )
    observed("fields", [name in fields for name in (*known, "status", "meta", "started_at", "ended_at", "worker_name")])
    observed(
        "values", [fields["origin"], fields["timeout"], fields["result_ttl"], fields["failure_ttl"], fields["ttl"]]
    )


@pytest.mark.rq212("rq212-perform-ttl")
def test_perform_by_hand_leaves_the_life_time(queue, connection, observed):
    job = queue.enqueue(jobs.nothing, ttl=100)
    job.perform()
    observed("limited", connection.ttl(job.key) > 0)
