"""`State`: tasks and workers by their events. Pure: no application runs anything here."""

from __future__ import annotations

import pickle
import time
from typing import Any

import pytest


class Feed:
    """Makes events with a growing clock and feeds them to a state."""

    def __init__(self, api: Any, **options: Any) -> None:
        self.state = api.mod("events.state").State(**options)
        self.clock = 0

    def task(self, subject: str, uuid: str, hostname: str = "w1", **fields: Any) -> Any:
        self.clock += 1
        return self.state.event(
            {
                "type": f"task-{subject}",
                "uuid": uuid,
                "hostname": hostname,
                "timestamp": float(self.clock),
                "local_received": float(self.clock),
                "clock": fields.pop("clock", self.clock),
                **fields,
            }
        )

    def worker(self, subject: str, hostname: str = "w1", at: float | None = None, **fields: Any) -> Any:
        self.clock += 1
        now = time.time() if at is None else at
        return self.state.event(
            {
                "type": f"worker-{subject}",
                "hostname": hostname,
                "timestamp": now,
                "local_received": now,
                "clock": self.clock,
                "pid": 1,
                **fields,
            }
        )


@pytest.fixture
def feed(api: Any) -> Feed:
    """A state and its feed."""
    return Feed(api)


def test_a_worker_comes_and_goes(feed: Feed, observed: Any) -> None:
    (worker, created), subject = feed.worker("online", freq=5, active=0)
    assert created and subject == "online" and worker.alive and worker is feed.state.workers["w1"]
    assert not feed.worker("heartbeat", active=3)[0][1]
    observed(
        "fields", [worker.active, worker.freq, worker.pid, worker.id, worker.status_string, len(worker.heartbeats)]
    )
    feed.worker("offline")
    observed("offline", [worker.alive, worker.status_string, worker.heartbeats, list(feed.state.workers)])
    observed("repr", [repr(worker), repr(feed.state)])


def test_an_unknown_worker_goes(feed: Feed, observed: Any) -> None:
    (worker, created), _ = feed.worker("offline")
    observed("result", [created, worker.hostname, list(feed.state.workers)])


def test_a_worker_is_dead_without_heartbeats(feed: Feed) -> None:
    now = time.time()
    (old, _), _ = feed.worker("heartbeat", "old", at=now - 100, freq=5)
    (young, _), _ = feed.worker("heartbeat", "young", at=now, freq=60)
    assert [old.alive, young.alive] == [False, True]
    assert list(feed.state.alive_workers()) == [young]
    assert old.heartbeat_expires == pytest.approx(now - 100 + 10)


def test_heartbeats_are_kept_in_order(feed: Feed, observed: Any) -> None:
    base = 1_000_000.0
    for moment in (5, 3, 9, 7, 8, 1):
        (worker, _), _ = feed.worker("heartbeat", at=base + moment)
    observed("kept", [beat - base for beat in worker.heartbeats])


def test_when_a_heartbeat_expires(api: Any, observed: Any) -> None:
    from decimal import Decimal

    expires = api.mod("events.state").heartbeat_expires
    observed("times", [expires(100.0), expires(100, freq=10), expires(Decimal("100"), Decimal("2")), expires(0, 1, 50)])


def test_nodes_join_and_leave(api: Any, observed: Any) -> None:
    seen: list[Any] = []
    feed = Feed(
        api,
        on_node_join=lambda worker: seen.append(("join", worker.hostname)),
        on_node_leave=lambda worker: seen.append(("leave", worker.hostname)),
    )
    for subject, name in [("online", "a"), ("heartbeat", "b"), ("heartbeat", "a"), ("offline", "a"), ("online", "b")]:
        feed.worker(subject, name)
    observed("seen", seen)
    observed("left", list(feed.state.workers))


@pytest.mark.parametrize(
    "subjects",
    [
        "sent received started succeeded",
        "sent received started failed",
        "received started retried",
        "received started retried received started succeeded",
        "received revoked",
        "received rejected",
        "received started progress",
        "succeeded received started",
        "failed sent",
        "succeeded failed",
        "started received",
        "retried started",
        "sent revoked started",
    ],
)
def test_the_life_of_a_task(feed: Feed, observed: Any, subjects: str) -> None:
    for subject in subjects.split():
        (task, _), _ = feed.task(subject, "id1", name="add", args="(1,)", result="2")
    observed("state", task.state)
    moments = ("sent", "received", "started", "succeeded", "failed", "retried", "revoked", "rejected", "timestamp")
    observed("moments", {name: getattr(task, name) for name in moments})
    observed("known", [task.ready, task.name, task.args, task.result, task.origin, feed.state.task_count])
    observed("repr", repr(task))


def test_who_runs_a_task(feed: Feed, observed: Any) -> None:
    (task, created), subject = feed.task("sent", "id1", hostname="client")
    assert created and subject == "sent" and task.worker is None and task.origin == "client"
    feed.task("received", "id1", hostname="w1", name="add")
    assert task.worker is feed.state.workers["w1"]
    observed("origin", [task.origin, task.client, task.id])


def test_late_events_bring_some_fields_only(feed: Feed, observed: Any) -> None:
    feed.task("succeeded", "id1", result="2", runtime=0.1, args="late")
    feed.task("received", "id1", name="add", args="(1, 2)", result="no", exchange="x", retries=3)
    task = feed.state.tasks["id1"]
    observed("info", task.info())
    observed("some", task.info(["name", "state"], extra=["uuid", "nothing"]))


def test_the_order_of_time(feed: Feed, observed: Any) -> None:
    for number, clock in enumerate([5, 1, 9, 3]):
        feed.task(
            "received", f"id{number}", name="add" if number % 2 else "mul", hostname=f"w{number % 2}", clock=clock
        )
    feed.task("started", "id1", hostname="w1", clock=20)
    state = feed.state

    def ids(found: Any) -> list[str]:
        return [uuid for uuid, _ in found]

    observed("newest first", ids(state.tasks_by_time()))
    observed("oldest first", ids(state.tasks_by_time(reverse=False)))
    observed("limit", ids(state.tasks_by_time(limit=2)))
    observed("by type", [ids(state.tasks_by_type("add")), ids(state.tasks_by_type("mul", limit=1))])
    observed("by worker", [ids(state.tasks_by_worker("w0")), ids(state.tasks_by_worker("w1", reverse=False))])
    observed("index", sorted(task.uuid for task in state.tasks_by_type["add"]))
    observed("worker index", sorted(task.uuid for task in state.tasks_by_worker["w0"]))
    observed("types", state.task_types())
    observed("limited", ids(state.itertasks(limit=2)))


def test_parents_and_children(feed: Feed, observed: Any) -> None:
    feed.task("received", "child", name="c", parent_id="parent", root_id="parent")
    child = feed.state.tasks["child"]
    feed.task("received", "parent", name="p")
    feed.task("received", "second", name="c", parent_id="parent", root_id="parent")
    parent = feed.state.tasks["parent"]
    assert {task.uuid for task in parent.children} == {"child", "second"}
    assert child.parent is parent and child.root is parent
    assert parent.parent is None
    feed.task("received", "stray", parent_id="unknown")
    assert not feed.state.tasks["stray"].parent
    shown = parent.as_dict()
    shown["children"] = sorted(shown["children"])
    shown["worker"] = shown["worker"].hostname
    observed("dict", shown)


def test_only_the_last_tasks_are_kept(api: Any, observed: Any) -> None:
    feed = Feed(api, max_tasks_in_memory=3, max_workers_in_memory=2)
    for number in range(6):
        feed.task("received", f"id{number}", hostname=f"w{number}", name="add")
    state = feed.state
    observed("kept", [list(state.tasks), list(state.workers)])
    observed("counts", [state.event_count, state.task_count])


@pytest.mark.parametrize("ready", [True, False])
def test_forgetting(feed: Feed, observed: Any, ready: bool) -> None:
    feed.worker("online")
    feed.task("succeeded", "done", name="add")
    feed.task("started", "runs", name="add")
    feed.state.clear_tasks(ready=ready)
    observed("tasks", [list(feed.state.tasks), list(feed.state.workers), feed.state.event_count])
    feed.state.clear(ready=ready)
    observed("all", [list(feed.state.tasks), list(feed.state.workers), feed.state.event_count, feed.state.task_count])


def test_nothing_changes_while_frozen(feed: Feed) -> None:
    feed.worker("online")
    assert feed.state.freeze_while(lambda a, b=0: a + b, 1, b=2) == 3
    assert len(feed.state.workers) == 1
    feed.state.freeze_while(lambda: None, clear_after=True)
    assert len(feed.state.workers) == 0


def test_handlers_and_the_callback(api: Any, observed: Any) -> None:
    seen: list[Any] = []
    feed = Feed(api, callback=lambda state, event: seen.append(event["type"]))
    feed.state.handlers["custom"] = lambda subject, event: ("mine", subject, event["value"])
    observed("handled", feed.state.event({"type": "custom-a-b", "value": 1}))
    observed("unknown", feed.state.event({"type": "other-a"}))
    feed.worker("online")
    observed("seen", seen)
    observed("incomplete", feed.state.event({"type": "worker-online", "hostname": "x"}))


def test_get_or_create(feed: Feed, observed: Any) -> None:
    state = feed.state
    made, created = state.get_or_create_worker("w9", pid=3)
    again, second = state.get_or_create_worker("w9", pid=4)
    assert made is again and (created, second) == (True, False) and made.pid == 4
    task, created = state.get_or_create_task("t9")
    same, second = state.get_or_create_task("t9")
    assert task is same and (created, second) == (True, False)
    observed("defaults", [task.state, task.name, task.clock, made.freq, made.heartbeats])


def test_the_same_name_is_the_same(api: Any) -> None:
    state = api.mod("events.state")
    assert state.Task("a") == state.Task("a") != state.Task("b")
    assert state.Worker("a") == state.Worker("a") != state.Worker("b")
    assert len({state.Task("a"), state.Task("a"), state.Worker("w"), state.Worker("w")}) == 2
    assert state.Task("a") != "a" and state.Worker("a") != "a"


def test_pickled(feed: Feed, observed: Any) -> None:
    feed.worker("online", at=1_000_000.0)
    feed.task("received", "id1", name="add", args="(1,)")
    feed.task("started", "id2", name="mul", hostname="w2")
    copy = pickle.loads(pickle.dumps(feed.state))
    observed(
        "copied", [sorted(copy.tasks), sorted(copy.workers), sorted(copy.tasks_by_type), sorted(copy.tasks_by_worker)]
    )
    observed("task", {key: getattr(copy.tasks["id1"], key) for key in ("name", "args", "state", "received")})
    assert copy.tasks["id1"] == feed.state.tasks["id1"]
    observed("order", [uuid for uuid, _ in copy.tasks_by_time()])


def test_old_forms(feed: Feed, observed: Any) -> None:
    common = {"hostname": "w1", "timestamp": 1.0, "local_received": 1.0, "clock": 1}
    worker, created = feed.state.worker_event("online", common)
    task, new = feed.state.task_event("received", {**common, "uuid": "id1", "name": "add"})
    observed("results", [worker.hostname, created, task.uuid, new])


def test_subclasses_of_the_parts(api: Any) -> None:
    module = api.mod("events.state")

    class Task(module.Task):  # type: ignore[misc, name-defined]
        pass

    class State(module.State):  # type: ignore[misc, name-defined]
        pass

    State.Task = Task
    state = State()
    common = {"hostname": "w1", "timestamp": 1.0, "local_received": 1.0, "clock": 1}
    state.event({**common, "type": "task-received", "uuid": "id1"})
    assert type(state.tasks["id1"]) is Task
