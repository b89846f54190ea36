"""What ``Queue.enqueue`` and its relatives make of a call: attributes, forms, order in the queue.

Errors are in test_enqueue_errors, what happens when the job runs in test_job_lifecycle.
"""

from __future__ import annotations

import uuid
from datetime import timedelta, timezone

import pytest

from . import jobs


def test_job_of_a_plain_call(rq, queue, observed):
    job = queue.enqueue(jobs.add, 1, y=2)
    assert str(uuid.UUID(job.id, version=4)) == job.id
    assert job.get_status() == rq.JobStatus.QUEUED == "queued"
    assert job.args == (1,)
    assert job.kwargs == {"y": 2}
    assert job.func is jobs.add
    assert job.created_at.tzinfo is timezone.utc
    assert job.enqueued_at.utcoffset() == timedelta(0)
    observed(
        "attributes",
        {
            "func_name": job.func_name,
            "description": job.description,
            "origin": job.origin,
            "timeout": job.timeout,
            "result_ttl": job.result_ttl,
            "ttl": job.ttl,
            "failure_ttl": job.failure_ttl,
            "started_at": job.started_at,
            "ended_at": job.ended_at,
            "worker_name": job.worker_name,
            "meta": job.meta,
            "retries_left": job.retries_left,
            "repeats_left": job.repeats_left,
            "group_id": job.group_id,
            "instance": job.instance,
        },
    )


def test_a_fetched_job_equals_the_enqueued_one(rq, queue, connection):
    job = queue.enqueue(jobs.add, 1, y=2)
    again = rq.Job.fetch(job.id, connection=connection)
    assert again == job
    assert hash(again) == hash(job)
    assert again.args == (1,)
    assert again.kwargs == {"y": 2}
    assert again.enqueued_at == job.enqueued_at
    assert again.created_at == job.created_at
    assert again.origin == "default"
    assert again.timeout == 180


def test_texts_of_job_and_queue(rq, queue, observed):
    job = queue.enqueue(jobs.add, 1, job_id="j1")
    observed("str(job)", str(job))
    observed("repr(job)", repr(job).replace(job.created_at.isoformat(), "<created>").split(" enqueued_at")[0])
    observed("str(queue)", str(queue))
    observed("repr(queue)", repr(queue))
    observed("str(status)", str(job.get_status()))
    observed("repr(status)", repr(job.get_status()))


@pytest.mark.parametrize(
    "call",
    [
        ((1,), {}),
        ((1, 2), {}),
        ((1,), {"y": 2}),
        (("text",), {"y": None}),
        (([1, 2], {"k": "v"}), {}),
        ((), {"b": 1, "a": 2}),
        (("x" * 90,), {}),
        ((), {"long": "y" * 90}),
        ((b"bytes", 1.5, (1,)), {}),
    ],
    ids=["one", "two", "keyword", "none", "containers", "sorted", "cut", "cut-keyword", "others"],
)
def test_description_is_the_call(queue, observed, call):
    args, kwargs = call
    job = queue.enqueue(jobs.shape, *args, **kwargs)
    observed("description", job.description)
    observed("call string", job.get_call_string())


def test_own_description(queue, observed):
    observed("own", queue.enqueue(jobs.add, 1, description="adds").description)
    observed("empty falls back", queue.enqueue(jobs.add, 1, description="").description)


@pytest.mark.parametrize(
    ("option", "value", "attribute"),
    [
        ("job_timeout", 30, "timeout"),
        ("job_timeout", "2m", "timeout"),
        ("job_timeout", "1h", "timeout"),
        ("job_timeout", "10s", "timeout"),
        ("job_timeout", "2d", "timeout"),
        ("job_timeout", "77", "timeout"),
        ("job_timeout", 1.9, "timeout"),
        ("job_timeout", -1, "timeout"),
        ("result_ttl", 7, "result_ttl"),
        ("result_ttl", 0, "result_ttl"),
        ("result_ttl", -1, "result_ttl"),
        ("result_ttl", "1m", "result_ttl"),
        ("ttl", 9, "ttl"),
        ("ttl", "1h", "ttl"),
        ("failure_ttl", 11, "failure_ttl"),
        ("failure_ttl", "1d", "failure_ttl"),
        ("failure_ttl", -1, "failure_ttl"),
        ("meta", {"a": 1}, "meta"),
        ("job_id", "my-id_1", "id"),
    ],
)
def test_option_becomes_attribute(rq, queue, connection, observed, option, value, attribute):
    job = queue.enqueue(jobs.add, 1, **{option: value})
    observed("local", getattr(job, attribute))
    observed("stored", getattr(rq.Job.fetch(job.id, connection=connection), attribute))
    assert job.kwargs == {}


def test_timeout_is_an_argument_of_the_function_in_enqueue(queue, observed):
    job = queue.enqueue(jobs.shape, 1, timeout=5)
    observed("kwargs", job.kwargs)
    observed("timeout", job.timeout)


def test_explicit_args_and_kwargs(queue):
    job = queue.enqueue(jobs.shape, args=(1, 2), kwargs={"timeout": 3, "meta": 4}, job_timeout=9)
    assert job.args == (1, 2)
    assert job.kwargs == {"timeout": 3, "meta": 4}
    assert job.timeout == 9
    assert queue.enqueue(jobs.shape, kwargs={"a": 1}).kwargs == {"a": 1}


def test_enqueue_call_takes_its_options_by_position(queue):
    job = queue.enqueue_call(jobs.add, (1,), {"y": 2}, 30, 40, 50, 60, "text", None, "my-id", False, {"m": 1})
    assert (job.args, job.kwargs, job.timeout, job.result_ttl, job.ttl) == ((1,), {"y": 2}, 30, 40, 50)
    assert (job.failure_ttl, job.description, job.id, job.meta) == (60, "text", "my-id", {"m": 1})


def test_default_timeout_of_the_queue(rq, connection, observed):
    queue = rq.Queue("slow", connection=connection, default_timeout="5m")
    observed("queue default", queue.enqueue(jobs.nothing).timeout)
    observed("own", queue.enqueue(jobs.nothing, job_timeout=3).timeout)
    observed("class default", rq.Queue.DEFAULT_TIMEOUT)


def test_queue_swallows_unknown_keywords(rq, connection):
    assert rq.Queue("odd", connection=connection, result_ttl=3, nonsense=True).name == "odd"


@pytest.mark.parametrize("kind", ["function", "string", "static", "builtin"])
def test_callables_by_name(queue, burst, observed, kind):
    target = {
        "function": jobs.echo,
        "string": f"{jobs.__name__}.echo",
        "static": jobs.Greeter.whisper,
        "builtin": len,
    }[kind]
    job = queue.enqueue(target, "Abc")
    observed("func_name", job.func_name)
    observed("instance", job.instance)
    burst()
    observed("value", job.return_value())


@pytest.mark.parametrize("kind", ["method", "classmethod", "instance"])
def test_callables_with_an_instance(queue, burst, observed, kind):
    greeter = jobs.Greeter("good day")
    target = {"method": greeter.greet, "classmethod": jobs.Greeter.shout, "instance": greeter}[kind]
    job = queue.enqueue(target, "Bob")
    greeter.word = "changed later"
    observed("func_name", job.func_name)
    observed("description", job.description)
    burst()
    observed("value", job.return_value())


def test_arguments_are_a_copy_from_the_moment_of_enqueue(queue, burst):
    value = {"items": [1]}
    job = queue.enqueue(jobs.echo, value)
    value["items"].append(2)
    burst()
    assert job.return_value() == {"items": [1]}


def test_pickle_keeps_tuples_sets_and_keys(queue, burst, observed):
    job = queue.enqueue(jobs.kinds, (1,), {1}, b"x", 1.5, None, {2: 3}, timedelta(1))
    burst()
    observed("kinds", job.return_value())


def test_result_is_a_copy(rq, queue, connection, burst):
    job = queue.enqueue(jobs.echo, [1])
    burst()
    first = rq.Job.fetch(job.id, connection=connection).return_value()
    first.append(2)
    assert rq.Job.fetch(job.id, connection=connection).return_value() == [1]


def test_order_of_plain_enqueues_is_first_in_first_out(queue, burst):
    for word in "abc":
        queue.enqueue(jobs.say, word)
    burst()
    assert jobs.notes() == ["a", "b", "c"]


def test_at_front(queue):
    for name, front in (("a", False), ("b", True), ("c", False), ("d", True)):
        queue.enqueue(jobs.nothing, job_id=name, at_front=front)
    assert queue.job_ids == ["d", "b", "a", "c"]


def test_same_id_twice_is_in_the_queue_twice(queue, burst, observed):
    queue.enqueue(jobs.say, "first", job_id="twin")
    queue.enqueue(jobs.say, "second", job_id="twin")
    observed("ids", queue.job_ids)
    observed("count", queue.count)
    burst()
    observed("ran", jobs.notes())


def test_create_job_is_not_stored(rq, queue, connection, observed):
    job = queue.create_job(jobs.add, (1,), {"y": 2}, timeout=3, job_id="later")
    observed("status", str(job._status))
    observed("stored", rq.Job.exists("later", connection=connection))
    observed("count", queue.count)
    assert queue.enqueue_job(job) is job
    observed("status afterwards", job.get_status().value)
    observed("ids afterwards", queue.job_ids)


def test_job_create_save_enqueue(rq, queue, connection, observed):
    job = rq.Job.create(jobs.add, args=[1], kwargs={"y": 4}, connection=connection, id="made", origin="elsewhere")
    observed("status", job.get_status(refresh=False).value)
    job.save()
    observed("stored status", rq.Job.fetch("made", connection=connection).get_status().value)
    observed("origin before", job.origin)
    queue.enqueue_job(job)
    observed("origin after", rq.Job.fetch("made", connection=connection).origin)


def test_the_hook_chain_of_enqueue(rq, connection, observed):
    calls = []

    class Watched(rq.Queue):
        def enqueue_call(self, *args, **kwargs):
            calls.append(["enqueue_call", len(args), sorted(kwargs)[:2]])
            return super().enqueue_call(*args, **kwargs)

        def create_job(self, *args, **kwargs):
            calls.append(["create_job", len(args), sorted(kwargs)[:2]])
            return super().create_job(*args, **kwargs)

        def enqueue_job(self, job, **kwargs):
            calls.append(["enqueue_job", sorted(kwargs)])
            return super().enqueue_job(job, **kwargs)

    Watched(connection=connection).enqueue(jobs.nothing)
    observed("order", [call[0] for call in calls])
    observed("enqueue_job by keyword", calls[-1][1])


def test_module_patch_of_enqueue_job_is_seen(rq, queue, monkeypatch):
    seen = []
    original = rq.Queue.enqueue_job

    def patched(self, job, **kwargs):
        seen.append(job.func_name)
        job.meta["trace"] = "added"
        return original(self, job, **kwargs)

    monkeypatch.setattr(rq.Queue, "enqueue_job", patched)
    job = queue.enqueue(jobs.nothing)
    assert seen == [f"{jobs.__name__}.nothing"]
    assert queue.fetch_job(job.id).meta == {"trace": "added"}


def test_enqueue_many_returns_jobs_and_keeps_fronts(rq, queue):
    made = queue.enqueue_many(
        [
            rq.Queue.prepare_data(jobs.say, ("a",), job_id="a"),
            rq.Queue.prepare_data(jobs.say, ("b",), job_id="b", at_front=True),
            rq.Queue.prepare_data(jobs.say, ("c",), {}, 30, 40, job_id="c"),
        ]
    )
    queue.enqueue(jobs.say, "d", job_id="d", at_front=True)
    assert [job.id for job in made] == ["a", "b", "c"]
    assert queue.job_ids == ["d", "b", "a", "c"]
    assert (made[2].timeout, made[2].result_ttl) == (30, 40)


def test_enqueue_many_with_dependencies_reorders_its_answer(rq, queue, burst, observed):
    parent = queue.enqueue(jobs.nothing, job_id="done")
    burst()
    waiting = queue.enqueue(jobs.nothing, job_id="waiting")
    made = queue.enqueue_many(
        [
            rq.Queue.prepare_data(jobs.nothing, job_id="met", depends_on=parent),
            rq.Queue.prepare_data(jobs.nothing, job_id="unmet", depends_on=waiting),
            rq.Queue.prepare_data(jobs.nothing, job_id="free"),
        ]
    )
    observed("answer", [job.id for job in made])
    observed("statuses", [job.get_status().value for job in made])
    observed("queue", queue.job_ids)


def test_enqueue_many_of_nothing(queue):
    assert queue.enqueue_many([]) == []
    assert queue.count == 0


def test_prepare_data_fields(rq, observed):
    data = rq.Queue.prepare_data(jobs.add, (1,), {"y": 2}, timeout=3, job_id="x", meta={"m": 1})
    observed("known", [data.func is jobs.add, data.args, data.kwargs, data.timeout, data.job_id, data.meta])
    observed("empty", [data.ttl, data.result_ttl, data.failure_ttl, data.depends_on, data.at_front, data.retry])


def test_a_job_enqueues_another(queue, burst):
    queue.enqueue(jobs.enqueue_more, "second")
    burst()
    assert jobs.notes() == ["second"]


def test_enqueue_sets_origin_of_the_queue(rq, connection):
    low = rq.Queue("low", connection=connection)
    assert low.enqueue(jobs.nothing).origin == "low"
    assert rq.Queue("default", connection=connection).count == 0


def test_job_class_of_the_queue(rq, connection):
    class Own(rq.Job):
        pass

    queue = rq.Queue("own", connection=connection, job_class=Own)
    job = queue.enqueue(jobs.nothing)
    assert type(job) is Own
    assert type(queue.fetch_job(job.id)) is Own
    assert type(queue.jobs[0]) is Own


@pytest.mark.parametrize("value", [0, "", [], {}, False, None, "text", 2**70, 1.25, [1, [2, {"a": None}]]])
def test_values_survive_the_way_there_and_back(queue, burst, value):
    job = queue.enqueue(jobs.echo, value)
    burst()
    assert job.return_value() == value
    assert type(job.return_value()) is type(value)
