"""Executions, abandoned jobs, and the registry of started ones."""

from __future__ import annotations

import time

import pytest

from . import jobs
from .watch import outcome

FUTURE = 10**6


def begin(rq, queue, worker, job):
    """Make a job look as if a worker had started it and died; return the execution."""
    helper = worker()
    queue.pop_job_id()
    execution = helper.prepare_execution(job)
    job.set_status(rq.JobStatus.STARTED)
    return execution


def test_an_execution(rq, queue, worker, connection, observed):
    job = queue.enqueue(jobs.nothing, job_id="J")
    execution = begin(rq, queue, worker, job)
    observed("job", [execution.job_id, execution.job == job])
    observed("ids", [job.get_executions() == [execution], job.execution_registry.get_execution_ids() == [execution.id]])
    assert execution.composite_key == f"J:{execution.id}"
    again = rq.Execution.fetch(execution.id, "J", connection=connection)
    assert again == execution
    assert again.created_at == execution.created_at


def test_missing_execution(rq, connection, observed):
    observed("error", outcome(lambda: rq.Execution.fetch("none", "J", connection=connection)))


def test_equality(rq, connection, observed):
    one, same, other = (rq.Execution(name, "J", connection=connection) for name in "aab")
    observed("equal", [one == same, one == other, one == 3])


def test_composite_key(rq, connection, observed):
    execution = rq.Execution.from_composite_key("J:e", connection=connection)
    observed("parts", [execution.job_id, execution.id, execution.composite_key])


def test_started_registry(rq, queue, worker, observed):
    job = queue.enqueue(jobs.nothing, job_id="J")
    execution = begin(rq, queue, worker, job)
    started = queue.started_job_registry
    observed("ids", started.get_job_ids())
    observed("in", [job in started, "J" in started, "x" in started])
    pairs = [tuple(pair) for pair in started.get_job_and_execution_ids()]
    observed("pairs", pairs == [("J", execution.id)])


def test_abandoned_job(rq, queue, worker, observed):
    job = queue.enqueue(jobs.nothing, job_id="J", on_failure=rq.Callback(jobs.on_failure))
    begin(rq, queue, worker, job)
    queue.started_job_registry.cleanup(timestamp=time.time() + FUTURE)
    observed("status", job.get_status().value)
    observed("registries", [queue.failed_job_registry.get_job_ids(), queue.started_job_registry.get_job_ids()])
    words = job.latest_result().exc_string
    observed("words", words.split(", at ")[0])
    observed("type", job.latest_result().type.name)


@pytest.mark.rq212("rq212-abandoned-trace")
def test_abandoned_job_calls_its_callback(rq, queue, worker, observed):
    job = queue.enqueue(jobs.nothing, on_failure=rq.Callback(only_kind))
    begin(rq, queue, worker, job)
    queue.started_job_registry.cleanup(timestamp=time.time() + FUTURE)
    observed("notes", jobs.notes())


def only_kind(job, connection, kind, value, trace):
    """Note the class of the error and the kind of the traceback."""
    jobs.note([kind.__name__, type(trace).__name__])


def test_abandoned_job_calls_the_handlers(rq, queue, worker, observed):
    job = queue.enqueue(jobs.nothing)
    begin(rq, queue, worker, job)
    queue.started_job_registry.cleanup(timestamp=time.time() + FUTURE, exception_handlers=[jobs.handle_say])
    observed("notes", jobs.notes())


def test_abandoned_job_is_retried(rq, queue, worker, observed):
    job = queue.enqueue(jobs.say, "x", retry=rq.Retry(1))
    begin(rq, queue, worker, job)
    queue.started_job_registry.cleanup(timestamp=time.time() + FUTURE)
    job.refresh()
    observed("job", [job.get_status().value, job.retries_left, queue.count])


def test_child_of_an_abandoned_job(rq, queue, worker, observed):
    job = queue.enqueue(jobs.nothing)
    children = [
        queue.enqueue(jobs.nothing, depends_on=job),
        queue.enqueue(jobs.nothing, depends_on=rq.Dependency(job, allow_failure=True)),
    ]
    begin(rq, queue, worker, job)
    queue.started_job_registry.cleanup(timestamp=time.time() + FUTURE)
    observed("statuses", [child.get_status().value for child in children])


def test_running_jobs_are_not_abandoned(rq, queue, worker, observed):
    job = queue.enqueue(jobs.nothing)
    begin(rq, queue, worker, job)
    queue.started_job_registry.cleanup()
    observed("status", job.get_status().value)
    observed("ids", queue.started_job_registry.get_job_ids() == [job.id])


def test_execution_in_the_result(queue, burst, observed):
    job = queue.enqueue(jobs.nothing)
    burst()
    result = job.latest_result()
    observed("length", len(result.execution_id))
    observed("none left", job.get_executions())


def test_worker_of_an_execution(rq, queue, worker, observed):
    job = queue.enqueue(jobs.nothing)
    helper = worker(name="W")
    execution = helper.prepare_execution(job)
    observed("name", execution.worker_name)
