"""`self.request` during a call: in a worker, in eager mode, in a direct call, and what headers add to it.

The class `Context` itself is in test_task_attributes.py.
"""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from .waiting import value_of

FIELDS = (
    "id task args kwargs argsrepr kwargsrepr root_id parent_id group group_index chord chain callbacks "
    "errbacks retries eta expires timelimit time_limit soft_time_limit is_eager called_directly delivery_info "
    "reply_to correlation_id hostname origin lang shadow headers properties stamped_headers stamps "
    "ignore_result replaced_task_nesting children logfile loglevel utc taskset"
).split()
CHANGING = {
    "id",
    "root_id",
    "reply_to",
    "correlation_id",
    "hostname",
    "origin",
    "properties",
    "delivery_info",
    "logfile",
    "loglevel",
}


@pytest.fixture
def dump(app: Any) -> Any:
    """A task that returns its whole request, as text where it is not JSON."""

    @app.task(bind=True, name="dump")
    def dump(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {name: getattr(self.request, name, "missing") for name in FIELDS}

    return dump


@pytest.mark.parametrize("name", sorted(set(FIELDS) - CHANGING))
def test_field_in_a_worker(app: Any, worker: Any, dump: Any, observed: Any, name: str) -> None:
    with worker(app):
        observed("plain", value_of(dump.delay(1, b="x"))[name])


def test_identity_fields_in_a_worker(app: Any, worker: Any, dump: Any) -> None:
    with worker(app):
        result = dump.delay()
        seen = value_of(result)
        assert seen["id"] == seen["root_id"] == seen["correlation_id"] == result.id
        assert seen["origin"].endswith("@" + socket.gethostname())
        assert seen["hostname"].endswith(socket.gethostname())


def test_delivery_info_in_a_worker(app: Any, worker: Any, dump: Any, observed: Any) -> None:
    with worker(app):
        seen = value_of(dump.delay())["delivery_info"]
        observed(
            "delivery_info",
            {key: seen.get(key, "missing") for key in ("exchange", "routing_key", "priority", "redelivered")},
        )


@pytest.mark.parametrize("name", sorted(set(FIELDS) - CHANGING))
def test_field_in_eager_mode(make_app: Any, observed: Any, name: str) -> None:
    app = make_app(task_always_eager=True)

    @app.task(bind=True, name="dump")
    def dump(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.request, name, "missing")

    observed("plain", dump.delay(1, b="x").get())


def test_delivery_info_in_eager_mode(make_app: Any, observed: Any) -> None:
    @make_app(task_always_eager=True).task(bind=True)
    def dump(self: Any) -> Any:
        return self.request.delivery_info

    observed("delivery_info", dump.delay().get())
    observed("with options", dump.apply_async(queue="q", priority=3).get())


@pytest.mark.parametrize("name", sorted(set(FIELDS) - {"logfile", "loglevel"}))
def test_field_in_a_direct_call(app: Any, observed: Any, name: str) -> None:
    @app.task(bind=True, name="dump")
    def dump(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.request, name, "missing")

    observed("plain", dump(1, b="x"))


def test_custom_headers(app: Any, worker: Any) -> None:
    @app.task(bind=True)
    def read(self: Any) -> list[Any]:
        return [self.request.headers, self.request.tenant, self.request.get("tenant"), self.request.get("other", 5)]

    with worker(app):
        assert value_of(read.apply_async(headers={"tenant": "t"})) == [{"tenant": "t"}, "t", "t", 5]


def test_headers_are_none_without_custom_ones(app: Any, worker: Any, dump: Any) -> None:
    with worker(app):
        assert value_of(dump.delay())["headers"] is None


def test_properties(app: Any, worker: Any, dump: Any, observed: Any) -> None:
    with worker(app):
        result = dump.apply_async(priority=2)
        seen = value_of(result)["properties"]
        assert seen["correlation_id"] == result.id
        observed("fixed", {key: seen[key] for key in ("delivery_mode", "priority")})


def test_signature_fields(app: Any, worker: Any, observed: Any) -> None:
    @app.task(bind=True)
    def dump(self: Any) -> dict[str, Any]:
        return {"callbacks": self.request.callbacks, "errbacks": self.request.errbacks}

    @app.task(name="after")
    def after(*args: Any) -> None:
        """Nothing."""

    with worker(app):
        seen = value_of(dump.apply_async(link=after.s(1), link_error=after.si(2)))
        assert [(s["task"], s["args"], s["immutable"]) for s in seen["callbacks"]] == [("after", [1], False)]
        assert [(s["task"], s["args"], s["immutable"]) for s in seen["errbacks"]] == [("after", [2], True)]
        observed("keys", sorted(seen["callbacks"][0]))


def test_current_task_in_a_worker(api: Any, app: Any, worker: Any) -> None:
    @app.task(bind=True)
    def me(self: Any) -> list[Any]:
        return [
            api.current_task.name == self.name,
            api.current_task.request.id == self.request.id,
            app.current_task.name == self.name,
            app.current_worker_task.name == self.name,
            api.mod("_state").get_current_worker_task().request.id == self.request.id,
        ]

    with worker(app):
        assert value_of(me.delay()) == [True] * 5
    assert api.mod("_state").get_current_task() is None


def test_current_task_of_a_nested_direct_call(api: Any, app: Any, worker: Any) -> None:
    @app.task(name="inner")
    def inner() -> list[Any]:
        return [
            api.current_task.name,
            api.current_task.request.called_directly,
            api.mod("_state").get_current_worker_task().name,
        ]

    @app.task(name="outer")
    def outer() -> list[Any]:
        return [*inner(), api.current_task.name]

    with worker(app):
        assert value_of(outer.delay()) == ["inner", True, "outer", "outer"]


def test_the_request_of_the_outer_task_is_back_after_a_nested_call(app: Any, worker: Any) -> None:
    @app.task(bind=True)
    def inner(self: Any) -> Any:
        return self.request.id

    @app.task(bind=True)
    def outer(self: Any) -> bool:
        before = self.request.id
        assert inner() is None
        return bool(before == self.request.id)

    with worker(app):
        assert value_of(outer.delay()) is True


def test_recursion_of_one_task_keeps_requests_apart(app: Any) -> None:
    @app.task(bind=True)
    def nest(self: Any, depth: int) -> list[Any]:
        own = [depth, list(self.request.args)]
        deeper = nest.apply((depth - 1,)).get(disable_sync_subtasks=False) if depth else []
        return [[depth, list(self.request.args)] == own, *deeper]

    assert nest.apply((3,)).get() == [True] * 4


def test_two_tasks_at_once_see_their_own_request(app: Any, worker: Any) -> None:
    import threading

    barrier = threading.Barrier(2, timeout=10)

    @app.task(bind=True)
    def me(self: Any) -> list[Any]:
        before = self.request.id
        barrier.wait()
        return [before, self.request.id]

    with worker(app, concurrency=2):
        results = [me.delay(), me.delay()]
        for result in results:
            assert value_of(result) == [result.id, result.id]


def test_tasks_do_not_run_on_the_main_thread(app: Any, worker: Any) -> None:
    import threading

    @app.task
    def where() -> list[Any]:
        return [threading.current_thread() is threading.main_thread(), os.getpid()]

    with worker(app):
        assert value_of(where.delay()) == [False, os.getpid()]


def test_request_arguments_are_the_decoded_ones(app: Any, worker: Any) -> None:
    @app.task(bind=True)
    def me(self: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return [list(self.request.args), self.request.kwargs]

    with worker(app):
        assert value_of(me.delay((1, 2), a={1: 2})) == [[[1, 2]], {"a": {"1": 2}}]


@pytest.mark.parametrize("args", [(), (1,), ("text", 2.5), ([1, 2],), ("x" * 2000,)])
def test_argsrepr(app: Any, worker: Any, dump: Any, observed: Any, args: Any) -> None:
    with worker(app):
        seen = value_of(dump.apply_async(args, {"k": args}))
        observed("argsrepr", seen["argsrepr"])
        observed("kwargsrepr", seen["kwargsrepr"])


def test_eta_and_expires_are_text(app: Any, worker: Any, dump: Any) -> None:
    from datetime import datetime, timedelta, timezone

    when = datetime.now(timezone.utc) + timedelta(milliseconds=5)
    end = when + timedelta(hours=1)
    with worker(app):
        seen = value_of(dump.apply_async(eta=when, expires=end))
        assert datetime.fromisoformat(seen["eta"]) == when
        assert datetime.fromisoformat(seen["expires"]) == end


def test_stamps(app: Any, worker: Any, dump: Any) -> None:
    with worker(app):
        seen = value_of(dump.apply_async(stamped_headers=["customer"], customer="me"))
        assert seen["stamped_headers"] == ["customer"]
        assert seen["stamps"] == {"customer": "me"}


def test_extended_results_from_now_on(app: Any, worker: Any, observed: Any) -> None:
    """``result_extended`` is looked at when a result is stored."""

    @app.task(name="echo")
    def echo(x: int) -> int:
        return x

    def names(result: Any) -> Any:
        value_of(result)
        return [result.name, result.args, result.kwargs, result.retries, result.queue]

    with worker(app):
        observed("before", names(echo.delay(1)))
        app.conf.result_extended = True
        observed("on", names(echo.delay(2)))
        app.conf.update(result_extended=False)
        observed("off", names(echo.delay(3)))
