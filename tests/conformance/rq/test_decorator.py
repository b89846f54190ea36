"""The ``@job`` decorator."""

from __future__ import annotations

import pytest

from . import jobs
from .watch import outcome


def plain(x, y=1):
    """Return a sum."""
    return x + y


def with_at_front(x, at_front=False):
    """Take an argument of an option's name."""
    return [x, at_front]


@pytest.fixture
def decorate(rq, connection, monkeypatch):
    """Return a function that decorates ``plain`` as if it had been done in the module."""

    def make(queue="default", target=plain, **options):
        decorated = rq.job(queue, connection=connection, **options)(target)
        return decorated

    return make


def test_function_is_unchanged(decorate, observed):
    function = decorate()
    observed("call", [function(1, y=2), function.__name__, function is plain])


def test_delay_and_enqueue(rq, queue, decorate, burst, observed):
    function = decorate()
    job, other = function.delay(1, y=2), function.enqueue(3)
    observed("jobs", [job.args, job.kwargs, job.origin, other.args])
    assert function.delay is function.enqueue
    burst()
    observed("values", [job.return_value(), other.return_value()])


def test_queue_object(rq, connection, decorate, observed):
    queue = rq.Queue("other", connection=connection)
    observed("origin", decorate(queue).delay(1).origin)


@pytest.mark.parametrize(
    ("option", "value", "attribute"),
    [
        ("timeout", 33, "timeout"),
        ("result_ttl", 44, "result_ttl"),
        ("ttl", 55, "ttl"),
        ("failure_ttl", 66, "failure_ttl"),
        ("meta", {"a": 1}, "meta"),
        ("description", "text", "description"),
    ],
)
def test_options(decorate, observed, option, value, attribute):
    observed("value", getattr(decorate(**{option: value}).delay(1), attribute))


@pytest.mark.rq212("rq212-decorator-result-ttl")
def test_default_options(decorate, observed):
    job = decorate().delay(1)
    observed("defaults", [job.timeout, job.result_ttl, job.ttl, job.failure_ttl, job.meta, job.description])


def test_retry(rq, decorate, observed):
    observed("retry", decorate(retry=rq.Retry(2, 5)).delay(1).retries_left)


def test_callbacks(rq, decorate, burst, observed):
    function = decorate(on_success=rq.Callback(jobs.on_success), on_failure=rq.Callback(jobs.on_failure))
    function.delay(1)
    function.delay("x", y=1)
    burst()
    observed("hooks", [note["hook"] for note in jobs.notes()])


def test_depends_on_and_job_id_in_the_call(queue, decorate, observed):
    parent = queue.enqueue(jobs.nothing)
    job = decorate().delay(1, depends_on=parent, job_id="mine")
    observed("job", [job.id, job.get_status().value, job.kwargs])


def test_depends_on_of_the_decorator(queue, decorate, observed):
    parent = queue.enqueue(jobs.nothing)
    observed("status", decorate(depends_on=parent).delay(1).get_status().value)


def test_at_front_in_the_call(queue, decorate, observed):
    queue.enqueue(jobs.nothing, job_id="first")
    decorate().delay(1, at_front=True, job_id="front")
    observed("ids", queue.job_ids)


@pytest.mark.rq212("rq212-decorator-at-front")
def test_at_front_of_the_decorator(queue, decorate, observed):
    queue.enqueue(jobs.nothing, job_id="first")
    function = decorate(at_front=True)
    function.delay(1, job_id="a")
    function.delay(1, job_id="b", at_front=False)
    observed("ids", queue.job_ids)


@pytest.mark.parametrize("name", ["job_timeout", "result_ttl", "meta", "timeout"])
def test_other_option_names_go_to_the_function(decorate, observed, name):
    observed("kwargs", decorate().delay(1, **{name: 3}).kwargs)


def test_queue_class(rq, connection, observed):
    seen = []

    class Own(rq.Queue):
        def enqueue_call(self, *args, **kwargs):
            seen.append(self.name)
            return super().enqueue_call(*args, **kwargs)

    rq.job("q", connection=connection, queue_class=Own)(plain).delay(1)
    observed("seen", seen)


def test_queue_is_required(rq, observed):
    observed("error", outcome(lambda: rq.job()).split(":")[0])
