"""suspend, resume, is_suspended."""

from __future__ import annotations

import threading

from . import jobs
from .watch import until


def test_suspend_and_resume(rq, connection, observed):
    answers = [bool(rq.is_suspended(connection))]
    rq.suspend(connection)
    answers.append(bool(rq.is_suspended(connection)))
    rq.resume(connection)
    answers.append(bool(rq.is_suspended(connection)))
    observed("answers", answers)


def test_answers(rq, connection, observed):
    observed("suspend", rq.suspend(connection))
    observed("resume", rq.resume(connection))
    observed("resume again", rq.resume(connection))


def test_burst_worker_ends(rq, queue, connection, burst, observed):
    queue.enqueue(jobs.say, "x")
    rq.suspend(connection)
    observed("worked", burst())
    observed("left", queue.count)
    rq.resume(connection)
    observed("worked after", burst())


def test_suspension_with_an_end(rq, queue, connection, burst):
    rq.suspend(connection, ttl=2)
    assert rq.is_suspended(connection)
    until(lambda: not rq.is_suspended(connection))
    queue.enqueue(jobs.say, "x")
    assert burst()
    assert jobs.notes() == ["x"]


def test_waiting_worker_goes_on_after_resume(rq, queue, connect, connection, worker, logs, observed):
    rq.suspend(connection)
    queue.enqueue(jobs.say, "x")
    other = connect()

    def resume():
        until(lambda: logs.having("suspended, run"), 15)
        rq.resume(other)

    thread = threading.Thread(target=resume)
    thread.start()
    observed("worked", worker(name="W").work(max_jobs=1))
    thread.join(20)
    observed("lines", logs.having("suspended"))
    observed("notes", jobs.notes())


def test_enqueue_works_while_suspended(rq, queue, connection, observed):
    rq.suspend(connection)
    observed("status", queue.enqueue(jobs.nothing).get_status().value)


def test_sync_queue_runs_while_suspended(rq, connection, observed):
    rq.suspend(connection)
    queue = rq.Queue("sync", connection=connection, is_async=False)
    observed("status", queue.enqueue(jobs.nothing).get_status().value)


def test_key(rq, observed):
    observed("key", rq.WORKERS_SUSPENDED)
