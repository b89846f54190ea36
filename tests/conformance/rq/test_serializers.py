"""pickle, JSON and serializers of one's own."""

from __future__ import annotations

import json
import threading

import pytest

from . import jobs
from .watch import outcome


class Own:
    """A serializer of the test's own."""

    @staticmethod
    def dumps(value):
        """Return marked JSON."""
        return b"own" + json.dumps(value).encode()

    @staticmethod
    def loads(data):
        """Undo dumps."""
        assert data[:3] == b"own"
        return json.loads(data[3:])


@pytest.fixture
def run(rq, connection):
    """Return a function that runs one job under a serializer and answers it."""

    def work(serializer, function, *args, **kwargs):
        queue = rq.Queue("ser", connection=connection, serializer=serializer)
        job = queue.enqueue(function, *args, **kwargs)
        rq.SimpleWorker(["ser"], connection=connection, serializer=serializer).work(burst=True)
        return rq.Job.fetch(job.id, connection=connection, serializer=serializer)

    return work


@pytest.mark.parametrize("name", ["json", "pickle", "own", "path", "class"])
def test_a_job_under_a_serializer(rq, run, observed, name):
    serializer = {"own": Own, "path": f"{__name__}.Own", "class": rq.JSONSerializer}.get(name, name)
    job = run(serializer, jobs.shape, 1, "a", key=[1, {"b": None}])
    observed("job", [job.get_status().value, job.return_value(), type(job.args).__name__, job.kwargs])


def test_json_makes_lists_and_string_keys(rq, run, observed):
    job = run("json", jobs.kinds, (1, 2), {"a": 1})
    observed("kinds", job.return_value())
    observed("keys", run("json", jobs.echo, {1: 2}).return_value())


def test_json_result_tuple(run, observed):
    observed("value", run("json", jobs.divmod_of, 7, 2).return_value())


@pytest.mark.parametrize("value", [{1, 2}, b"x", object], ids=["set", "bytes", "class"])
def test_json_refuses(rq, connection, observed, value):
    queue = rq.Queue("ser", connection=connection, serializer="json")
    observed("error", outcome(lambda: queue.enqueue(jobs.echo, value)))
    observed("count", queue.count)


def test_json_result_that_cannot_be_stored(run, observed):
    job = run("json", jobs.a_set)
    observed("job", [job.get_status().value, job.return_value()])


def test_meta_uses_the_serializer(rq, connection, observed):
    queue = rq.Queue("ser", connection=connection, serializer="json")
    job = queue.enqueue(jobs.nothing, meta={"t": (1, 2)})
    observed("meta", rq.Job.fetch(job.id, connection=connection, serializer="json").meta)


def test_meta_that_json_refuses(rq, connection, observed):
    queue = rq.Queue("ser", connection=connection, serializer="json")
    observed("error", outcome(lambda: queue.enqueue(jobs.nothing, meta={"t": {1}})))


def test_worker_with_another_serializer(rq, connection, observed):
    queue = rq.Queue("ser", connection=connection, serializer="json")
    job = queue.enqueue(jobs.add, 1)
    rq.SimpleWorker(["ser"], connection=connection).work(burst=True)
    observed("status", job.get_status().value)
    observed("last line", job.latest_result().exc_string.strip().splitlines()[-1])


def test_reading_args_with_another_serializer(rq, connection, observed):
    queue = rq.Queue("ser", connection=connection, serializer="json")
    job = queue.enqueue(jobs.add, 1)
    observed("error", outcome(lambda: rq.Job.fetch(job.id, connection=connection).args).split(":")[0])


@pytest.mark.parametrize(
    "given",
    [None, "json", "pickle", "", Own, object(), "no.such.thing"],
    ids=["none", "json", "pickle", "empty", "own", "object", "unknown"],
)
def test_resolve(rq, observed, given):
    known = {rq.JSONSerializer: "json", rq.DefaultSerializer: "pickle", Own: "own"}
    text = outcome(lambda: known[rq.resolve_serializer(given)])
    observed("answer", text)


def test_default_is_pickle(rq, observed):
    assert rq.PickleSerializer is rq.DefaultSerializer
    observed("value", rq.DefaultSerializer.loads(rq.DefaultSerializer.dumps((1, {2}))))
    observed("json", [rq.JSONSerializer.dumps({"a": 1}), rq.JSONSerializer.loads(b'{"a": 1}')])


def test_an_object_of_the_application(queue, burst, observed):
    job = queue.enqueue(jobs.echo, jobs.Greeter("x"))
    burst()
    observed("value", [type(job.return_value()).__name__, job.return_value().word])


def test_identity_inside_the_arguments_is_kept(queue, burst, observed):
    shared = [1]
    job = queue.enqueue(jobs.same, shared, [shared])
    burst()
    observed("same", job.return_value())


class Grumpy:
    """Pickles, and fails to load."""

    def __reduce__(self):
        return (jobs.boom, ("cannot load",))


def test_arguments_that_cannot_be_loaded(queue, burst, observed):
    job = queue.enqueue(jobs.echo, Grumpy())
    burst()
    observed("status", job.get_status().value)
    observed("last line", job.latest_result().exc_string.strip().splitlines()[-1])


def test_lock_in_a_container(queue, observed):
    observed("error", outcome(lambda: queue.enqueue(jobs.echo, [threading.Lock()])))
    observed("count", queue.count)
