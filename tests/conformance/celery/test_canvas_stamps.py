"""Stamps: what a visitor meets in which order, where stamps end up, how they merge, and revoking by them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .canvases import Kit, as_list, revoke_stamped_and_wait, settled, shape, short, unordered
from .waiting import until

KINDS: dict[str, Any] = {
    "task": lambda c, k: k.pack.s("a"),
    "chain": lambda c, k: c.chain(k.pack.s("a"), k.pack.s("b")),
    "group": lambda c, k: c.group(k.pack.s("a"), k.pack.s("b")),
    "chord": lambda c, k: c.chord([k.pack.s("a"), k.pack.s("b")], k.pack.s("c")),
    "chord of a group": lambda c, k: c.chord(c.group(k.pack.s("a"), k.pack.s("b")), k.pack.s("c")),
    "chain with a group": lambda c, k: c.chain(k.pack.s("a"), c.group(k.pack.s("b"), k.pack.s("c"))),
    "chain with a chord": lambda c, k: c.chain(k.pack.s("a"), c.group(k.pack.s("b"), k.pack.s("c")), k.pack.s("d")),
    "group of chains": lambda c, k: c.group(k.pack.s("a") | k.pack.s("b"), k.pack.s("c")),
    "group of groups": lambda c, k: c.group(c.group(k.pack.s("a")), k.pack.s("b")),
    "chord in a chord": lambda c, k: c.chord([c.chord([k.pack.s("a")], k.pack.s("b")), k.pack.s("c")], k.pack.s("d")),
    "chord to a chain": lambda c, k: c.chord([k.pack.s("a")], k.pack.s("b") | k.pack.s("c")),
    "group from a generator": lambda c, k: c.group(k.pack.s(tag) for tag in "ab"),
    "linked task": lambda c, k: _linked(k),
    "chain of linked": lambda c, k: c.chain(_linked(k), k.pack.s("b")),
    "map": lambda c, k: k.pack.map(["a"]),
}


def _linked(kit: Kit) -> Any:
    sig = kit.pack.s("a")
    sig.link(kit.pack.s("callback"))
    sig.link_error(kit.old_style.s("errback"))
    return sig


def visitor_of(api: Any, log: list[Any], stamps: Any = None) -> Any:
    """Return a visitor that notes every visit and stamps with what ``stamps`` has under the name of the hook."""
    stamps = stamps or {}

    class Visitor(api.canvas.StampingVisitor):  # type: ignore[name-defined,misc]
        def on_signature(self, sig: Any, **headers: Any) -> Any:
            log.append(["signature", shape(sig), sorted(headers)])
            return dict(stamps.get("signature", {}))

        def on_group_start(self, group: Any, **headers: Any) -> Any:
            log.append(["group start", len(list(group.tasks)), sorted(headers)])
            return dict(stamps.get("group", {}))

        def on_group_end(self, group: Any, **headers: Any) -> None:
            log.append(["group end", sorted(headers)])

        def on_chain_start(self, chain: Any, **headers: Any) -> Any:
            log.append(["chain start", len(chain.tasks), sorted(headers)])
            return dict(stamps.get("chain", {}))

        def on_chain_end(self, chain: Any, **headers: Any) -> None:
            log.append(["chain end", sorted(headers)])

        def on_chord_header_start(self, sig: Any, **headers: Any) -> Any:
            log.append(["header start", sorted(headers)])
            found = super().on_chord_header_start(sig, **headers)
            return {**found, **stamps.get("header", {})}

        def on_chord_header_end(self, sig: Any, **headers: Any) -> None:
            log.append(["header end", sorted(headers)])
            super().on_chord_header_end(sig, **headers)

        def on_chord_body(self, sig: Any, **headers: Any) -> Any:
            log.append(["body", sorted(headers)])
            return dict(stamps.get("body", {}))

        def on_callback(self, callback: Any, **headers: Any) -> Any:
            log.append(["callback", shape(callback), sorted(headers)])
            return dict(stamps.get("callback", {}))

        def on_errback(self, errback: Any, **headers: Any) -> Any:
            log.append(["errback", shape(errback), sorted(headers)])
            return dict(stamps.get("errback", {}))

    return Visitor()


def stamps_of(sig: Any) -> Any:
    """Return the stamps of a signature and of everything in it."""
    options = sig["options"]
    names = sorted(options.get("stamped_headers") or [])
    found: dict[str, Any] = {name: options.get(name) for name in names}
    inside = sig["kwargs"]
    kind = sig.get("subtask_type")
    label = kind or (str(sig["args"][0]) if sig["args"] else short(sig["task"]))
    below: list[Any] = []
    if kind in ("chain", "group"):
        below = [stamps_of(task) for task in inside["tasks"]]
    elif kind == "chord":
        header = inside["header"]
        members = header["kwargs"]["tasks"] if isinstance(header, dict) else header
        below = [*(stamps_of(task) for task in members), stamps_of(inside["body"])]
    for option in ("link", "link_error"):
        below += [stamps_of(one) for one in as_list(options.get(option))]
    return [label, found, below] if below else [label, found]


@pytest.mark.parametrize("kind", KINDS)
def test_order_of_visits(api: Any, kit: Kit, observed: Any, kind: str) -> None:
    log: list[Any] = []
    KINDS[kind](api, kit).stamp(visitor_of(api, log))
    observed("visits", log)


@pytest.mark.parametrize("kind", KINDS)
def test_stamps_by_keyword(api: Any, kit: Kit, observed: Any, kind: str) -> None:
    made = KINDS[kind](api, kit)
    returned = made.stamp(customer="c1", shop=5)
    observed("returned", type(returned).__name__)
    observed("stamps", stamps_of(made))


HOOKS = ("signature", "group", "chain", "header", "body", "callback", "errback")


@pytest.mark.parametrize("hook", HOOKS)
def test_stamps_of_a_hook(api: Any, kit: Kit, observed: Any, hook: str) -> None:
    for kind in KINDS:
        made = KINDS[kind](api, kit)
        made.stamp(visitor_of(api, [], {hook: {"by": hook}}))
        observed(kind, stamps_of(made))


@pytest.mark.parametrize("append", [False, True], ids=["replace", "append"])
@pytest.mark.parametrize("kind", ["task", "chain", "group", "chord"])
def test_stamping_twice(api: Any, kit: Kit, observed: Any, kind: str, append: bool) -> None:
    made = KINDS[kind](api, kit)
    made.stamp(customer="c1", first=1)
    made.stamp(append_stamps=append, customer="c2", second=2)
    observed("stamps", stamps_of(made))


@pytest.mark.parametrize("append", [False, True], ids=["replace", "append"])
def test_visitor_over_stamps(api: Any, kit: Kit, observed: Any, append: bool) -> None:
    made = KINDS["chain with a chord"](api, kit)
    made.stamp(customer="c1")
    made.stamp(visitor_of(api, [], {"signature": {"customer": "c2"}, "header": {"header": 1}}), append_stamps=append)
    observed("stamps", stamps_of(made))


def test_only_some_headers_are_stamps(api: Any, kit: Kit, observed: Any) -> None:
    log: list[Any] = []
    stamps = {"signature": {"kept": 1, "not_kept": 2, "stamped_headers": ["kept"]}}
    made = KINDS["chain"](api, kit)
    made.stamp(visitor_of(api, log, stamps))
    observed("stamps", stamps_of(made))
    observed("options", [sorted(task.options) for task in made.tasks])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "map"])
def test_requests_have_the_stamps(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    made = KINDS[kind](api, Looking(kit))
    made.stamp(visitor_of(api, [], {"signature": {"mine": "yes"}, "body": {"body": True}}), customer="c1")
    with worker(kit.app, concurrency=1):
        settled(made.apply_async())
        kit.fence(4)
    seen = [[sorted(entry[0]["stamped_headers"] or []), entry[0]["stamps"]] for entry in kit.journal.of("look")]
    observed("stamps", unordered(seen))


class Looking:
    """A kit whose `pack` notes its stamps."""

    def __init__(self, kit: Kit) -> None:
        class Pack:
            def s(self, tag: str) -> Any:
                return kit.look.s(fields=["stamped_headers", "stamps"])

        self.pack, self.old_style = Pack(), kit.old_style


def test_stamps_of_a_task_sent_by_a_stamped_task(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    @kit.app.task(name="t.outer")
    def outer() -> None:
        kit.look.s(fields=["stamped_headers", "stamps"]).apply_async()

    with worker(kit.app, concurrency=1):
        settled(outer.s().stamp(customer="c1").apply_async())
        kit.fence()
    observed("stamps", kit.journal.of("look"))


def test_stamps_after_a_retry(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    @kit.app.task(name="t.again", bind=True)
    def again(self: Any) -> None:
        kit.journal.add("stamps", self.request.stamped_headers, self.request.stamps)
        if self.request.retries == 0:
            raise self.retry(countdown=0)

    with worker(kit.app, concurrency=1):
        settled(again.s().stamp(customer="c1").apply_async())
    observed("stamps", kit.journal.of("stamps"))


def test_stamps_after_a_replace(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    plain = kit.look.s(fields=["stamped_headers", "stamps"])
    stamped = kit.look.s(fields=["stamped_headers", "stamps"]).stamp(own="o1")
    with worker(kit.app, concurrency=1):
        for label, other in (("plain", plain), ("stamped", stamped)):
            del kit.journal.entries[:]
            settled(kit.swap.s(other=json.loads(json.dumps(other))).stamp(customer="c1").apply_async())
            kit.fence(3)
            observed(label, kit.journal.of("look"))


def test_replace_with_a_visitor(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    class Stamping(api.Task):  # type: ignore[name-defined,misc]
        def on_replace(self, sig: Any) -> Any:
            sig.stamp(visitor_of(api, [], {"signature": {"replaced": True}}))
            return super().on_replace(sig)

    @kit.app.task(name="t.stamping", base=Stamping, bind=True)
    def replacing(self: Any) -> Any:
        raise self.replace(kit.look.s(fields=["stamped_headers", "stamps"]))

    with worker(kit.app, concurrency=1):
        settled(replacing.delay())
        kit.fence()
    observed("stamps", kit.journal.of("look"))


def test_stamps_at_the_call(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app, concurrency=1):
        settled(
            kit.look.apply_async(
                kwargs={"fields": ["stamped_headers", "stamps"]}, stamped_headers=["customer"], customer="c1", other="o"
            )
        )
    observed("stamps", kit.journal.of("look"))


def test_stamps_do_not_change_at_the_call(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    sig = kit.look.s(fields=["stamped_headers", "stamps"]).stamp(customer="c1")
    with worker(kit.app, concurrency=1):
        settled(sig.apply_async(stamped_headers=["customer"], customer="c2"))
    observed("stamps", kit.journal.of("look"))


def test_stamps_in_eager_mode(api: Any, make_app: Any, observed: Any) -> None:
    kit = Kit(make_app(task_always_eager=True))
    sig = kit.look.s(fields=["stamped_headers", "stamps"]).stamp(customer="c1")
    sig.apply_async()
    observed("stamps", kit.journal.of("look"))


def test_a_visitor_needs_on_signature(api: Any) -> None:
    class Empty(api.canvas.StampingVisitor):  # type: ignore[name-defined,misc]
        pass

    with pytest.raises(TypeError):
        Empty()


@pytest.mark.parametrize("kind", ["task", "chain", "group", "chord", "chain with a chord"])
def test_revoking_by_stamps(api: Any, redis_kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    kit = redis_kit
    made = KINDS[kind](api, Noting(kit))
    made.stamp(customer=kit.unique)
    other = kit.note.s("other", tag="other")
    with worker(kit.app, concurrency=1):
        revoke_stamped_and_wait(kit.app.control, {"customer": kit.unique})
        made.apply_async()
        other.apply_async()
        kit.fence(6)
        observed("states", kit.states(*sorted(kit.tags)))
    observed("ran", kit.journal.entries)


class Noting:
    """A kit whose `pack` is named and takes notes."""

    def __init__(self, kit: Kit) -> None:
        kit.tags = set()  # type: ignore[attr-defined]

        class Pack:
            def s(self, tag: str) -> Any:
                kit.tags.add(tag)  # type: ignore[attr-defined]
                return kit.named(kit.note.s(tag, tag=tag), tag)

        self.pack = Pack()


def test_revoking_one_of_two_stamped(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app, concurrency=1):
        revoke_stamped_and_wait(kit.app.control, {"customer": ["c2", "c3"]})
        first = kit.note.s(1).stamp(customer="c1").apply_async()
        second = kit.note.s(2).stamp(customer="c2").apply_async()
        until(lambda: second.state == "REVOKED")
        kit.fence()
        observed("states", [first.state, second.state])


def test_result_revokes_by_stamps(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app, concurrency=1):
        sig = kit.note.s(1).stamp(customer="c1")
        revoke_stamped_and_wait(sig.freeze(), {"customer": "c1"})
        first = sig.apply_async()
        until(lambda: first.state == "REVOKED")
        kit.fence()
    observed("ran", kit.journal.entries)
