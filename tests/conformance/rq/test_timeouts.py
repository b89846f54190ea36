"""Job timeouts: the error, the status, what runs afterwards; and the classes of rq.timeouts."""

from __future__ import annotations

import time

import pytest

from . import jobs


def test_a_job_over_its_time(queue, burst, observed):
    job = queue.enqueue(jobs.busy, 20, job_timeout=1)
    begin = time.monotonic()
    burst()
    assert 0.9 <= time.monotonic() - begin < 10
    observed("status", job.get_status().value)
    observed("last line", job.latest_result().exc_string.strip().splitlines()[-1])
    observed("registry", queue.failed_job_registry.count)


def test_a_job_that_sleeps_over_its_time(queue, burst, observed):
    job = queue.enqueue(jobs.sleeper, 4, job_timeout=1)
    burst()
    observed("status", job.get_status().value)
    observed("last line", job.latest_result().exc_string.strip().splitlines()[-1])


def test_next_job_runs_unharmed(queue, burst, observed):
    queue.enqueue(jobs.busy, 20, job_timeout=1)
    queue.enqueue(jobs.say, "next")
    burst()
    observed("notes", jobs.notes())


def test_timeout_is_an_ordinary_failure(rq, queue, worker, observed):
    job = queue.enqueue(jobs.busy, 20, job_timeout=1, on_failure=rq.Callback(jobs.on_failure))
    worker(exception_handlers=[jobs.handle_say]).work(burst=True)
    observed("kinds", [note["kind"] if isinstance(note, dict) else note[1] for note in jobs.notes()])
    observed("status", job.get_status().value)


def test_timeout_can_be_retried(rq, queue, burst, observed):
    job = queue.enqueue(jobs.busy, 20, job_timeout=1, retry=rq.Retry(1))
    burst()
    job.refresh()
    observed("job", [job.get_status().value, job.retries_left])


def catching(seconds):
    """Catch the timeout inside of the job."""
    from .names import names

    try:
        jobs.busy(seconds)
    except names().JobTimeoutException as error:
        return f"caught {error}"
    return "not caught"


def test_a_job_may_catch_its_timeout(queue, burst, observed):
    job = queue.enqueue(catching, 20, job_timeout=1)
    burst()
    observed("value", job.return_value())


def test_no_timeout(queue, burst, observed):
    job = queue.enqueue(jobs.busy, 0.05, job_timeout=-1)
    burst()
    observed("status", job.get_status().value)


def test_a_coroutine_over_its_time(queue, burst, observed):
    job = queue.enqueue(endless, job_timeout=1)
    burst()
    observed("status", job.get_status().value)
    observed("last line", job.latest_result().exc_string.strip().splitlines()[-1])


async def endless():
    """Await for ever."""
    import asyncio

    while True:
        await asyncio.sleep(0.01)


def test_default_death_penalty(rq):
    assert issubclass(rq.get_default_death_penalty_class(), rq.BaseDeathPenalty)
    assert rq.get_default_death_penalty_class() is not rq.BaseDeathPenalty


def test_classes(rq, observed):
    observed(
        "bases",
        {
            kind: [base.__name__ for base in getattr(rq, kind).__mro__[1:-1]]
            for kind in ("JobTimeoutException", "HorseMonitorTimeoutException", "BaseTimeoutException")
        },
    )
    assert issubclass(rq.UnixSignalDeathPenalty, rq.BaseDeathPenalty)
    assert issubclass(rq.TimerDeathPenalty, rq.BaseDeathPenalty)


def test_base_death_penalty_is_abstract(rq, observed):
    with pytest.raises(NotImplementedError):
        with rq.BaseDeathPenalty(1, rq.JobTimeoutException):
            pass


@pytest.mark.parametrize("kind", ["TimerDeathPenalty", "UnixSignalDeathPenalty"])
def test_a_death_penalty_by_hand(rq, observed, kind):
    class Own(rq.JobTimeoutException):
        """The timer's class of the real package changes the exception class that it is given."""

    with pytest.raises(Own) as caught:
        with getattr(rq, kind)(1, Own):
            jobs.busy(20)
    observed("words", str(caught.value))


@pytest.mark.parametrize("kind", ["TimerDeathPenalty", "UnixSignalDeathPenalty"])
def test_a_death_penalty_that_is_not_needed(rq, kind):
    class Own(rq.JobTimeoutException):
        """A class of the test's own, for the same reason."""

    with getattr(rq, kind)(1, Own):
        jobs.busy(0.01)
    jobs.busy(1.2)
