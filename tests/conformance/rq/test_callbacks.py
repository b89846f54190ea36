"""Success, failure and stopped callbacks, and the worker's exception handlers."""

from __future__ import annotations

import time

import pytest

from . import jobs
from .watch import neutral, outcome


class Holder:
    """Has a method that is no callback."""

    def method(self):
        """Do nothing."""


@pytest.mark.parametrize(
    "value",
    [3, None, Holder().method, Holder, "a.b", len, jobs.on_success],
    ids=["number", "none", "method", "class", "name", "builtin", "function"],
)
def test_what_a_callback_may_be(rq, observed, value):
    observed("outcome", outcome(lambda: rq.Callback(value).timeout))


@pytest.mark.parametrize("timeout", [None, 5, "2m", "10", 0, -1])
def test_callback_timeout(rq, observed, timeout):
    observed("timeout", rq.Callback(jobs.on_success, timeout=timeout).timeout)


def test_callback_name(rq, observed):
    observed("names", [rq.Callback(jobs.on_success).name, rq.Callback("a.b").name])


def test_success_callback(rq, queue, burst, observed):
    job = queue.enqueue(jobs.add, 1, on_success=rq.Callback(jobs.on_success))
    burst()
    observed("seen", jobs.notes())
    observed("status", job.get_status().value)


def test_success_callback_by_name(rq, queue, burst, observed):
    queue.enqueue(jobs.add, 1, on_success=rq.Callback(f"{jobs.__name__}.on_success"))
    burst()
    observed("hooks", [note["hook"] for note in jobs.notes()])


def test_failure_callback(rq, queue, burst, observed):
    job = queue.enqueue(jobs.boom, on_failure=rq.Callback(jobs.on_failure))
    burst()
    observed("seen", jobs.notes())
    observed("status", job.get_status().value)


def test_only_the_one_that_applies_is_called(rq, queue, burst, observed):
    options = {
        "on_success": rq.Callback(jobs.on_success),
        "on_failure": rq.Callback(jobs.on_failure),
        "on_stopped": rq.Callback(jobs.on_stopped),
    }
    queue.enqueue(jobs.nothing, **options)
    queue.enqueue(jobs.boom, **options)
    burst()
    observed("hooks", [note["hook"] for note in jobs.notes()])


def test_success_callback_that_fails(rq, queue, burst, observed):
    job = queue.enqueue(
        jobs.say, "ran", on_success=rq.Callback(jobs.bad_success), on_failure=rq.Callback(jobs.on_failure)
    )
    child = queue.enqueue(jobs.say, "child", depends_on=job)
    burst()
    observed("status", [job.get_status().value, child.get_status().value])
    observed("notes", [note if isinstance(note, str) else [note["hook"], note["kind"]] for note in jobs.notes()])
    observed("last line", job.latest_result().exc_string.strip().splitlines()[-1])
    observed("registries", [queue.finished_job_registry.count, queue.failed_job_registry.count])


def test_failure_callback_that_fails(rq, queue, burst, observed):
    job = queue.enqueue(jobs.boom, "original", on_failure=rq.Callback(jobs.bad_failure))
    burst()
    observed("status", job.get_status().value)
    text = job.latest_result().exc_string
    observed("last line", text.strip().splitlines()[-1])
    observed("original is in it", "ValueError: original" in text)
    observed("failed", queue.failed_job_registry.count)


def test_failure_callback_that_fails_is_logged(rq, queue, burst, logs, observed):
    queue.enqueue(jobs.boom, on_failure=rq.Callback(jobs.bad_failure), job_id="b")
    burst()
    observed("line", [line for line in logs.having("failure callback") if "Traceback" not in line])


@pytest.mark.rq212("rq212-coroutine-callback")
def test_coroutine_callback_is_refused(rq, queue, burst, observed):
    job = queue.enqueue(jobs.nothing, on_success=rq.Callback(jobs.async_success))
    burst()
    observed("status", job.get_status().value)


def test_callback_timeout_fails_the_job(rq, queue, burst, observed):
    job = queue.enqueue(jobs.nothing, on_success=rq.Callback(jobs.slow_success, timeout=1))
    burst()
    observed("status", job.get_status().value)
    observed("last line", job.latest_result().exc_string.strip().splitlines()[-1])


def test_callbacks_are_stored(rq, queue, connection, observed):
    job = queue.enqueue(
        jobs.nothing,
        on_success=rq.Callback(jobs.on_success, 7),
        on_failure=rq.Callback(jobs.on_failure, "1m"),
        on_stopped=rq.Callback(jobs.on_stopped),
    )
    fresh = rq.Job.fetch(job.id, connection=connection)
    assert fresh.success_callback is jobs.on_success
    assert fresh.failure_callback is jobs.on_failure
    assert fresh.stopped_callback is jobs.on_stopped
    timeouts = (fresh.success_callback_timeout, fresh.failure_callback_timeout, fresh.stopped_callback_timeout)
    observed("timeouts", timeouts)


def test_job_without_callbacks(queue, observed):
    job = queue.enqueue(jobs.nothing)
    observed("callbacks", [job.success_callback, job.failure_callback, job.stopped_callback])
    observed("timeouts", [job.success_callback_timeout, job.failure_callback_timeout, job.stopped_callback_timeout])


def test_enqueue_many_takes_callbacks(rq, queue, burst, observed):
    queue.enqueue_many(
        [
            rq.Queue.prepare_data(jobs.nothing, on_success=rq.Callback(jobs.on_success)),
            rq.Queue.prepare_data(jobs.boom, on_failure=rq.Callback(jobs.on_failure)),
        ]
    )
    burst()
    observed("hooks", [note["hook"] for note in jobs.notes()])


def test_order_on_failure(rq, queue, worker, observed, logs):
    queue.enqueue(jobs.say_boom, "function", on_failure=rq.Callback(jobs.on_failure))
    worker(exception_handlers=[jobs.handle_say]).work(burst=True)
    observed("notes", [note["hook"] if isinstance(note, dict) else note for note in jobs.notes()])
    observed("error level", logs.level_of("exception raised while executing"))


def test_chain_of_handlers(queue, worker, observed):
    job = queue.enqueue(jobs.boom)
    worker(exception_handlers=[jobs.handle_say, jobs.handle_stop, jobs.handle_say]).work(burst=True)
    observed("notes", jobs.notes())
    observed("status", [job.get_status().value, queue.failed_job_registry.count])


def test_one_handler_without_a_list(queue, worker, observed):
    queue.enqueue(jobs.boom)
    worker(exception_handlers=jobs.handle_say).work(burst=True)
    observed("notes", jobs.notes())


def test_push_and_pop_a_handler(queue, worker, observed):
    helper = worker(exception_handlers=[jobs.handle_say])
    helper.push_exc_handler(jobs.handle_stop)
    observed("popped", helper.pop_exc_handler() is jobs.handle_stop)
    queue.enqueue(jobs.boom)
    helper.work(burst=True)
    observed("notes", jobs.notes())


def test_default_handler_can_be_disabled(queue, worker, observed):
    job = queue.enqueue(jobs.boom)
    worker(disable_default_exception_handler=True, exception_handlers=[jobs.handle_say]).work(burst=True)
    observed("status", job.get_status().value)
    observed("failed", queue.failed_job_registry.count)
    observed("result", job.latest_result())
    observed("notes", jobs.notes())


def test_handlers_are_not_called_on_success(queue, worker, observed):
    queue.enqueue(jobs.nothing)
    worker(exception_handlers=[jobs.handle_say]).work(burst=True)
    observed("notes", jobs.notes())


def test_handler_that_raises(rq, queue, worker, observed, logs):
    job = queue.enqueue(jobs.boom)
    queue.enqueue(jobs.say, "next")
    worked = worker(exception_handlers=[jobs.handle_raise]).work(burst=True)
    observed("answer", [worked, job.get_status().value, jobs.notes()])
    observed("lines", len(logs.having("found an unhandled exception")))
    observed("started", queue.started_job_registry.get_job_ids(cleanup=False) == [job.id])
    observed("left", [queue.count, queue.failed_job_registry.count, job.latest_result()])
    queue.started_job_registry.cleanup(time.time() + 86_400)
    observed("abandoned", [job.get_status().value, queue.failed_job_registry.count])
    observed("reason", neutral(job.latest_result().exc_string))


@pytest.mark.parametrize("retries", [0, 1])
def test_handler_that_raises_in_a_forking_worker(rq, queue, connection, observed, logs, retries):
    retry = rq.Retry(retries) if retries else None
    job = queue.enqueue(jobs.boom, retry=retry, on_failure=rq.Callback(jobs.on_failure))
    queue.enqueue(jobs.say, "next")
    options = {"exception_handlers": [jobs.handle_raise, jobs.handle_say]}
    worked = rq.Worker([queue], connection=connection, **options).work(burst=True)
    observed("answer", [worked, job.get_status().value, jobs.notes()])
    observed("results", [[result.type.name, result.exc_string] for result in job.results()])
    observed("failed", queue.failed_job_registry.get_job_ids() == [job.id])
