"""Workers: what ``work`` answers, when it ends, what it counts, and how it is found."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from . import jobs
from .watch import outcome, until


def test_burst_of_nothing(queue, burst, observed):
    observed("worked", burst())


def test_burst_of_one(queue, burst, observed):
    queue.enqueue(jobs.nothing)
    observed("worked", burst())
    observed("again", burst())


def test_burst_of_a_failure(queue, burst, observed):
    queue.enqueue(jobs.boom)
    observed("worked", burst())


def test_burst_of_a_canceled_job(queue, burst, observed):
    queue.enqueue(jobs.nothing).cancel()
    observed("worked", burst())


def test_burst_of_a_deleted_job(queue, burst, observed):
    queue.enqueue(jobs.nothing).delete(remove_from_queue=False)
    observed("worked", burst())


def test_max_jobs(queue, worker, observed):
    for _ in range(5):
        queue.enqueue(jobs.nothing)
    observed("worked", worker().work(burst=True, max_jobs=2))
    observed("left", queue.count)


def test_max_jobs_without_burst(queue, worker, observed):
    for _ in range(3):
        queue.enqueue(jobs.nothing)
    observed("worked", worker().work(max_jobs=2))
    observed("left", queue.count)


def test_max_idle_time(queue, worker, observed):
    begin = time.monotonic()
    observed("worked", worker().work(max_idle_time=1))
    assert 0.8 <= time.monotonic() - begin < 5


def test_max_idle_time_after_a_job(queue, worker, observed):
    queue.enqueue(jobs.say, "x")
    observed("worked", worker().work(max_idle_time=1))
    observed("ran", jobs.notes())


def test_waiting_worker_takes_a_job(rq, queue, connect, worker, observed):
    other = rq.Queue(connection=connect())
    timer = threading.Timer(0.3, lambda: other.enqueue(jobs.say, "later"))
    timer.start()
    observed("worked", worker().work(max_jobs=1))
    timer.join()
    observed("ran", jobs.notes())


@pytest.mark.parametrize("form", ["name", "names", "queue", "queues", "mixed", "generator"])
def test_forms_of_queues(rq, queue, connection, observed, form):
    low = rq.Queue("low", connection=connection)
    given = {
        "name": "default",
        "names": ["default", "low"],
        "queue": queue,
        "queues": [queue, low],
        "mixed": ["default", low],
        "generator": (name for name in ("default", "low")),
    }[form]
    helper = rq.SimpleWorker(given, connection=connection)
    observed("names", helper.queue_names())
    observed("keys", helper.queue_keys())
    observed("queues", [str(one) for one in helper.queues])


def test_connection_is_taken_from_the_queue(rq, queue, observed):
    job = queue.enqueue(jobs.nothing)
    rq.SimpleWorker([queue]).work(burst=True)
    observed("status", job.get_status().value)


def test_names(rq, queue, connection, observed):
    named = rq.SimpleWorker([queue], name="bob", connection=connection)
    plain = rq.SimpleWorker([queue], connection=connection)
    observed("named", [named.name, named.key])
    assert len(plain.name) == 32
    assert plain.name != rq.SimpleWorker([queue], connection=connection).name
    observed("prefix", rq.SimpleWorker.redis_worker_namespace_prefix)


def test_two_living_workers_cannot_share_a_name(rq, queue, connection, observed):
    first = rq.SimpleWorker([queue], name="dup", connection=connection)
    first.register_birth()
    second = rq.SimpleWorker([queue], name="dup", connection=connection)
    observed("error", outcome(second.register_birth))
    first.register_death()
    second.register_birth()
    observed("count", rq.SimpleWorker.count(connection=connection))
    second.register_death()


def test_registration(rq, queue, connection, observed):
    low = rq.Queue("low", connection=connection)
    helper = rq.SimpleWorker([queue], name="bob", connection=connection)
    observed("before", [rq.Worker.count(connection=connection), rq.Worker.all(connection=connection)])
    helper.register_birth()
    observed("all", [one.name for one in rq.Worker.all(connection=connection)])
    observed("by queue", [len(rq.Worker.all(queue=queue)), len(rq.Worker.all(queue=low)), rq.Worker.count(queue=queue)])
    observed("keys", rq.Worker.all_keys(connection=connection))
    found = rq.Worker.find_by_key("rq:worker:bob", connection)
    observed("found", [found.name, found.queue_names()])
    helper.register_death()
    observed("after", rq.Worker.count(connection=connection))


def test_find_by_key_errors(rq, connection, observed):
    observed("missing", outcome(lambda: rq.Worker.find_by_key("rq:worker:none", connection)))
    observed("bad", outcome(lambda: rq.Worker.find_by_key("other:none", connection)))


def test_a_worker_is_gone_after_its_burst(rq, queue, connection, burst, observed):
    queue.enqueue(jobs.nothing)
    burst()
    observed("count", rq.Worker.count(connection=connection))


def test_statistics(queue, worker, observed):
    helper = worker()
    queue.enqueue(jobs.nothing)
    queue.enqueue(jobs.boom)
    queue.enqueue(jobs.busy, 0.05)
    helper.work(burst=True)
    helper.refresh()
    observed("counts", [helper.successful_job_count, helper.failed_job_count])
    assert 0.04 < helper.total_working_time < 5
    assert helper.birth_date <= helper.death_date if helper.death_date else helper.birth_date


def test_identity(queue, worker, observed):
    import os
    import platform
    import socket

    helper = worker()
    assert helper.pid == os.getpid()
    assert helper.hostname == socket.gethostname()
    assert platform.python_version() in helper.python_version
    observed("fresh", [helper.successful_job_count, helper.failed_job_count, helper.total_working_time])
    observed("current", [helper.get_current_job_id(), helper.get_current_job()])


def test_states(rq, queue, worker, observed):
    observed("names", sorted(status.value for status in rq.WorkerStatus))
    helper = worker()
    helper.register_birth()
    helper.set_state(rq.WorkerStatus.BUSY)
    observed("local", helper.get_state() == "busy")
    helper.refresh()
    observed("stored", helper.get_state() == "busy")
    helper.register_death()


def test_equality(rq, queue, connection, observed):
    one, same, other = (rq.SimpleWorker([queue], name=name, connection=connection) for name in "aab")
    observed("equal", [one == same, one == other, hash(one) == hash(same)])
    observed("stranger", outcome(lambda: one == 3))


def test_inheritance(rq, observed):
    observed("simple is a worker", issubclass(rq.SimpleWorker, rq.Worker))
    observed(
        "both are base workers", [issubclass(rq.SimpleWorker, rq.BaseWorker), issubclass(rq.Worker, rq.BaseWorker)]
    )


def test_override_of_perform_and_execute(rq, queue, connection, observed):
    calls = []

    class Own(rq.SimpleWorker):
        def execute_job(self, job, queue):
            calls.append(["execute_job", job.id, queue.name])
            return super().execute_job(job, queue)

        def perform_job(self, job, queue, *rest):
            calls.append(["perform_job", job.id, queue.name])
            return super().perform_job(job, queue, *rest)

        def handle_job_success(self, *args, **kwargs):
            calls.append(["handle_job_success", len(args) + len(kwargs) > 2])
            return super().handle_job_success(*args, **kwargs)

        def handle_job_failure(self, *args, **kwargs):
            calls.append(["handle_job_failure", len(args) + len(kwargs) > 2])
            return super().handle_job_failure(*args, **kwargs)

        def handle_exception(self, job, *exc_info):
            calls.append(["handle_exception", job.id, exc_info[0].__name__])
            return super().handle_exception(job, *exc_info)

    queue.enqueue(jobs.nothing, job_id="ok")
    queue.enqueue(jobs.boom, job_id="bad")
    Own([queue], connection=connection).work(burst=True)
    observed("calls", calls)


@pytest.mark.rq212("rq212-overrides")
def test_what_the_override_points_are_given(rq, queue, connection, observed):
    seen = []

    class Own(rq.SimpleWorker):
        def perform_job(self, job, queue, execution):
            seen.append(["perform_job", execution.job_id])
            return super().perform_job(job, queue, execution)

        def handle_job_success(self, job, queue, execution):
            seen.append(["handle_job_success", execution.job_id])
            return super().handle_job_success(job, queue, execution)

    queue.enqueue(jobs.nothing, job_id="J")
    Own([queue], connection=connection).work(burst=True)
    observed("seen", seen)


def test_module_patch_of_perform_job_is_seen(rq, queue, connection, monkeypatch):
    seen = []
    base = rq.module("worker").BaseWorker
    original = base.perform_job

    def patched(self, job, *args, **kwargs):
        seen.append(job.id)
        return original(self, job, *args, **kwargs)

    monkeypatch.setattr(base, "perform_job", patched)
    job = queue.enqueue(jobs.nothing)
    rq.SimpleWorker([queue], connection=connection).work(burst=True)
    assert seen == [job.id]


def test_work_in_a_thread(rq, queue, connection, observed):
    queue.enqueue(jobs.say, "x")
    answer = []
    helper = rq.SimpleWorker([queue], connection=connection)
    thread = threading.Thread(target=lambda: answer.append(outcome(lambda: helper.work(burst=True)).split(":")[0]))
    thread.start()
    thread.join(20)
    observed("outcome", answer[0], shim="returned True", row="rq-work-any-thread")
    observed("ran", jobs.notes(), shim=["x"], row="rq-work-any-thread")


def test_signal_handlers_afterwards(queue, burst, observed):
    before = signal.getsignal(signal.SIGINT)
    queue.enqueue(jobs.nothing)
    burst()
    observed("unchanged", signal.getsignal(signal.SIGINT) == before, shim=True, row="rq-signal-handlers")


def test_two_workers_in_turn(queue, worker, observed):
    queue.enqueue(jobs.nothing)
    first = worker()
    first.work(burst=True)
    queue.enqueue(jobs.nothing)
    second = worker()
    second.work(burst=True)
    first.refresh()
    second.refresh()
    observed("counts", [first.successful_job_count, second.successful_job_count])


def test_one_worker_works_twice(queue, worker, observed):
    helper = worker()
    queue.enqueue(jobs.nothing)
    observed("first", helper.work(burst=True))
    queue.enqueue(jobs.nothing)
    observed("second", helper.work(burst=True))


def test_serializer_of_the_worker(rq, connection, observed):
    queue = rq.Queue("json", connection=connection, serializer="json")
    job = queue.enqueue(jobs.add, 1)
    rq.SimpleWorker(["json"], connection=connection, serializer="json").work(burst=True)
    observed("value", queue.fetch_job(job.id).return_value())


def test_clean_registries(queue, worker, observed):
    queue.finished_job_registry.add(queue.enqueue(jobs.nothing), ttl=-10)
    worker().clean_registries()
    observed("left", queue.finished_job_registry.get_job_count(cleanup=False))


def test_heartbeat(queue, worker):
    helper = worker()
    helper.register_birth()
    helper.refresh()
    before = helper.last_heartbeat
    helper.heartbeat()
    helper.refresh()
    assert before
    assert helper.last_heartbeat >= before
    helper.register_death()


@pytest.mark.oracle_only("rq-process-exit")
def test_a_job_that_ends_its_process(rq, queue, connection, observed):
    job = queue.enqueue(jobs.end_process, 7, on_failure=rq.Callback(jobs.on_failure))
    rq.Worker([queue], connection=connection).work(burst=True)
    observed("status", job.get_status().value)
    observed("words", job.latest_result().exc_string)
    observed("callback", jobs.notes())


def test_forked_worker_gives_up_its_job_after_the_timeout(rq, queue, connection, observed):
    job = queue.enqueue(jobs.busy, 20, job_timeout=1)
    rq.Worker([queue], connection=connection).work(burst=True)
    until(lambda: job.get_status() == "failed")
    observed("last line", job.latest_result().exc_string.strip().splitlines()[-1])
