"""Jobs that start by themselves: threads, order, schedule, stop, suspension, and the manual mode beside it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from brokerless.compat.rq_shim import Queue, Repeat, Retry, SimpleWorker, Worker
from brokerless.compat.rq_shim.command import send_stop_job_command
from brokerless.compat.rq_shim.job import Job
from brokerless.compat.rq_shim.results import Result
from brokerless.compat.rq_shim.suspension import resume, suspend
from brokerless.compat.rq_shim.timeouts import JobTimeoutException
from brokerless.compat.rq_shim.worker import BaseWorker

from tests.unit.rig import SOON

from . import acts


@pytest.fixture(autouse=True, params=["logged", "quiet"])
def automatic(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Two threads; what the environment of the run says does not count. Quiet: nobody would see the lines of a worker,
    as in a program that has not set logging up, so that plain jobs go the short way."""
    if request.param == "quiet":
        monkeypatch.setattr(logging.getLogger("rq.worker"), "propagate", False)
    monkeypatch.delenv("BROKERLESS_AUTOSTART", raising=False)
    monkeypatch.setenv("BROKERLESS_RQ_WORKERS", "2")
    acts.reset()
    yield
    acts.gate.set()


def workers() -> list[str]:
    """The names of the shim's own threads."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("brokerless-rq:")]


def test_no_thread_before_the_first_job(connection: Any) -> None:
    queue = Queue(connection=connection)
    assert workers() == []
    assert queue.enqueue(acts.note, 1).wait(SOON)
    assert workers() != []


def test_a_job_runs_and_its_result_is_kept(connection: Any) -> None:
    queue = Queue(connection=connection)
    job = queue.enqueue(acts.note, "a")
    assert job.wait(SOON)
    assert job.return_value() == "a"
    assert job.get_status() == "finished"
    assert job.id in queue.finished_job_registry


def test_a_job_that_runs_again_and_again_keeps_its_last_ten_results(connection: Any) -> None:
    queue = Queue(connection=connection)
    job = queue.enqueue(acts.note, "a")
    for _ in range(12):
        assert job.wait(SOON)
        queue.enqueue_job(job)
    assert job.wait(SOON)
    assert acts.order == ["a"] * 13
    assert len(job.results()) == 10
    assert len({result.id for result in job.results()}) == 10


def test_a_failure_is_kept_with_its_traceback(connection: Any) -> None:
    queue = Queue(connection=connection)
    job = queue.enqueue(acts.boom, "a")
    assert job.wait(SOON)
    assert job.get_status() == "failed"
    assert "ValueError: a" in job.latest_result().exc_string
    assert job.id in queue.failed_job_registry


def test_a_handler_that_raises_fails_the_job_and_ends_no_thread(
    connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a forking worker of RQ does it: the reason is the run's end, not the function's exception."""

    def raises(*given: Any) -> None:
        raise RuntimeError("handler")

    monkeypatch.setattr(BaseWorker, "handle_exception", raises)
    queue = Queue(connection=connection)
    job = queue.enqueue(acts.boom, "a")
    assert job.wait(SOON)
    assert job.get_status() == "failed"
    assert job.latest_result().exc_string == "Work-horse terminated unexpectedly; waitpid returned 256; "
    assert queue.enqueue(acts.note, "b").wait(SOON)


def test_retries_repeats_and_dependents_go_on_by_themselves(connection: Any) -> None:
    queue = Queue(connection=connection)
    parent = queue.enqueue(acts.boom_once, "p", retry=Retry(1))
    child = queue.enqueue(acts.note, "c", depends_on=parent)
    assert child.wait(SOON)
    assert acts.order == ["p", "p", "c"]
    last = queue.enqueue(acts.note, "r", repeat=Repeat(2))
    waited = threading.Event()
    for _ in range(int(SOON * 100)):
        if acts.order.count("r") == 3:
            break
        waited.wait(0.01)
    assert acts.order.count("r") == 3
    assert last.wait(SOON)


def test_coroutine_functions_run(connection: Any) -> None:
    job = Queue(connection=connection).enqueue(acts.doubled, 21)
    assert job.wait(SOON)
    assert job.return_value() == 42


def test_scheduled_jobs_run_when_due(connection: Any) -> None:
    """Without a scheduler to start, and to the fraction of a second."""
    queue = Queue(connection=connection)
    job = queue.enqueue_in(timedelta(seconds=0.2), acts.note, "later")
    assert job.get_status() == "scheduled"
    assert job.wait(SOON)
    assert job.return_value() == "later"
    job.refresh()
    assert 0.15 <= (job.ended_at - job.created_at).total_seconds() < SOON


def test_two_jobs_at_once_and_not_three(connection: Any) -> None:
    queue = Queue(connection=connection)
    jobs = [queue.enqueue(acts.hold, word) for word in "abc"]
    for _ in range(2):
        assert acts.started.acquire(timeout=SOON)
    assert not acts.started.acquire(timeout=0.05)
    assert queue.job_ids == [jobs[2].id]
    assert len(acts.threads) == 2
    acts.gate.set()
    assert all(job.wait(SOON) for job in jobs)
    assert threading.get_ident() not in acts.threads


def test_a_running_job_is_stopped(connection: Any) -> None:
    queue = Queue(connection=connection)
    job = queue.enqueue(acts.spin)
    assert acts.started.acquire(timeout=SOON)
    send_stop_job_command(connection, job.id)
    assert job.wait(SOON)
    assert job.get_status() == "stopped"
    assert queue.enqueue(acts.note, 1).wait(SOON)


def test_a_time_limit_holds(connection: Any) -> None:
    job = Queue(connection=connection).enqueue(acts.spin, job_timeout=1)
    assert job.wait(SOON)
    assert job.get_status() == "failed"
    assert JobTimeoutException.__name__ in job.latest_result().exc_string


def test_suspended_threads_take_nothing(connection: Any) -> None:
    queue = Queue(connection=connection)
    assert queue.enqueue(acts.note, "before").wait(SOON)
    suspend(connection)
    job = queue.enqueue(acts.note, "while")
    assert not job.wait(0.1)
    assert queue.job_ids == [job.id]
    resume(connection)
    assert job.wait(SOON)


def test_workers_show_to_who_looks(connection: Any) -> None:
    queue = Queue(connection=connection)
    job = queue.enqueue(acts.hold, "a")
    assert acts.started.acquire(timeout=SOON)
    working = [worker for worker in Worker.all(connection=connection) if worker.get_current_job_id() == job.id]
    assert len(working) == 1
    assert job.id in queue.started_job_registry.get_job_ids()
    acts.gate.set()
    assert job.wait(SOON)


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_manual_mode(connection: Any, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Nothing runs before a worker does, nor does what the worker queues itself."""
    if how == "environment":
        monkeypatch.setenv("BROKERLESS_AUTOSTART", "0")
    options = {"autostart": False} if how == "argument" else {}
    queue = Queue(connection=connection, **options)
    parent = queue.enqueue(acts.note, "p")
    child = queue.enqueue(acts.note, "c", depends_on=parent)
    assert not parent.wait(0.05)
    assert workers() == []
    assert SimpleWorker([queue], connection=connection).work(burst=True, max_jobs=1)
    assert acts.order == ["p"]
    assert not child.wait(0.05)
    assert child.get_status() == "queued"
    assert SimpleWorker([queue], connection=connection).work(burst=True)
    assert acts.order == ["p", "c"]


def test_who_sees_a_failure_finds_its_result(connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status changes before the result is stored; another thread looks in between."""
    create = Result.create_failure
    seen = threading.Event()
    found: list[Any] = []
    readers: list[threading.Thread] = []

    def read(job: Any) -> None:
        while job.get_status() != "failed":
            pass
        seen.set()
        found.append(job.latest_result())

    def create_late(job: Any, *args: Any, **kwargs: Any) -> Any:
        readers.append(threading.Thread(target=read, args=(Job.fetch(job.id, connection=connection),)))
        readers[0].start()
        assert seen.wait(SOON)
        readers[0].join(0.05)
        return create(job, *args, **kwargs)

    monkeypatch.setattr(Result, "create_failure", create_late)
    job = Queue(connection=connection).enqueue(acts.boom, "late")
    assert job.wait(SOON)
    assert seen.wait(SOON)
    readers[0].join(SOON)
    assert found[0] is not None and "ValueError" in found[0].exc_string
