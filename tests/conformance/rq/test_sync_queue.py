"""``is_async=False``: the job runs inside of ``enqueue``, with rules of its own."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from . import jobs
from .watch import outcome


@pytest.fixture
def sync(rq, connection):
    """Return a queue that runs its jobs at once."""
    return rq.Queue("sync", connection=connection, is_async=False)


def test_finished_when_enqueue_returns(sync, connection, observed):
    job = sync.enqueue(jobs.add, 1, y=2)
    observed("job", [job.get_status().value, job.return_value(), job.worker_name])
    observed("queue", [sync.count, sync.finished_job_registry.get_job_ids() == [job.id]])
    observed("ttl", round(connection.ttl(job.key), -1))
    assert job.ended_at >= job.started_at
    observed("is_async", sync.is_async)


def test_failure_is_swallowed(rq, sync, observed):
    job = sync.enqueue(jobs.boom, "bad", retry=rq.Retry(3))
    observed("job", [job.get_status().value, job.retries_left, job.return_value()])
    observed("registry", sync.failed_job_registry.get_job_ids() == [job.id])
    observed("last line", job.latest_result().exc_string.strip().splitlines()[-1])


def test_system_exit_is_swallowed(sync, observed):
    observed("status", sync.enqueue(jobs.leave).get_status().value)


def test_inside_of_the_job(sync, observed):
    job = sync.enqueue(jobs.current)
    value = job.return_value()
    observed("inside", [value["id"] == job.id, value["status"], value["worker"]])


def test_success_callback(rq, sync, observed):
    sync.enqueue(jobs.add, 1, on_success=rq.Callback(jobs.on_success))
    observed("seen", jobs.notes())


def test_failure_callback(rq, sync, observed):
    sync.enqueue(jobs.boom, on_failure=rq.Callback(jobs.on_failure))
    observed("seen", jobs.notes())


def test_callback_errors_reach_the_caller(rq, sync, observed):
    observed("success", outcome(lambda: sync.enqueue(jobs.nothing, on_success=rq.Callback(jobs.bad_success))))
    observed("failure", outcome(lambda: sync.enqueue(jobs.boom, on_failure=rq.Callback(jobs.bad_failure))))


def test_timeout_is_not_enforced(sync, observed):
    begin = time.monotonic()
    job = sync.enqueue(jobs.busy, 1.2, job_timeout=1)
    assert time.monotonic() - begin >= 1.1
    observed("job", [job.get_status().value, job.return_value()])


def test_repeat_is_not_applied(rq, sync, observed):
    job = sync.enqueue(jobs.say, "x", repeat=rq.Repeat(2))
    observed("job", [job.get_status().value, jobs.notes()])


def test_returned_retry_is_a_value(sync, observed):
    job = sync.enqueue(jobs.ask_retry, 2)
    observed("job", [job.get_status().value, repr(job.return_value()), len(jobs.notes())])


def test_child_of_a_finished_parent(sync, observed):
    parent = sync.enqueue(jobs.say, "parent")
    child = sync.enqueue(jobs.say, "child", depends_on=parent)
    observed("job", [child.get_status().value, jobs.notes()])


def test_child_of_a_failed_parent(sync, observed):
    child = sync.enqueue(jobs.say, "child", depends_on=sync.enqueue(jobs.boom))
    observed("job", [child.get_status().value, jobs.notes()])


def test_enqueue_in_only_schedules(sync, observed):
    job = sync.enqueue_in(timedelta(minutes=1), jobs.say, "later")
    observed("job", [job.get_status().value, jobs.notes()])


def test_result_is_not_kept(rq, sync, connection, observed):
    job = sync.enqueue(jobs.say, "x", result_ttl=0)
    observed("answer", [jobs.notes(), rq.Job.exists(job.id, connection=connection)])


@pytest.mark.rq212("rq212-sync-result")
def test_success_callback_of_a_result_that_is_not_kept(rq, sync, observed):
    sync.enqueue(jobs.add, 1, result_ttl=0, on_success=rq.Callback(only_result))
    observed("notes", jobs.notes())


def only_result(job, connection, result):
    """Note the result that a callback is given."""
    jobs.note(["result", result])


def test_enqueue_many(rq, sync, observed):
    made = sync.enqueue_many([rq.Queue.prepare_data(jobs.say, (word,)) for word in "ab"])
    observed("ran", [len(made), jobs.notes()])


def test_coroutine(sync, observed):
    observed("value", sync.enqueue(jobs.coroutine, 4).return_value())


def test_nested_enqueue(sync, rq, connection, observed):
    job = sync.enqueue(nested)
    observed("notes", jobs.notes())
    observed("value", job.return_value())


def nested():
    """Enqueue a synchronous job from a synchronous job."""
    from .names import names

    outer = names().get_current_job()
    queue = names().Queue("sync", connection=outer.connection, is_async=False)
    inner = queue.enqueue(jobs.say, "inner")
    jobs.note("outer")
    return [inner.get_status().value, names().get_current_job().id == outer.id]


def test_run_sync_by_hand(rq, queue, observed):
    job = queue.create_job(jobs.add, (1,))
    queue.run_sync(job)
    observed("status", job.get_status().value)


def test_meta_of_a_synchronous_job(sync, observed):
    observed("meta", sync.enqueue(jobs.set_meta, True).get_meta())


def test_arguments_are_not_a_copy(sync, observed):
    value = [1]
    job = sync.enqueue(append_two, value)
    observed("values", [value, job.return_value()])


def append_two(value):
    """Change the argument."""
    value.append(2)
    return value
