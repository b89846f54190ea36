"""Repeat: a job that runs again after each success."""

from __future__ import annotations

import pytest

from . import jobs
from .watch import outcome, until


@pytest.mark.parametrize(
    "arguments", [(0,), (-1,), (1, -1), (1, [1, -1]), (1, None), (2, [1, 2]), (2, 5), (3,)], ids=str
)
def test_constructor(rq, observed, arguments):
    observed("outcome", outcome(lambda: [rq.Repeat(*arguments).times, rq.Repeat(*arguments).intervals]))


def test_repr_and_equality(rq, observed):
    observed("repr", repr(rq.Repeat(2, [1, 2])))
    observed("equal", [rq.Repeat(2, 1) == rq.Repeat(2, [1]), rq.Repeat(2) == rq.Repeat(3)])


def test_runs_once_more_than_times(rq, queue, burst, logs, observed):
    job = queue.enqueue(jobs.say, "x", repeat=rq.Repeat(2), job_id="r")
    observed("stored", [job.repeats_left, job.repeat_intervals])
    burst()
    job.refresh()
    observed("runs", len(jobs.notes()))
    observed("job", [job.get_status().value, job.repeats_left])
    observed("results", [result.type.name for result in job.results()])
    observed("lines", [line.split("job ", 1)[1] for line in logs.having("repeat")])


def test_failure_ends_repeating(rq, queue, burst, observed):
    job = queue.enqueue(jobs.boom, repeat=rq.Repeat(2))
    burst()
    job.refresh()
    observed("job", [job.get_status().value, job.repeats_left, len(job.results())])


def test_repeat_with_an_interval_is_scheduled(rq, queue, burst, observed):
    job = queue.enqueue(jobs.say, "x", repeat=rq.Repeat(1, 60), job_id="r")
    burst()
    job.refresh()
    observed("job", [job.get_status().value, job.repeats_left, job.return_value()])
    observed("registries", [queue.scheduled_job_registry.get_job_ids(), queue.finished_job_registry.get_job_ids()])
    when = queue.scheduled_job_registry.get_scheduled_time(job)
    assert 55 <= (when - job.ended_at).total_seconds() <= 61


@pytest.mark.rq212("rq212-repeat-order")
@pytest.mark.parametrize(("times", "intervals"), [(3, [50, 100, 150]), (5, [50, 100, 150])], ids=str)
def test_order_of_the_intervals(rq, queue, burst, observed, times, intervals):
    job = queue.enqueue(jobs.nothing, repeat=rq.Repeat(times, intervals))
    waits = []
    for _ in range(times):
        burst()
        job.refresh()
        when = queue.scheduled_job_registry.get_scheduled_time(job)
        waits.append(round((when - job.ended_at).total_seconds() / 50) * 50)
        queue.scheduled_job_registry.remove(job)
        queue.enqueue_job(job)
    observed("waits", waits)


@pytest.mark.parametrize(("count", "intervals"), [(0, [1, 2]), (1, [1, 2]), (5, [1, 2]), (0, [7])])
def test_get_interval(rq, observed, count, intervals):
    observed("interval", rq.Repeat.get_interval(count, intervals))


def test_due_repeat_runs(rq, queue, burst):
    job = queue.enqueue(jobs.say, "x", repeat=rq.Repeat(1, 1))
    burst()
    until(lambda: burst(with_scheduler=True) or len(jobs.notes()) == 2, 15)
    assert job.get_status() == "finished"
    assert jobs.notes() == ["x", "x"]


def test_repeat_goes_to_the_back(rq, queue, burst, observed):
    queue.enqueue(jobs.say, "r", repeat=rq.Repeat(1))
    queue.enqueue(jobs.say, "other")
    burst()
    observed("order", jobs.notes())


def test_repeat_with_retry(rq, queue, burst, observed):
    job = queue.enqueue(jobs.flaky, "x", 1, repeat=rq.Repeat(1), retry=rq.Retry(1))
    burst()
    job.refresh()
    observed("job", [job.get_status().value, job.repeats_left, job.retries_left, len(jobs.notes())])


def test_repeat_with_a_success_callback(rq, queue, burst, observed):
    queue.enqueue(jobs.nothing, repeat=rq.Repeat(2), on_success=rq.Callback(jobs.on_success))
    burst()
    observed("calls", len(jobs.notes()))


@pytest.mark.rq212("rq212-repeat-children")
def test_children_are_released_by_the_first_run(rq, queue, burst, observed):
    parent = queue.enqueue(jobs.say, "parent", repeat=rq.Repeat(1))
    queue.enqueue(jobs.say, "child", depends_on=parent)
    burst()
    observed("order", jobs.notes())


def test_repeat_of_a_scheduled_job(rq, queue, observed):
    from datetime import timedelta

    job = queue.enqueue_in(timedelta(minutes=1), jobs.nothing, repeat=rq.Repeat(2, [3, 4]))
    observed("stored", [job.get_status().value, job.repeats_left, job.repeat_intervals])


def test_schedule_by_hand_without_repeats_left(rq, queue, observed):
    job = queue.enqueue(jobs.nothing, job_id="n")
    observed("error", outcome(lambda: rq.Repeat.schedule(job, queue)))
