"""Attributes of tasks: defaults, what is filled from the settings at bind time, properties, pickling.

How tasks are made is test_task_decorator.py.
"""

from __future__ import annotations

import pickle
from typing import Any

import pytest

ATTRIBUTES = (
    "typing max_retries default_retry_delay rate_limit ignore_result trail send_events "
    "store_errors_even_if_ignored serializer time_limit soft_time_limit track_started acks_late "
    "acks_on_failure_or_timeout acks_on_failure acks_on_timeout reject_on_worker_lost retry_on_worker_lost "
    "throws expires priority resultrepr_maxsize abstract Strategy Request"
).split()


def probe() -> None:
    """A task body for attribute tests."""


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_class_default(api: Any, observed: Any, name: str) -> None:
    observed("value", getattr(api.Task, name))


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_bound_default(api: Any, app: Any, observed: Any, name: str) -> None:
    observed("value", getattr(app.task(probe), name))


@pytest.mark.parametrize(
    ("setting", "attribute", "value"),
    [
        ("task_serializer", "serializer", "yaml"),
        ("task_default_rate_limit", "rate_limit", "10/s"),
        ("task_default_priority", "priority", 4),
        ("task_time_limit", "time_limit", 30),
        ("task_soft_time_limit", "soft_time_limit", 20),
        ("task_track_started", "track_started", True),
        ("task_acks_late", "acks_late", True),
        ("task_acks_on_failure_or_timeout", "acks_on_failure_or_timeout", False),
        ("task_reject_on_worker_lost", "reject_on_worker_lost", True),
        ("task_ignore_result", "ignore_result", True),
        ("task_store_eager_result", "store_eager_result", True),
        ("task_store_errors_even_if_ignored", "store_errors_even_if_ignored", True),
    ],
)
def test_filled_from_the_settings_when_bound(make_app: Any, setting: str, attribute: str, value: Any) -> None:
    app = make_app(**{setting: value})
    task = app.task(probe)
    assert getattr(task, attribute) == value
    app.conf[setting] = None
    assert getattr(task, attribute) == value


@pytest.mark.parametrize(
    ("setting", "attribute", "value", "own"),
    [
        ("task_serializer", "serializer", "yaml", "pickle"),
        ("task_default_rate_limit", "rate_limit", "10/s", "1/m"),
        ("task_default_priority", "priority", 4, 0),
        ("task_time_limit", "time_limit", 30, 5),
        ("task_ignore_result", "ignore_result", True, False),
        ("task_acks_late", "acks_late", True, False),
        ("task_track_started", "track_started", True, False),
    ],
)
def test_an_own_value_wins(make_app: Any, setting: str, attribute: str, value: Any, own: Any) -> None:
    task = make_app(**{setting: value}).task(**{attribute: own})(probe)
    assert getattr(task, attribute) == own


def test_strict_typing_of_the_application(api: Any) -> None:
    assert api.Celery("conf").task(probe).typing is True
    assert api.Celery("conf", strict_typing=False).task(probe).typing is False


def test_app_and_backend(app: Any) -> None:
    task = app.task(probe)
    assert task.app is app
    assert task.backend is app.backend
    other = object()
    task.backend = other
    assert task.backend is other


def test_names(app: Any) -> None:
    task = app.task(probe)
    assert task.name == f"{__name__}.probe"
    assert task.__name__ == "probe"
    assert task.__doc__ == "A task body for attribute tests."
    assert type(app.tasks[task.name]).__module__ == __name__
    assert task.__wrapped__ is probe


def test_repr(app: Any, observed: Any) -> None:
    observed("task", repr(app.task(probe)).replace(__name__, "module"))
    observed("class", repr(type(app.tasks[f"{__name__}.probe"])).replace(__name__, "module"))


def test_pickles_by_name(app: Any) -> None:
    app.set_current()
    task = app.tasks[app.task(probe).name]
    assert pickle.loads(pickle.dumps(task)) is task


def test_task_class_is_subscriptable(api: Any) -> None:
    assert api.Task[int] is not None
    assert api.result.AsyncResult[int] is not None


def test_exceptions_on_the_class(api: Any) -> None:
    assert api.Task.MaxRetriesExceededError is api.exceptions.MaxRetriesExceededError
    assert issubclass(api.Task.OperationalError, Exception)


def test_request_outside_a_call(app: Any) -> None:
    task = app.task(probe)
    request = task.request
    assert request.id is None
    assert request.called_directly is True
    assert request.retries == 0
    assert request.delivery_info is None


def test_context_defaults(api: Any, observed: Any) -> None:
    context = api.mod("app.task").Context()
    names = (
        "_children _protected args callbacks called_directly chain chord correlation_id delivery_info "
        "errbacks eta expires group group_index headers hostname id ignore_result is_eager kwargs logfile "
        "loglevel origin parent_id properties retries reply_to replaced_task_nesting root_id shadow "
        "stamped_headers stamps task taskset timelimit utc"
    ).split()
    observed("defaults", {name: getattr(context, name, "missing") for name in names})


def test_context_is_a_bag(api: Any) -> None:
    context = api.mod("app.task").Context({"id": "x", "own": 3}, retries=2)
    assert (context.id, context.own, context.retries) == ("x", 3, 2)
    assert context.get("own") == 3
    assert context.get("missing", 7) == 7
    context.update({"own": 4})
    assert context.own == 4
    context.clear()
    assert context.id is None


def test_context_as_execution_options(api: Any, observed: Any) -> None:
    context = api.mod("app.task").Context(
        {
            "id": "x",
            "root_id": "r",
            "parent_id": "p",
            "expires": 5,
            "timelimit": [3, 2],
            "headers": {"a": 1},
            "priority": 2,
        }
    )
    observed("options", context.as_execution_options())


def test_context_children_start_empty(api: Any) -> None:
    context = api.mod("app.task").Context()
    assert context.children == []
    context.children.append(1)
    assert context.children == [1]


def test_request_stack(app: Any) -> None:
    task = app.task(probe)
    task.push_request(id="one", retries=1)
    try:
        assert task.request.id == "one"
        task.push_request(id="two")
        assert task.request.id == "two"
        task.pop_request()
        assert task.request.id == "one"
    finally:
        task.pop_request()
    assert task.request.id is None


def test_attributes_of_an_instance_persist(app: Any, worker: Any) -> None:
    from .waiting import value_of

    @app.task(bind=True)
    def count(self: Any) -> int:
        self.calls = getattr(self, "calls", 0) + 1
        return int(self.calls)

    with worker(app, concurrency=1):
        assert [value_of(count.delay()) for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("attribute", ["queue", "exchange", "routing_key"])
def test_routing_attributes_on_the_class(app: Any, attribute: str) -> None:
    task = app.task(**{attribute: "special"})(probe)
    assert getattr(task, attribute) == "special"


def test_from_config_lists_the_filled_attributes(api: Any, observed: Any) -> None:
    observed("pairs", sorted(api.Task.from_config))


def test_annotations_change_attributes(make_app: Any) -> None:
    app = make_app(task_annotations={f"{__name__}.probe": {"rate_limit": "3/m"}, "*": {"time_limit": 9}})
    task = app.task(probe)
    assert task.rate_limit == "3/m"
    assert task.time_limit == 9


def test_annotation_objects(make_app: Any) -> None:
    class Annotate:
        def annotate(self, task: Any) -> Any:
            return {"priority": 5} if task.name.endswith("probe") else None

        def annotate_any(self) -> Any:
            return {"acks_late": True}

    task = make_app(task_annotations=[Annotate()]).task(probe)
    assert task.priority == 5
    assert task.acks_late is True


def test_annotation_may_wrap_a_method(make_app: Any) -> None:
    def run_twice(self: Any, *args: Any) -> int:
        return 7

    @make_app(task_annotations={"*": {"run": run_twice}}).task
    def plain() -> int:
        return 1

    assert plain() == 7


def test_annotation_decorator(make_app: Any) -> None:
    def double(fun: Any) -> Any:
        return lambda *args, **kwargs: fun(*args, **kwargs) * 2

    @make_app(task_annotations={"*": {"@__call__": double}}).task
    def plain() -> int:
        return 4

    assert plain() == 8
