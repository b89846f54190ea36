"""Options on canvases: which task of the canvas gets queue, priority, countdown, expires, headers, limits and the like."""

from __future__ import annotations

from typing import Any

import pytest

from .canvases import Kit, settled, without_ids

KINDS: dict[str, Any] = {
    "chain": lambda c, w: c.chain(w("a"), w("b"), w("c")),
    "group": lambda c, w: c.group(w("a"), w("b")),
    "chord": lambda c, w: c.chord([w("a"), w("b")], w("c")),
    "chain to a group": lambda c, w: c.chain(w("a"), c.group(w("b"), w("c"))),
    "chain with a chord": lambda c, w: c.chain(w("a"), c.group(w("b"), w("c")), w("d")),
    "chord to a chain": lambda c, w: c.chord([w("a")], w("b") | w("c")),
    "chord to a group": lambda c, w: c.chord([w("a")], c.group(w("b"), w("c"))),
    "chord in a chord": lambda c, w: c.chord([c.chord([w("a")], w("b")), w("c")], w("d")),
}

OPTIONS: dict[str, Any] = {
    "queue": {"queue": "other"},
    "routing_key": {"routing_key": "celery", "exchange": ""},
    "priority": {"priority": 5},
    "headers": {"headers": {"mine": 1}},
    "expires": {"expires": 600},
    "countdown": {"countdown": 0.2},
    "eta": {"eta": "2020-01-01T00:00:00"},
    "time limits": {"time_limit": 30, "soft_time_limit": 20},
    "serializer": {"serializer": "pickle"},
    "ignore_result": {"ignore_result": True},
    "shadow": {"shadow": "shadowed"},
    "unknown": {"whatever": 7},
    "retry": {"retry": False},
    "compression": {"compression": "zlib"},
    "max_retries": {"max_retries": 7},
}


class Sent:
    """What each published message said about its options."""

    def __init__(self, signal_log: Any) -> None:
        self.log = signal_log.listen("before_task_publish")

    def table(self) -> dict[str, Any]:
        """Return the options by the tag of the task."""
        found = {}
        for _, kwargs in self.log.of("before_task_publish"):
            headers, properties = kwargs["headers"], kwargs["properties"]
            tag = kwargs["body"][1].get("tag")
            if tag is None:
                continue
            row = {
                "queue": kwargs["routing_key"],
                "priority": properties.get("priority"),
                "expires": bool(headers.get("expires")),
                "eta": bool(headers.get("eta")),
                "limits": headers.get("timelimit"),
                "ignored": headers.get("ignore_result"),
                "shadow": headers.get("shadow"),
                "mine": headers.get("mine"),
                "whatever": "whatever" in headers or "whatever" in properties,
            }
            found[tag] = {
                key: value for key, value in row.items() if value not in (None, False, "celery", [None, None])
            }
        return dict(sorted(found.items()))


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_at_the_call(
    api: Any, redis_kit: Kit, worker: Any, observed: Any, signal_log: Any, kind: str, option: str
) -> None:
    kit = redis_kit
    kit.app.conf.accept_content = ["json", "pickle"]
    sent = Sent(signal_log)
    made = KINDS[kind](api, lambda tag: kit.who.s(tag=tag))
    with worker(kit.app, concurrency=1, queues=["celery", "other"]):
        try:
            made.apply_async(**OPTIONS[option])
        except Exception as refused:
            observed("refused", f"{type(refused).__name__}: {without_ids(str(refused))}")
        if option == "countdown" and not refused_by(signal_log):
            kit.journal.wait("a")
        kit.fence(6)
        observed("sent", sent.table())


def refused_by(signal_log: Any) -> bool:
    """Return True when nothing with a tag was sent."""
    return not any("tag" in kwargs["body"][1] for _, kwargs in signal_log.of("before_task_publish"))


@pytest.mark.parametrize("option", ["queue", "priority", "headers", "expires", "time limits", "ignore_result"])
@pytest.mark.parametrize("kind", KINDS)
def test_set_on_the_canvas(
    api: Any, redis_kit: Kit, worker: Any, observed: Any, signal_log: Any, kind: str, option: str
) -> None:
    kit, sent = redis_kit, Sent(signal_log)
    made = KINDS[kind](api, lambda tag: kit.who.s(tag=tag)).set(**OPTIONS[option])
    with worker(kit.app, concurrency=1, queues=["celery", "other"]):
        made.apply_async()
        kit.fence(6)
        observed("sent", sent.table())


@pytest.mark.parametrize("kind", KINDS)
def test_set_on_one_task(api: Any, kit: Kit, worker: Any, observed: Any, signal_log: Any, kind: str) -> None:
    sent = Sent(signal_log)

    def make(tag: str) -> Any:
        sig = kit.who.s(tag=tag)
        return sig.set(queue="other", priority=3) if tag == "b" else sig

    with worker(kit.app, concurrency=1, queues=["celery", "other"]):
        settled(KINDS[kind](api, make).apply_async())
        kit.fence(2)
        observed("sent", sent.table())


@pytest.mark.parametrize("kind", KINDS)
def test_the_call_against_the_task(api: Any, kit: Kit, worker: Any, observed: Any, signal_log: Any, kind: str) -> None:
    sent = Sent(signal_log)
    made = KINDS[kind](api, lambda tag: kit.who.s(tag=tag).set(priority=2))
    with worker(kit.app, concurrency=1, queues=["celery", "other"]):
        settled(made.apply_async(priority=6))
        kit.fence(4)
        observed("sent", sent.table())


def test_inherited_priority(api: Any, make_app: Any, worker: Any, observed: Any, signal_log: Any) -> None:
    kit = Kit(make_app(task_inherit_parent_priority=True))
    sent = Sent(signal_log)
    made = api.chain(kit.who.s(tag="a").set(priority=5), kit.who.s(tag="b"), api.group(kit.who.s(tag="c")))
    with worker(kit.app, concurrency=1):
        settled(made.apply_async())
        kit.fence(2)
    observed("sent", sent.table())


def test_countdown_on_members(api: Any, kit: Kit, worker: Any, observed: Any, signal_log: Any) -> None:
    sent = Sent(signal_log)
    made = api.chain(kit.who.s(tag="a"), kit.who.s(tag="b").set(countdown=0.1), kit.who.s(tag="c"))
    with worker(kit.app, concurrency=1):
        settled(made.apply_async())
    observed("sent", sent.table())


def test_expired_group(api: Any, redis_kit: Kit, worker: Any, observed: Any) -> None:
    kit = redis_kit
    with worker(kit.app, concurrency=1):
        observed("members", kit.outcome(api.group(kit.pack.s(1), kit.pack.s(2)), expires=-1))


def test_expired_chord(api: Any, redis_kit: Kit, worker: Any, observed: Any) -> None:
    kit = redis_kit
    body = kit.named(kit.pack.s(), "b")
    with worker(kit.app, concurrency=1):
        api.chord([kit.pack.s(1), kit.pack.s(2)], body).apply_async(expires=-1)
        kit.fence(5)
        observed("body", kit.states("b"))


def test_results_of_ignored_members(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app, concurrency=1):
        result = api.group(kit.pack.s(1), kit.silent.s(2)).apply_async()
        kit.fence(3)
        observed("members", [[member.state, member.ignored] for member in result])


def test_routes_apply_to_members(api: Any, make_app: Any, worker: Any, observed: Any, signal_log: Any) -> None:
    kit = Kit(make_app(task_routes={"t.who": {"queue": "other"}}))
    sent = Sent(signal_log)
    with worker(kit.app, concurrency=1, queues=["celery", "other"]):
        for kind in KINDS:
            settled(KINDS[kind](api, lambda tag, kind=kind: kit.who.s(tag=f"{kind} {tag}")).apply_async())
        kit.fence(2)
    observed("sent", sent.table())


def test_always_eager_ignores_options(api: Any, make_app: Any, observed: Any) -> None:
    kit = Kit(make_app(task_always_eager=True))
    for kind in ("chain", "group", "chord"):
        try:
            made = KINDS[kind](api, lambda tag: kit.pack.s(tag))
            result = made.apply_async(countdown=100, queue="nowhere", expires=-1)
        except Exception as refused:
            observed(kind, f"{type(refused).__name__}: {refused}")
        else:
            observed(kind, repr(result.get()))
