"""Retry, both ways: after an exception, and because the job returned a ``Retry``."""

from __future__ import annotations

import pytest

from . import jobs
from .watch import outcome, until


@pytest.mark.parametrize(
    "arguments",
    [(0,), (-1,), (2, -1), (2, [1, -2]), (1, 5), (3, [1, 2]), (3, (1, 2)), (2, 0), (2, []), (2, 5, True)],
    ids=str,
)
def test_constructor(rq, observed, arguments):
    def make():
        retry = rq.Retry(*arguments)
        return [retry.max, list(retry.intervals), retry.enqueue_at_front]

    observed("outcome", outcome(make))


def test_repr(rq, observed):
    observed("plain", repr(rq.Retry(3)))
    observed("full", repr(rq.Retry(max=2, interval=[1, 2], enqueue_at_front=True)))


@pytest.mark.parametrize(
    ("count", "intervals"),
    [(0, [1, 2, 3]), (1, [1, 2, 3]), (2, [1, 2, 3]), (5, [1, 2, 3]), (0, None), (1, []), (4, [7])],
)
def test_interval_of_a_returned_retry(rq, observed, count, intervals):
    observed("interval", rq.Retry.get_interval(count, intervals))


def test_stored_with_the_job(rq, queue, connection, observed):
    job = queue.enqueue(jobs.boom, retry=rq.Retry(3, [5, 10], enqueue_at_front=True))
    fresh = rq.Job.fetch(job.id, connection=connection)
    for name, one in (("local", job), ("stored", fresh)):
        observed(name, [one.retries_left, one.retry_intervals, one.enqueue_at_front_on_retry, one.number_of_retries])


def test_a_job_without_retry(queue, observed):
    job = queue.enqueue(jobs.boom)
    observed("fields", [job.retries_left, job.retry_intervals, job.number_of_retries, job.should_retry])


def test_retried_until_it_succeeds(rq, queue, burst, logs, observed):
    job = queue.enqueue(jobs.flaky, "x", 2, retry=rq.Retry(3), job_id="r")
    burst()
    job.refresh()
    observed("job", [job.get_status().value, job.retries_left, job.return_value()])
    observed("results", [result.type.name for result in job.results()])
    observed("lines", logs.having("retry"))


def test_retries_run_out(rq, queue, burst, observed):
    job = queue.enqueue(jobs.boom, retry=rq.Retry(2))
    burst()
    job.refresh()
    observed("job", [job.get_status().value, job.retries_left, job.number_of_retries])
    observed("results", [result.type.name for result in job.results()])
    observed("failed", queue.failed_job_registry.get_job_ids() == [job.id])


def test_callback_and_handler_see_every_attempt(rq, queue, worker, observed):
    job = queue.enqueue(jobs.say_boom, "f", retry=rq.Retry(2), on_failure=rq.Callback(jobs.on_failure))
    helper = worker(exception_handlers=[jobs.handle_say])
    helper.work(burst=True)
    observed("notes", [note["retries_left"] if isinstance(note, dict) else note for note in jobs.notes()])
    helper.refresh()
    observed("counters", [helper.failed_job_count, helper.successful_job_count])
    observed("status", job.get_status().value)


@pytest.mark.parametrize("front", [False, True])
def test_place_of_an_immediate_retry(rq, queue, burst, observed, front):
    queue.enqueue(jobs.flaky, "flaky", 1, retry=rq.Retry(1, enqueue_at_front=front))
    queue.enqueue(jobs.say, "other")
    burst()
    observed("order", jobs.notes())


@pytest.mark.parametrize(("maximum", "intervals"), [(3, [10, 30, 60]), (2, [10, 20, 30]), (4, [1, 2]), (2, 5)], ids=str)
def test_intervals_in_use(rq, queue, burst, connection, observed, maximum, intervals):
    job = queue.enqueue(jobs.boom, retry=rq.Retry(maximum, intervals))
    used = []
    for _ in range(maximum):
        job.refresh()
        used.append(job.get_retry_interval())
        burst()
        if job.get_status() == "scheduled":
            queue.scheduled_job_registry.remove(job)
            queue.enqueue_job(rq.Job.fetch(job.id, connection=connection))
    observed("used", used)
    burst()
    observed("status", job.get_status().value)


def test_waiting_for_its_retry(rq, queue, burst, logs, observed):
    job = queue.enqueue(jobs.boom, retry=rq.Retry(1, 60), job_id="w")
    burst()
    observed("status", job.get_status().value)
    registries = (queue.scheduled_job_registry, queue.failed_job_registry, queue.started_job_registry)
    observed("registries", [registry.get_job_ids() for registry in registries])
    observed("queue", queue.job_ids)
    observed("results", job.results())
    when = queue.scheduled_job_registry.get_scheduled_time(job)
    job.refresh()
    assert 55 <= (when - job.started_at).total_seconds() <= 61
    observed("lines", logs.having("retry"))


def test_a_retry_that_is_due_runs(rq, queue, burst, observed):
    job = queue.enqueue(jobs.flaky, "x", 1, retry=rq.Retry(1, 1))
    burst()
    observed("first", job.get_status().value)
    until(lambda: burst(with_scheduler=True) or job.get_status() == "finished", 15)
    observed("then", [job.get_status().value, jobs.notes()])


def test_job_retry_by_hand(rq, queue, connection, observed):
    job = queue.enqueue(jobs.nothing, retry=rq.Retry(2, [5, 10]))
    queue.empty()
    with connection.pipeline() as pipe:
        job.retry(queue, pipe)
        pipe.execute()
    observed("scheduled", [job.retries_left, queue.job_ids, queue.scheduled_job_registry.count])


def test_requeue_after_the_retries(rq, queue, burst, observed):
    job = queue.enqueue(jobs.flaky, "x", 2, retry=rq.Retry(1))
    burst()
    observed("given up", [job.get_status().value, len(jobs.notes())])
    job.requeue()
    burst()
    job.refresh()
    observed("after requeue", [job.get_status().value, job.retries_left, len(jobs.notes())])


def test_returned_retry_until_the_limit(rq, queue, burst, logs, observed):
    job = queue.enqueue(jobs.ask_retry, 2, job_id="a")
    burst()
    job.refresh()
    observed("runs", len(jobs.notes()))
    observed("types", [result.type.name for result in job.results()])
    observed("status", job.get_status().value)
    observed("failed", queue.failed_job_registry.get_job_ids())
    observed("value", job.return_value())
    observed("result value", repr(job.latest_result().return_value))
    observed("exc_string", job.latest_result().exc_string)
    observed("number", [job.number_of_retries, job.retries_left])
    observed("lines", [line for line in logs.lines if "retry" in line])


def test_returned_retry_then_a_value(rq, queue, burst, observed):
    job = queue.enqueue(jobs.ask_retry_until, 2, 3)
    burst()
    job.refresh()
    observed("job", [job.get_status().value, job.return_value(), job.number_of_retries])
    observed("types", [result.type.name for result in job.results()])


def test_returned_retry_with_an_interval(rq, queue, burst, logs, observed):
    job = queue.enqueue(jobs.ask_retry, 1, [60], job_id="a")
    burst()
    observed("status", job.get_status().value)
    observed("scheduled", queue.scheduled_job_registry.get_job_ids())
    observed("types", [result.type.name for result in job.results()])
    observed("lines", logs.having("retry"))


def test_callbacks_of_a_returned_retry(rq, queue, burst, observed):
    queue.enqueue(jobs.ask_retry, 1, on_success=rq.Callback(jobs.on_success), on_failure=rq.Callback(jobs.on_failure))
    burst()
    observed("notes", [note if isinstance(note, str) else note["hook"] for note in jobs.notes()])


def test_counters_of_a_returned_retry(rq, queue, worker, observed):
    queue.enqueue(jobs.ask_retry, 2)
    helper = worker()
    helper.work(burst=True)
    helper.refresh()
    observed("counters", [helper.failed_job_count, helper.successful_job_count])


def test_child_of_a_job_that_returned_retry_for_good(rq, queue, burst, observed):
    parent = queue.enqueue(jobs.ask_retry, 1)
    child = queue.enqueue(jobs.nothing, depends_on=parent)
    burst()
    observed("status", child.get_status().value)


def front_retry():
    """Return a Retry at the front once."""
    from .names import names

    jobs.note("asked")
    return names().Retry(1, enqueue_at_front=True) if len(jobs.notes()) == 1 else "done"


@pytest.mark.rq212("rq212-retry-front")
def test_returned_retry_at_front(queue, burst, observed):
    queue.enqueue(front_retry)
    queue.enqueue(jobs.say, "other")
    burst()
    observed("order", jobs.notes())
