"""Result objects: kinds, history, waiting for one, and what serializers make of values."""

from __future__ import annotations

import threading
import time

from . import jobs
from .watch import outcome, until


def test_kinds(rq, observed):
    observed("values", {kind.name: kind.value for kind in rq.Result.Type})


def test_no_result_yet(queue, observed):
    job = queue.enqueue(jobs.nothing)
    observed("answers", [job.latest_result(), job.results(), job.return_value()])


def test_history_of_a_requeued_job(queue, burst, observed):
    job = queue.enqueue(jobs.flaky, "x", 2)
    burst()
    for _ in range(2):
        job.requeue()
        burst()
    results = job.results()
    observed("types", [result.type.name for result in results])
    assert job.latest_result() == results[0]
    assert results[0].return_value == "x"
    assert [result.id for result in results] == sorted((result.id for result in results), reverse=True)


def test_fields_of_a_stored_result(rq, queue, burst, observed):
    job = queue.enqueue(jobs.add, 2)
    burst()
    job.refresh()
    result = job.latest_result()
    assert result.worker_name == job.worker_name
    assert job.started_at <= result.execution_ended_at
    assert abs((result.created_at - job.ended_at).total_seconds()) < 2
    observed("bool and equality", [bool(result), result == job.latest_result(), result == 3])


def test_execution_ids_differ_between_runs(queue, burst):
    job = queue.enqueue(jobs.ask_retry_until, 3, 5)
    burst()
    assert len({result.execution_id for result in job.results()}) == 3


def test_create_by_hand(rq, queue, observed):
    job = queue.enqueue(jobs.nothing)
    rq.Result.create(job, rq.Result.Type.SUCCESSFUL, ttl=10, return_value={"a": 1}, worker_name="w")
    rq.Result.create_failure(job, ttl=10, exc_string="made up")
    latest = job.latest_result()
    observed("latest", [latest.type.name, latest.exc_string, latest.return_value, latest.worker_name])
    observed("older", [job.results()[1].return_value, job.results()[1].worker_name])
    observed("count", rq.Result.count(job))
    rq.Result.delete_all(job)
    observed("deleted", [rq.Result.count(job), job.latest_result()])


def test_value_of_an_older_success_behind_a_failure(rq, queue, observed):
    job = queue.enqueue(jobs.nothing)
    rq.Result.create(job, rq.Result.Type.SUCCESSFUL, ttl=10, return_value=1)
    rq.Result.create_failure(job, ttl=10, exc_string="made up")
    observed("return_value", job.return_value())


def test_waiting_without_a_result(queue, observed):
    job = queue.enqueue(jobs.nothing)
    begin = time.monotonic()
    observed("result", job.latest_result(timeout=1))
    assert 0.8 <= time.monotonic() - begin < 5


def test_waiting_for_a_result(rq, queue, connect, burst, observed):
    job = queue.enqueue(jobs.add, 1)
    answer = []
    waiter = rq.Job.fetch(job.id, connection=connect())
    thread = threading.Thread(target=lambda: answer.append(waiter.latest_result(timeout=20)))
    thread.start()
    burst()
    thread.join(25)
    observed("answer", [answer[0].type.name, answer[0].return_value])


def test_waiting_for_a_result_that_is_there(queue, burst, observed):
    job = queue.enqueue(jobs.add, 1)
    burst()
    begin = time.monotonic()
    observed("value", job.latest_result(timeout=10).return_value)
    assert time.monotonic() - begin < 5


def test_none_as_a_value(queue, burst, observed):
    job = queue.enqueue(jobs.nothing)
    burst()
    observed("result", [job.latest_result().type.name, job.latest_result().return_value, job.return_value()])


def test_falsy_values(queue, burst, observed):
    made = [queue.enqueue(jobs.echo, value) for value in (0, "", [], False)]
    burst()
    observed("values", [job.return_value() for job in made])


def test_result_of_a_worker_with_a_name(rq, queue, connection, observed):
    job = queue.enqueue(jobs.nothing)
    rq.SimpleWorker([queue], connection=connection, name="bob").work(burst=True)
    job.refresh()
    observed("names", [job.worker_name, job.latest_result().worker_name])


def test_result_of_a_deleted_job(queue, burst, observed):
    job = queue.enqueue(jobs.add, 1)
    burst()
    job.delete()
    observed("status", outcome(job.get_status).split(":")[0])


def test_exc_info_of_a_job_that_recovered(queue, burst, observed):
    job = queue.enqueue(jobs.flaky, "x", 1)
    burst()
    job.requeue()
    burst()
    until(lambda: job.get_status() == "finished")
    observed("latest", job.latest_result().exc_string)
