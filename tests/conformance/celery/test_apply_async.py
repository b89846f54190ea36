"""`apply_async` and `delay`: argument checks, options, ids, parents, what travels with the message.

The context that the task sees is test_request_context.py; times are test_expires_eta.py.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from .waiting import until, value_of


@pytest.fixture
def add(app: Any) -> Any:
    """A task of two arguments."""

    @app.task(name="add")
    def add(x: int, y: int = 10) -> int:
        return x + y

    return add


@pytest.fixture
def context(app: Any) -> Any:
    """A task that answers with what it finds in its request."""

    @app.task(name="context", bind=True)
    def context(self: Any, *names: str) -> dict[str, Any]:
        return {name: getattr(self.request, name, "missing") for name in names}

    return context


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"z": 3}), ((1, 2), {"y": 3})])
def test_arguments_are_checked_at_the_call(add: Any, args: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError):
        add.delay(*args, **kwargs)
    with pytest.raises(TypeError):
        add.apply_async(args, kwargs)


def test_typing_off(api: Any, app: Any, worker: Any) -> None:
    @app.task(typing=False)
    def one(x: int) -> int:
        return x

    with worker(app):
        result = one.delay()
        with pytest.raises(TypeError):
            value_of(result)


@pytest.mark.parametrize("args", ["text", {"a": 1}, 5, {1, 2}])
def test_args_must_be_a_sequence(add: Any, args: Any, observed: Any) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        add.app.send_task("add", args)
    observed("text", f"{type(caught.value).__name__}: {caught.value}")


@pytest.mark.parametrize("kwargs", ["text", [1], 5])
def test_kwargs_must_be_a_mapping(add: Any, kwargs: Any, observed: Any) -> None:
    with pytest.raises(TypeError) as caught:
        add.app.send_task("add", (1,), kwargs)
    observed("text", str(caught.value))


def test_soft_limit_above_the_hard_one(app: Any, observed: Any) -> None:
    @app.task(soft_time_limit=5, time_limit=2)
    def limited() -> None:
        """Nothing."""

    with pytest.raises(ValueError, match="soft_time_limit") as caught:
        limited.delay()
    observed("text", str(caught.value))


def test_delay_is_apply_async(add: Any, app: Any, worker: Any) -> None:
    with worker(app):
        assert value_of(add.delay(1)) == 11
        assert value_of(add.delay(1, y=2)) == 3
        assert value_of(add.apply_async((1,), {"y": 2})) == 3
        assert value_of(add.apply_async(args=[1, 2])) == 3
        assert value_of(add.apply_async(kwargs={"x": 3, "y": 4})) == 7


def test_id_is_a_uuid(add: Any) -> None:
    result = add.delay(1)
    assert str(uuid.UUID(result.id)) == result.id
    assert add.delay(1).id != result.id


def test_id_of_ones_own(add: Any, app: Any, worker: Any) -> None:
    with worker(app):
        result = add.apply_async((1,), task_id="my-own-id")
        assert result.id == "my-own-id"
        assert value_of(result) == 11
        assert app.AsyncResult("my-own-id").result == 11


def test_an_id_used_again_keeps_its_first_success(app: Any, worker: Any) -> None:
    runs: list[int] = []

    @app.task
    def note(x: int) -> int:
        runs.append(x)
        return x

    with worker(app, concurrency=1):
        assert value_of(note.apply_async((1,), task_id="same")) == 1
        note.apply_async((2,), task_id="same")
        until(lambda: runs == [1, 2])
        assert value_of(note.delay(3)) == 3
        assert app.AsyncResult("same").result == 1


def test_result_knows_its_task_and_application(api: Any, add: Any, app: Any) -> None:
    result = add.delay(1)
    assert type(result).__mro__[1] is api.result.AsyncResult or isinstance(result, api.result.AsyncResult)
    assert result.app is app
    assert result.parent is None
    assert add.AsyncResult("x").id == "x"


@pytest.mark.manual
def test_nothing_runs_without_a_worker(api: Any, add: Any) -> None:
    result = add.delay(1)
    assert result.state == "PENDING"
    assert result.ready() is False
    with pytest.raises(api.exceptions.TimeoutError):
        result.get(timeout=0.05, interval=0.01)


@pytest.mark.manual
def test_waiting_tasks_run_when_a_worker_comes(add: Any, app: Any, worker: Any) -> None:
    results = [add.delay(i) for i in range(5)]
    with worker(app):
        assert [value_of(result) for result in results] == [10, 11, 12, 13, 14]


@pytest.mark.parametrize(
    ("options", "name", "expected"),
    [
        ({"shadow": "alias"}, "shadow", "alias"),
        ({"time_limit": 30, "soft_time_limit": 20}, "timelimit", [30, 20]),
        ({"time_limit": 30}, "timelimit", [30, None]),
        ({"headers": {"tenant": "a"}}, "headers", {"tenant": "a"}),
        ({"headers": {"tenant": "a"}}, "tenant", "a"),
        ({"ignore_result": False}, "ignore_result", False),
        ({"root_id": "the-root"}, "root_id", "the-root"),
        ({"parent_id": "the-parent"}, "parent_id", "the-parent"),
        ({"group_id": "the-group"}, "group", "the-group"),
        ({"group_id": "g", "group_index": 3}, "group_index", 3),
        ({"argsrepr": "(hidden)"}, "argsrepr", "(hidden)"),
        ({"kwargsrepr": "{hidden}"}, "kwargsrepr", "{hidden}"),
        ({"replaced_task_nesting": 2}, "replaced_task_nesting", 2),
        ({"reply_to": "someone"}, "reply_to", "someone"),
        ({"retries": 2}, "retries", 2),
    ],
)
def test_option_arrives(context: Any, app: Any, worker: Any, options: Any, name: str, expected: Any) -> None:
    with worker(app):
        assert value_of(context.apply_async((name,), **options))[name] == expected


@pytest.mark.parametrize(
    "options",
    [
        {"retry": True},
        {"retry_policy": {"max_retries": 1}},
        {"compression": "gzip"},
        {"delivery_mode": 1},
        {"serializer": "json"},
        {"queue": "celery"},
        {"exchange": "celery", "routing_key": "celery"},
        {"mandatory": True},
        {"once": {"graceful": True}},
        {"add_to_parent": False},
        {"priority": 0},
        {"timeout": 3},
        {"app_id": "mine"},
    ],
)
def test_option_is_accepted(add: Any, app: Any, worker: Any, options: Any) -> None:
    with worker(app):
        assert value_of(add.apply_async((1,), **options)) == 11


def test_connection_argument(add: Any, app: Any, worker: Any) -> None:
    with worker(app), app.connection() as connection:
        assert value_of(add.apply_async((1,), connection=connection)) == 11


def test_link(app: Any, add: Any, worker: Any) -> None:
    seen: list[int] = []

    @app.task
    def note(x: int, y: int = 0) -> None:
        seen.append(x + y)

    with worker(app):
        assert value_of(add.apply_async((1,), link=note.s(100))) == 11
        until(lambda: seen == [111])
        add.apply_async((2,), link=[note.s(), note.s(1)])
        until(lambda: sorted(seen) == [12, 13, 111])
        add.apply_async((3,), link=note.si(5))
        until(lambda: 5 in seen)


def test_link_results_are_children(app: Any, add: Any, worker: Any) -> None:
    with worker(app):
        result = add.apply_async((1,), link=add.s(100))
        assert value_of(result) == 11
        children = result.children
        assert len(children) == 1
        assert value_of(children[0]) == 111


def test_link_error_with_a_task_id(app: Any, worker: Any) -> None:
    seen: list[Any] = []

    @app.task(bind=True)
    def note(self: Any, failed_id: str) -> None:
        seen.append(failed_id)

    @app.task
    def fail() -> None:
        raise ValueError("x")

    with worker(app):
        result = fail.apply_async(link_error=note.s())
        with pytest.raises(ValueError, match="x"):
            value_of(result)
        until(lambda: seen == [result.id])


def test_link_error_new_style(app: Any, worker: Any) -> None:
    seen: list[Any] = []

    @app.task
    def note(request: Any, exc: BaseException, traceback: Any) -> None:
        seen.append((request.id, request.task, repr(exc), "ValueError: x" in str(traceback)))

    @app.task(name="fail")
    def fail() -> None:
        raise ValueError("x")

    with worker(app):
        result = fail.apply_async(link_error=note.s())
        until(lambda: seen)
        assert seen == [(result.id, "fail", "ValueError('x')", True)]


def test_link_is_not_called_on_failure(app: Any, worker: Any) -> None:
    seen: list[Any] = []

    @app.task
    def note(*args: Any) -> None:
        seen.append(args)

    @app.task
    def fail() -> None:
        raise ValueError("x")

    with worker(app, concurrency=1):
        fail.apply_async(link=note.s())
        value_of(note.delay("end"))
        assert seen == [("end",)]


def test_parent_and_root(app: Any, context: Any, worker: Any) -> None:
    ids: dict[str, Any] = {}

    @app.task(bind=True)
    def outer(self: Any) -> None:
        child = context.delay("parent_id", "root_id")
        ids.update(child=child, own=self.request.id, parent=child.parent and child.parent.id)
        assert [c.id for c in self.request.children] == [child.id]

    with worker(app):
        result = outer.delay()
        value_of(result)
        assert value_of(ids["child"]) == {"parent_id": result.id, "root_id": result.id}
        assert ids["own"] == result.id
        assert [c.id for c in result.children] == [ids["child"].id]


@pytest.mark.parametrize("how", ["trail", "add_to_parent"])
def test_children_may_be_left_out(app: Any, context: Any, worker: Any, how: str) -> None:
    @app.task(bind=True, trail=how != "trail")
    def outer(self: Any) -> int:
        context.apply_async((), add_to_parent=how != "add_to_parent")
        return len(self.request.children)

    with worker(app):
        assert value_of(outer.delay()) == 0


def test_shadow_name_method(api: Any, app: Any, worker: Any) -> None:
    class Named(api.Task):  # type: ignore[misc]
        def shadow_name(self, args: Any, kwargs: Any, options: Any) -> str:
            return f"shadow-{args[0]}"

    @app.task(base=Named, bind=True)
    def me(self: Any, x: int) -> str:
        return str(self.request.shadow)

    with worker(app):
        assert value_of(me.delay(4)) == "shadow-4"


def test_defaults_of_the_class_are_merged(app: Any, worker: Any) -> None:
    @app.task(bind=True, time_limit=40, soft_time_limit=30, priority=3)
    def me(self: Any) -> list[Any]:
        return [*self.request.timelimit, self.request.delivery_info["priority"]]

    with worker(app):
        assert value_of(me.delay()) == [40, 30, 3]
        assert value_of(me.apply_async(time_limit=50, priority=5)) == [50, 30, 5]


def test_calling_directly_runs_here(add: Any, observed: Any) -> None:
    assert add(1, 2) == 3
    with pytest.raises(TypeError):
        add(1, 2, 3)


def test_apply_runs_here(api: Any, add: Any) -> None:
    result = add.apply((1,), {"y": 5})
    assert isinstance(result, api.result.EagerResult)
    assert result.get() == 6
    assert result.successful()


@pytest.mark.parametrize("where", ["call", "task", "setting"])
@pytest.mark.parametrize("method", ["zlib", "nobody-knows"])
def test_compression(app: Any, worker: Any, where: str, method: str, observed: Any) -> None:
    @app.task(name="echo", **({"compression": method} if where == "task" else {}))
    def echo(x: str) -> str:
        return x

    if where == "setting":
        app.conf.task_compression = method
    with worker(app):
        try:
            answer = value_of(echo.apply_async(("x",), **({"compression": method} if where == "call" else {})))
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        observed("answer", answer)
