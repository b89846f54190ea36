"""Every way from one status to the next, and what a job and its observers see on the way.

Retries, repeats, dependencies, callbacks and scheduling have files of their own.
"""

from __future__ import annotations

import pytest

from . import jobs
from .watch import outcome, until


def flags(rq, queue):
    """Return in which registries the queue's jobs are."""
    names = ("started", "finished", "failed", "deferred", "scheduled", "canceled")
    return {name: sorted(getattr(queue, f"{name}_job_registry").get_job_ids()) for name in names}


def test_created_queued_started_finished(rq, queue, connection, burst, observed):
    job = rq.Job.create(jobs.current, connection=connection, id="life")
    seen = [job.get_status(refresh=False).value]
    queue.enqueue_job(job)
    seen.append(job.get_status().value)
    burst()
    inside = job.return_value()
    seen += [inside["status"], job.get_status().value]
    observed("statuses", seen)
    observed("registries", flags(rq, queue))
    observed("queue", queue.job_ids)


def test_queued_started_failed(rq, queue, burst, observed):
    job = queue.enqueue(jobs.boom, job_id="f")
    burst()
    observed("status", job.get_status().value)
    observed("registries", flags(rq, queue))
    job.refresh()
    assert job.ended_at >= job.started_at >= job.enqueued_at


def test_what_a_running_job_looks_like(queue, burst, observed):
    job = queue.enqueue(jobs.describe_registries)
    burst()
    value = job.return_value()
    worker = job.latest_result().worker_name
    observed("worker is named", value["executions"] == [worker])
    del value["executions"]
    observed("inside", value)
    observed("executions afterwards", len(job.get_executions()))


def test_result_of_a_success(rq, queue, burst, observed):
    job = queue.enqueue(jobs.add, 1, y=2)
    burst()
    result = job.latest_result()
    observed("type", [result.type.name, result.type.value, result.return_value, result.exc_string])
    observed("repr", repr(result).replace(result.id, "<id>"))
    job.refresh()
    assert result.worker_name == job.worker_name
    assert result.job_id == job.id
    assert result.execution_id
    assert result.execution_started_at <= result.execution_ended_at
    number, sequence = result.id.split("-")
    assert len(number) == 13
    assert sequence.isdigit()


def test_result_of_a_failure(rq, queue, burst, observed):
    job = queue.enqueue(jobs.boom, "bad")
    burst()
    result = job.latest_result()
    lines = result.exc_string.splitlines()
    observed("type", [result.type.name, result.type.value, result.return_value])
    observed("first", lines[0])
    observed("last", lines[-1])
    observed("ends with a line feed", result.exc_string.endswith("\n"))
    observed("return value", job.return_value())
    assert any("jobs.py" in line and "in boom" in line for line in lines)


def test_a_cause_is_kept_in_the_traceback(queue, burst, observed):
    job = queue.enqueue(jobs.boom_from)
    burst()
    text = job.latest_result().exc_string
    observed("parts", ["KeyError: 'inner'" in text, "direct cause" in text, text.strip().splitlines()[-1]])


@pytest.mark.parametrize("name", ["leave", "interrupt"])
def test_base_exceptions_are_failures(queue, burst, observed, name):
    job = queue.enqueue(getattr(jobs, name))
    observed("worked", burst())
    observed("status", job.get_status().value)
    observed("last line", job.latest_result().exc_string.strip().splitlines()[-1])


def test_returning_none(queue, burst, observed):
    job = queue.enqueue(jobs.nothing)
    burst()
    result = job.latest_result()
    observed("result", [result.type.name, result.return_value, job.return_value(), job.get_status().value])


def test_returning_what_cannot_be_stored(rq, queue, burst, observed):
    job = queue.enqueue(jobs.unpicklable)
    burst()
    observed("answer", [job.get_status().value, job.return_value(), job.latest_result().type.name])


def test_a_generator_gives_no_usable_value(queue, burst):
    job = queue.enqueue(jobs.generator)
    burst()
    assert job.return_value() in (None, "Unserializable return value")


def test_coroutine_functions_are_run(queue, burst, observed):
    good, bad = queue.enqueue(jobs.coroutine, 4), queue.enqueue(jobs.coroutine_boom)
    burst()
    observed("good", [good.get_status().value, good.return_value()])
    observed("bad", [bad.get_status().value, bad.latest_result().exc_string.strip().splitlines()[-1]])


def test_current_job_is_only_there_inside(rq, queue, burst, observed):
    observed("before", rq.get_current_job())
    job = queue.enqueue(jobs.current_id)
    burst()
    observed("inside is the job", job.return_value() == job.id)
    observed("after", rq.get_current_job())


def test_meta_from_inside(rq, queue, connection, burst, observed):
    saved, lost = queue.enqueue(jobs.set_meta, True), queue.enqueue(jobs.set_meta, False)
    burst()
    observed("saved", rq.Job.fetch(saved.id, connection=connection).meta)
    observed("lost", rq.Job.fetch(lost.id, connection=connection).meta)


def test_progress_is_seen_while_the_job_runs(queue, burst, observed):
    job = queue.enqueue(jobs.progress, 3)
    burst()
    observed("seen", jobs.notes())
    observed("final", job.get_meta())


def test_cancel_a_queued_job(rq, queue, burst, observed):
    job = queue.enqueue(jobs.say, "never", job_id="c")
    job.cancel()
    observed("status", job.get_status().value)
    observed("registries", flags(rq, queue))
    observed("queue", queue.job_ids)
    observed("worked", burst())
    observed("notes", jobs.notes())
    observed("again", outcome(job.cancel))


def test_cancel_a_finished_job_moves_it(rq, queue, burst, observed):
    job = queue.enqueue(jobs.nothing, job_id="c")
    burst()
    job.cancel()
    observed("status", job.get_status().value)
    observed("registries", flags(rq, queue))


def test_cancel_a_failed_job_moves_it(rq, queue, burst, observed):
    job = queue.enqueue(jobs.boom, job_id="c")
    burst()
    job.cancel()
    observed("registries", flags(rq, queue))


def test_cancel_a_running_job_lets_it_finish(rq, queue, burst, observed):
    job = queue.enqueue(jobs.cancel_self, job_id="c")
    burst()
    observed("status", job.get_status().value)
    observed("value", job.return_value())
    observed("registries", flags(rq, queue))


def test_deleting_a_running_job(rq, queue, connection, burst, observed):
    job = queue.enqueue(jobs.delete_self, job_id="d")
    observed("worked", burst())
    observed("exists", rq.Job.exists("d", connection=connection))
    observed("status", outcome(lambda: job.get_status().value))


def test_canceled_job_can_be_requeued(rq, queue, burst, observed):
    job = queue.enqueue(jobs.say, "back", job_id="c")
    job.cancel()
    queue.canceled_job_registry.requeue(job)
    observed("status", job.get_status().value)
    observed("registries", flags(rq, queue))
    burst()
    observed("notes", jobs.notes())


def test_requeue_of_a_failed_job(rq, queue, connection, burst, observed):
    job = queue.enqueue(jobs.flaky, "x", 1, job_id="f")
    burst()
    queue.enqueue(jobs.say, "other", job_id="o")
    again = job.requeue()
    observed("queue", queue.job_ids)
    observed("job", [again.id, again.get_status().value])
    fresh = rq.Job.fetch("f", connection=connection)
    observed("times", [fresh.started_at, fresh.ended_at])
    observed("results kept", [result.type.name for result in fresh.results()])
    burst()
    observed("results", [result.type.name for result in fresh.results()])
    observed("registries", flags(rq, queue))


def test_requeue_at_front(queue, burst, observed):
    job = queue.enqueue(jobs.boom, job_id="f")
    burst()
    queue.enqueue(jobs.nothing, job_id="o")
    job.requeue(at_front=True)
    observed("queue", queue.job_ids)


def test_requeue_of_what_did_not_fail(queue, burst, observed):
    job = queue.enqueue(jobs.nothing)
    observed("queued", outcome(job.requeue))
    burst()
    observed("finished", outcome(job.requeue))


def test_finished_job_enqueued_again(rq, queue, burst, observed):
    job = queue.enqueue(jobs.say, "again", job_id="a")
    burst()
    queue.enqueue_job(job)
    observed("status", job.get_status().value)
    burst()
    observed("notes", jobs.notes())
    observed("results", len(job.results()))


def test_results_are_newest_first(queue, burst, observed):
    job = queue.enqueue(jobs.ask_retry_until, 3, 5)
    burst()
    observed("types", [result.type.name for result in job.results()])
    observed("value", job.return_value())


def test_job_of_another_queue_is_not_fetched(rq, queue, connection):
    other = rq.Queue("other", connection=connection)
    job = queue.enqueue(jobs.nothing)
    assert other.fetch_job(job.id) is None
    assert queue.fetch_job(job.id) == job
    assert queue.fetch_job("none") is None


def test_custom_job_class_runs(rq, connection, observed):
    class Loud(rq.Job):
        def perform(self):
            return f"loud {super().perform()}"

    queue = rq.Queue("own", connection=connection, job_class=Loud)
    job = queue.enqueue(jobs.add, 1)
    rq.SimpleWorker([queue], connection=connection, job_class=Loud).work(burst=True)
    observed("value", queue.fetch_job(job.id).return_value())


def test_job_override_of_execute_and_func(rq, connection, observed):
    class Own(rq.Job):
        @property
        def func(self):
            return lambda *args: sum(args) * 100

        def _execute(self):
            return [super()._execute(), "executed"]

    queue = rq.Queue("own", connection=connection, job_class=Own)
    job = queue.enqueue(jobs.add, 1, 2)
    rq.SimpleWorker([queue], connection=connection, job_class=Own).work(burst=True)
    observed("value", queue.fetch_job(job.id).return_value())


def test_last_heartbeat_is_set(rq, queue, burst):
    job = queue.enqueue(jobs.nothing)
    assert job.last_heartbeat is None
    burst()
    job.refresh()
    assert job.last_heartbeat is not None


def test_forked_worker_runs_a_job(rq, queue, connection, observed):
    job = queue.enqueue(jobs.say, "forked")
    observed("worked", rq.Worker([queue], connection=connection).work(burst=True))
    until(lambda: job.get_status() == "finished")
    observed("notes", jobs.notes())
    observed("value", job.return_value())


def test_forked_worker_and_a_failure(rq, queue, connection, observed):
    job = queue.enqueue(jobs.boom)
    observed("worked", rq.Worker([queue], connection=connection).work(burst=True))
    observed("status", job.get_status().value)
    observed("last line", job.latest_result().exc_string.strip().splitlines()[-1])
