"""`app.control` and `inspect`: commands, the form of their answers, revoking many tasks.

Rate limits, time limits and consumers have their own files.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest

from .waiting import until, value_of

NODE = "node@host"


@pytest.fixture
def add(app: Any) -> Any:
    """A task of two arguments."""

    @app.task(name="add", rate_limit="100/s")
    def add(x: int, y: int = 0) -> int:
        return x + y

    return add


@pytest.fixture
def held(app: Any) -> Any:
    """A task that runs until its event is set: `held.started`, `held.go`."""
    started, go = threading.Event(), threading.Event()

    @app.task(name="held")
    def held(x: int = 0) -> str:
        started.set()
        go.wait(15)
        return "end"

    held.started, held.go = started, go
    return held


@pytest.mark.manual
@pytest.mark.parametrize(
    "question", ["ping", "active", "scheduled", "reserved", "revoked", "registered", "stats", "active_queues", "conf"]
)
def test_nobody_answers(app: Any, question: str) -> None:
    assert getattr(app.control.inspect(timeout=0.1), question)() is None


@pytest.mark.manual
def test_ping_without_workers(app: Any) -> None:
    assert app.control.ping(timeout=0.1) == []


def test_ping(app: Any, worker: Any, add: Any) -> None:
    with worker(app, hostname=NODE):
        assert app.control.ping(timeout=1) == [{NODE: {"ok": "pong"}}]
        assert app.control.inspect(timeout=1).ping() == {NODE: {"ok": "pong"}}


def test_destination(app: Any, worker: Any, add: Any) -> None:
    with worker(app, hostname=NODE):
        assert app.control.ping(timeout=8, destination=[NODE]) == [{NODE: {"ok": "pong"}}]
        assert app.control.ping(timeout=0.3, destination=["other@host"]) == []
        assert app.control.inspect([NODE], timeout=8).ping() == {NODE: {"ok": "pong"}}


def test_registered(app: Any, worker: Any, add: Any) -> None:
    with worker(app, hostname=NODE):
        names = app.control.inspect([NODE], timeout=8).registered()[NODE]
        assert "add [rate_limit=100/s]" in names or "add" in names
        assert not any(name.startswith("celery.chord") for name in names)
        assert any(
            "max_retries=3" in name for name in app.control.inspect([NODE], timeout=8).registered("max_retries")[NODE]
        )


def test_registered_tasks_form(app: Any, worker: Any, add: Any, observed: Any) -> None:
    with worker(app, hostname=NODE):
        observed(
            "names",
            [name for name in app.control.inspect([NODE], timeout=8).registered()[NODE] if name.startswith("add")],
        )


def test_active(app: Any, worker: Any, held: Any, observed: Any) -> None:
    with worker(app, hostname=NODE):
        result = held.apply_async((1,))
        assert held.started.wait(10)
        items = app.control.inspect([NODE], timeout=8).active()[NODE]
        held.go.set()
        assert len(items) == 1
        item = items[0]
        assert item["id"] == result.id
        observed("keys", sorted(item))
        observed("fixed", {key: item[key] for key in ("name", "args", "kwargs", "type", "acknowledged")})
        value_of(result)


def test_nothing_active(app: Any, worker: Any, add: Any) -> None:
    with worker(app, hostname=NODE):
        inspect = app.control.inspect([NODE], timeout=8)
        assert inspect.active() == {NODE: []}
        assert inspect.scheduled() == {NODE: []}
        assert inspect.reserved() == {NODE: []}
        assert inspect.revoked() == {NODE: []}


def test_scheduled(app: Any, worker: Any, add: Any, observed: Any) -> None:
    with worker(app, hostname=NODE, concurrency=1):
        result = add.apply_async((1,), countdown=600)
        value_of(add.delay(2))
        item = app.control.inspect([NODE], timeout=8).scheduled()[NODE][0]
        assert item["request"]["id"] == result.id
        observed("keys", sorted(item))
        observed("request keys", sorted(item["request"]))
        observed("fixed", [item["priority"], item["request"]["name"], item["request"]["args"]])


def test_reserved(app: Any, worker: Any, held: Any, add: Any, observed: Any) -> None:
    with worker(app, hostname=NODE, concurrency=1):
        first = held.delay()
        assert held.started.wait(10)
        second = add.delay(1)
        until(lambda: app.control.inspect([NODE], timeout=8).reserved()[NODE])
        items = app.control.inspect([NODE], timeout=8).reserved()[NODE]
        held.go.set()
        assert [item["id"] for item in items] == [second.id]
        observed("keys", sorted(items[0]))
        value_of(first)
        value_of(second)


def test_revoked_ids(app: Any, worker: Any, add: Any) -> None:
    with worker(app, hostname=NODE):
        app.control.revoke("some-id")
        until(lambda: app.control.inspect([NODE], timeout=8).revoked()[NODE] == ["some-id"])


@pytest.mark.parametrize("many", ["one", "list"])
def test_revoke(api: Any, app: Any, worker: Any, add: Any, many: str) -> None:
    with worker(app):
        results = [add.apply_async((x,), countdown=600) for x in range(3)]
        if many == "one":
            for result in results:
                app.control.revoke(result.id)
        else:
            app.control.revoke([result.id for result in results])
        until(lambda: all(result.state == "REVOKED" for result in results))


def test_revoke_reply(app: Any, worker: Any, add: Any, observed: Any) -> None:
    with worker(app, hostname=NODE):
        observed("reply", [list(reply.values()) for reply in app.control.revoke("rid", reply=True, timeout=1)])
        observed("terminate", [list(reply.values()) for reply in app.control.terminate("rid-2", reply=True, timeout=1)])


def test_revoke_by_stamps(api: Any, app: Any, worker: Any, add: Any) -> None:
    with worker(app):
        stamped = add.apply_async((1,), countdown=0.8, stamped_headers=["customer"], customer="c1")
        plain = add.apply_async((1,), countdown=0.8)
        app.control.revoke_by_stamped_headers({"customer": "c1"})
        with pytest.raises(api.exceptions.TaskRevokedError):
            value_of(stamped)
        assert value_of(plain) == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("PENDING", "REVOKED"),
        ("RETRY", "REVOKED"),
        ("RECEIVED", "REVOKED"),
        ("STARTED", "STARTED"),
        ("SUCCESS", "SUCCESS"),
        ("FAILURE", "FAILURE"),
        ("MINE", "MINE"),
    ],
)
def test_revoke_marks_what_has_not_started(app: Any, worker: Any, add: Any, before: str, after: str) -> None:
    task_id = f"mark-{before}"
    if before != "PENDING":
        app.backend.store_result(task_id, ValueError("x") if before in ("RETRY", "FAILURE") else 1, before)
    with worker(app, concurrency=1):
        app.control.revoke(task_id, reply=True, timeout=1)
        value_of(add.delay(1))
        assert app.AsyncResult(task_id).state == after


def test_stats(app: Any, worker: Any, add: Any, observed: Any) -> None:
    with worker(app, hostname=NODE):
        for _ in range(3):
            value_of(add.delay(1))
        stats = app.control.inspect([NODE], timeout=8).stats()[NODE]
        assert stats["total"] == {"add": 3}
        assert stats["pid"] > 0
        observed("keys", sorted(stats))
        assert stats["pool"]["max-concurrency"] == 2
        observed("use", sorted(stats["rusage"]))
        observed("broker", [sorted(stats["broker"]), stats["broker"]["transport"], stats["broker"]["hostname"]])


def test_a_task_counts_when_it_begins(api: Any, app: Any, worker: Any) -> None:
    began, go = threading.Event(), threading.Event()
    before = api.mod("worker.state").all_total_count[0]

    @app.task(name="wait")
    def wait() -> None:
        began.set()
        go.wait(10)

    with worker(app, hostname=NODE):
        result = wait.delay()
        assert began.wait(10)
        assert app.control.inspect([NODE], timeout=8).stats()[NODE]["total"] == {"wait": 1}
        assert api.mod("worker.state").total_count == {"wait": 1}
        assert api.mod("worker.state").all_total_count[0] == before + 1
        go.set()
        value_of(result)


def test_active_queues(app: Any, worker: Any, add: Any, observed: Any) -> None:
    with worker(app, hostname=NODE):
        queues = app.control.inspect([NODE], timeout=8).active_queues()[NODE]
        observed("names", [queue["name"] for queue in queues])
        observed("keys", sorted(queues[0]))
        observed("exchange", [queues[0]["exchange"]["name"], queues[0]["routing_key"]])


def test_conf(app: Any, worker: Any, add: Any) -> None:
    app.conf.my_setting = 5
    with worker(app, hostname=NODE):
        conf = app.control.inspect([NODE], timeout=8).conf()[NODE]
        assert conf["my_setting"] == 5
        assert "task_serializer" in app.control.inspect([NODE], timeout=8).conf(with_defaults=True)[NODE]


def test_report(app: Any, worker: Any, add: Any) -> None:
    with worker(app, hostname=NODE):
        assert "software -> celery:" in app.control.inspect([NODE], timeout=8).report()[NODE]["ok"]


def test_query_task(app: Any, worker: Any, held: Any, observed: Any) -> None:
    with worker(app, hostname=NODE):
        result = held.delay()
        assert held.started.wait(10)
        answer = app.control.inspect([NODE], timeout=8).query_task(result.id, "unknown")[NODE]
        held.go.set()
        observed("answer", {"known": answer[result.id][0], "count": len(answer), "keys": sorted(answer[result.id][1])})
        value_of(result)


def test_clock(app: Any, worker: Any, add: Any) -> None:
    with worker(app, hostname=NODE):
        assert isinstance(app.control.inspect([NODE], timeout=8).clock()[NODE]["clock"], int)


def test_unknown_command(app: Any, worker: Any, add: Any, observed: Any) -> None:
    with worker(app, hostname=NODE):
        observed("reply", app.control.broadcast("nosuch", reply=True, timeout=1))


def test_command_of_ones_own(api: Any, app: Any, worker: Any, add: Any) -> None:
    panel = api.mod("worker.control")

    @panel.control_command(args=[("amount", int)], signature="[N=1]")
    def conformance_raise(state: Any, amount: int = 1) -> dict[str, Any]:
        return {"ok": amount * 2, "hostname": state.hostname}

    @panel.inspect_command()
    def conformance_ask(state: Any) -> dict[str, Any]:
        return {"tasks": "add" in state.app.tasks}

    try:
        with worker(app, hostname=NODE):
            replies = app.control.broadcast("conformance_raise", arguments={"amount": 4}, reply=True, timeout=1)
            assert replies == [{NODE: {"ok": 8, "hostname": NODE}}]
            assert app.control.broadcast("conformance_ask", reply=True, timeout=1) == [{NODE: {"tasks": True}}]
    finally:
        panel.Panel.data.pop("conformance_raise")
        panel.Panel.data.pop("conformance_ask")


@pytest.mark.parametrize(("command", "arguments"), [("pool_grow", (1,)), ("pool_shrink", (1,))])
def test_pool_size(app: Any, worker: Any, add: Any, observed: Any, command: str, arguments: Any) -> None:
    with worker(app, hostname=NODE):
        replies = getattr(app.control, command)(*arguments, reply=True, timeout=1)
        if observed.differs("celery-pool-size-changes"):
            assert list(replies[0][NODE]) == ["ok"]
        else:
            observed("reply", replies)
        assert value_of(add.delay(1)) == 1


@pytest.mark.parametrize("command", ["enable_events", "disable_events"])
def test_events(app: Any, worker: Any, add: Any, observed: Any, command: str) -> None:
    with worker(app, hostname=NODE):
        replies = getattr(app.control, command)(reply=True, timeout=1)
        observed("reply", replies)


@pytest.mark.parametrize(
    "command",
    [
        "enable_events",
        "heartbeat",
        "pool_restart",
        "autoscale",
        "election",
        "shutdown",
        "purge",
        "discard_all",
        "time_limit",
    ],
)
def test_method_exists(app: Any, command: str) -> None:
    assert callable(getattr(app.control, command))


def test_shutdown(app: Any, worker: Any, add: Any) -> None:
    with worker(app, hostname=NODE):
        value_of(add.delay(1))
        app.control.shutdown(destination=["other@host"])
        assert value_of(add.delay(2)) == 2


def test_flatten_reply(api: Any) -> None:
    assert api.mod("app.control").flatten_reply([{"a": 1}, {"b": 2}]) == {"a": 1, "b": 2}


def test_two_workers_answer(app: Any, worker: Any, add: Any) -> None:
    with worker(app, hostname="one@host"), worker(app, hostname="two@host"):
        assert sorted(app.control.inspect(timeout=1).ping()) == ["one@host", "two@host"]
