"""What the enqueue family refuses, with which class and words, and that nothing is left behind."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone

import pytest

from . import jobs
from .watch import outcome


class Plain:
    """A class is not a job."""


@pytest.mark.parametrize(
    "target",
    [Plain, 3, None, b"bytes", ["list"]],
    ids=["class", "int", "none", "bytes", "list"],
)
def test_what_is_not_callable(queue, observed, target):
    observed("error", outcome(lambda: queue.enqueue(target)).replace(__name__, "mod"))
    assert queue.count == 0


def test_main_module_is_refused(queue, observed):
    def local():
        return None

    local.__module__ = "__main__"
    observed("error", outcome(lambda: queue.enqueue(local)))


@pytest.mark.parametrize(
    "options",
    [
        {"job_timeout": 0},
        {"job_timeout": "5x"},
        {"job_timeout": "x"},
        {"job_timeout": "1.5"},
        {"job_timeout": ""},
        {"ttl": 0},
        {"ttl": -1},
        {"job_id": "a b"},
        {"job_id": "a:b"},
        {"job_id": ""},
        {"job_id": "a/b"},
        {"job_id": "ä"},
        {"job_id": 5},
        {"unique": True},
        {"depends_on": 5},
        {"depends_on": [5]},
        {"depends_on": [None]},
        {"on_success": 3},
        {"on_failure": 3},
        {"on_stopped": 3},
        {"webhooks": "http://x"},
        {"webhooks": [3]},
        {"args": 3},
        {"kwargs": 3},
        {"args": "text"},
        {"args": None},
    ],
    ids=lambda options: "-".join(f"{key}={value}" for key, value in options.items()),
)
def test_bad_option(queue, observed, options):
    observed("outcome", outcome(lambda: bool(queue.enqueue(jobs.shape, **options))))
    observed("count", queue.count)


def test_explicit_args_cannot_be_mixed_with_positionals(queue, observed):
    observed("args", outcome(lambda: queue.enqueue(jobs.add, 1, args=(1,))))
    observed("kwargs", outcome(lambda: queue.enqueue(jobs.add, 1, kwargs={"y": 1})))


def test_unique_needs_an_id_of_its_own(queue, observed):
    assert queue.enqueue(jobs.nothing, job_id="x", unique=True).id == "x"
    observed("again", outcome(lambda: queue.enqueue(jobs.nothing, job_id="x", unique=True)))
    observed("with dependency", outcome(lambda: queue.enqueue(jobs.add, 1, job_id="y", unique=True, depends_on="x")))
    observed("count", queue.count)


def test_unique_holds_as_long_as_the_record_exists(rq, queue, burst, observed):
    job = queue.enqueue(jobs.nothing, job_id="once", unique=True)
    burst()
    observed("finished", outcome(lambda: queue.enqueue(jobs.nothing, job_id="once", unique=True)))
    job.delete()
    assert queue.enqueue(jobs.nothing, job_id="once", unique=True).get_status() == "queued"


def test_unique_after_a_plain_enqueue(queue, observed):
    queue.enqueue(jobs.nothing, job_id="dup")
    observed("error", outcome(lambda: queue.enqueue(jobs.nothing, job_id="dup", unique=True)))
    queue.enqueue(jobs.nothing, job_id="dup")
    observed("plain again", queue.count)


@pytest.mark.rq212("rq212-unique-scheduled")
def test_unique_holds_for_scheduled_jobs(queue, observed):
    queue.enqueue_in(timedelta(minutes=1), jobs.nothing, job_id="u", unique=True)
    observed("in", outcome(lambda: queue.enqueue_in(timedelta(minutes=1), jobs.nothing, job_id="u", unique=True)))
    when = datetime.now(timezone.utc) + timedelta(minutes=1)
    observed("at", outcome(lambda: queue.enqueue_at(when, jobs.nothing, job_id="u", unique=True)))


@pytest.mark.rq212("rq212-unique-scheduled")
def test_unique_scheduled_needs_an_id(queue, observed):
    observed("error", outcome(lambda: bool(queue.enqueue_in(timedelta(1), jobs.nothing, unique=True))))


def test_unpicklable_arguments_raise_at_once(queue, observed):
    observed("lock", outcome(lambda: queue.enqueue(jobs.echo, threading.Lock())))
    observed("count", queue.count)
    observed("registries", [queue.deferred_job_registry.count, queue.scheduled_job_registry.count])


def test_lambda_and_local_functions_fail_when_they_run(rq, queue, burst, observed):
    job = queue.enqueue(lambda: 1)
    burst()
    observed("status", job.get_status().value)
    observed("error", job.latest_result().exc_string.strip().splitlines()[-1].split(":")[0])


@pytest.mark.parametrize("name", ["no.such.module.function", "nodots", "tests.conformance.rq.jobs.missing"])
def test_unknown_names_fail_when_they_run(queue, burst, observed, name):
    job = queue.enqueue(name, 1)
    observed("enqueued", job.get_status().value)
    observed("worked", burst())
    observed("status", job.get_status().value)
    observed("error", job.latest_result().exc_string.strip().splitlines()[-1])


def test_queue_without_connection(rq, observed):
    observed("queue", outcome(lambda: rq.Queue("x") and "made"), shim="returned 'made'", row="rq-no-connection")


def test_job_without_connection(rq, observed):
    observed("job", outcome(lambda: rq.Job("x") and "made"), shim="returned 'made'", row="rq-no-connection")


def test_async_keyword_is_an_old_name(rq, connection, observed):
    with pytest.warns(DeprecationWarning, match="deprecated") as caught:
        queue = rq.Queue("old", connection=connection, **{"async": False})
    observed("words", str(caught[0].message))
    observed("is_async", queue.is_async)


@pytest.mark.parametrize("option", ["on_success", "on_failure", "on_stopped"])
def test_bare_callbacks_are_an_old_form(rq, queue, observed, option):
    callback = getattr(jobs, option)
    with pytest.warns(DeprecationWarning, match="deprecated") as caught:
        job = queue.enqueue(jobs.nothing, **{option: callback})
    observed("words", str(caught[0].message))
    kind = {"on_success": "success", "on_failure": "failure", "on_stopped": "stopped"}[option]
    assert getattr(job, f"{kind}_callback") is callback
    observed("timeout", getattr(job, f"{kind}_callback_timeout"))


@pytest.mark.parametrize("items", [[], None, "", ()])
def test_empty_depends_on_is_no_dependency(queue, observed, items):
    observed("status", outcome(lambda: queue.enqueue(jobs.nothing, depends_on=items).get_status().value))


@pytest.mark.parametrize("value", [[], "", 3, [3], ["", "a"], [None], None])
def test_dependency_constraints(rq, observed, value):
    observed("outcome", outcome(lambda: bool(rq.Dependency(value))))


@pytest.mark.rq212("rq212-enqueue-many-twice")
def test_enqueue_many_with_a_repeated_id(rq, queue, observed):
    data = [rq.Queue.prepare_data(jobs.nothing, job_id="same") for _ in range(2)]
    observed("outcome", outcome(lambda: len(queue.enqueue_many(data))))
    observed("count", queue.count)


def test_enqueue_at_wants_a_datetime(queue, observed):
    observed("string", outcome(lambda: queue.enqueue_at("tomorrow", jobs.nothing)).split(":")[0])
    observed("in", outcome(lambda: queue.enqueue_in(5, jobs.nothing)).split(":")[0])


def test_a_worker_wants_queues(rq, connection, observed):
    observed("number", outcome(lambda: rq.SimpleWorker([3], connection=connection)))
    observed(
        "no connection",
        outcome(lambda: rq.SimpleWorker(["x"]) and "made"),
        shim="returned 'made'",
        row="rq-no-connection",
    )
