"""Callbacks and errbacks on every kind of canvas: where they are put, how often they run, and what they are given."""

from __future__ import annotations

from typing import Any

import pytest

from .canvases import Kit, revoke_and_wait, shape, unordered
from .waiting import until, value_of


class ChordError(Exception):
    """Stands for Celery's: its repr counts."""


KINDS: dict[str, Any] = {
    "task": lambda c, w: w("a"),
    "chain": lambda c, w: c.chain(w("a"), w("b")),
    "chain to a group": lambda c, w: c.chain(w("a"), c.group(w("b"), w("c"))),
    "chain with a chord": lambda c, w: c.chain(w("a"), c.group(w("b"), w("c")), w("d")),
    "group": lambda c, w: c.group(w("a"), w("b")),
    "group of chains": lambda c, w: c.group(w("a") | w("b"), w("c") | w("d")),
    "group of a chord": lambda c, w: c.group(c.chord([w("a")], w("b")), w("c")),
    "chord": lambda c, w: c.chord([w("a"), w("b")], w("c")),
    "chord to a chain": lambda c, w: c.chord([w("a"), w("b")], w("c") | w("d")),
    "chord to a group": lambda c, w: c.chord([w("a"), w("b")], c.group(w("c"), w("d"))),
    "chord in a chord": lambda c, w: c.chord([c.chord([w("a"), w("b")], w("c")), w("d")], w("e")),
    "chord to a chord": lambda c, w: c.chord([w("a")], c.chord([w("b"), w("c")], w("d"))),
    "map": lambda c, w: w("a").type.map([1, 2]),
    "chunks": lambda c, w: w("a").type.chunks([(1,), (2,)], 1),
}


def pack(kit: Kit) -> Any:
    return lambda tag: kit.pack.s(tag)


@pytest.mark.parametrize("kind", KINDS)
def test_link(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    made = KINDS[kind](api, pack(kit))
    try:
        returned = made.link(kit.note.s(tag="linked"))
    except Exception as refused:
        observed("refused", type(refused).__name__)
        return
    observed("returned", shape(returned))
    observed("shape", shape(made))
    with worker(kit.app, concurrency=1):
        try:
            made.apply_async()
        except Exception as refused:
            observed("refused at the call", f"{type(refused).__name__}: {refused}")
        kit.fence(8)
    observed("linked", kit.journal.of("linked"))


@pytest.mark.parametrize("kind", KINDS)
def test_link_at_the_call(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    made = KINDS[kind](api, pack(kit))
    with worker(kit.app, concurrency=1):
        try:
            made.apply_async(link=kit.note.s(tag="linked"))
        except Exception as refused:
            observed("refused", f"{type(refused).__name__}: {refused}")
        kit.fence(8)
    observed("linked", kit.journal.of("linked"))


FAILING: dict[str, tuple[str, str]] = {
    "task": ("task", "a"),
    "first of a chain": ("chain", "a"),
    "last of a chain": ("chain", "b"),
    "task before a group": ("chain to a group", "a"),
    "group at the end": ("chain to a group", "b"),
    "before a chord": ("chain with a chord", "a"),
    "header in a chain": ("chain with a chord", "b"),
    "body in a chain": ("chain with a chord", "d"),
    "group": ("group", "a"),
    "chain in a group": ("group of chains", "a"),
    "header in a group": ("group of a chord", "a"),
    "body in a group": ("group of a chord", "b"),
    "header": ("chord", "a"),
    "body": ("chord", "c"),
    "header before a chain": ("chord to a chain", "a"),
    "chain body": ("chord to a chain", "c"),
    "end of a chain body": ("chord to a chain", "d"),
    "header before a group": ("chord to a group", "a"),
    "group body": ("chord to a group", "c"),
    "inner header": ("chord in a chord", "a"),
    "inner body": ("chord in a chord", "c"),
    "outer header": ("chord in a chord", "d"),
    "outer body": ("chord in a chord", "e"),
    "header before a chord": ("chord to a chord", "a"),
    "header of a chord body": ("chord to a chord", "b"),
    "body of a chord body": ("chord to a chord", "d"),
}


# Errbacks of bodies that the oracle forgets: with the task that they are told of, and its error.
INNER = """ChordError("Dependency a-# raised ValueError('boom')")"""
MORE_ERRBACKS = {
    "header before a chord": ["a new id", INNER, "NoneType"],
}


def failing(kit: Kit, where: str) -> Any:
    """Return a maker of tasks, of which the one called ``where`` fails."""

    def make(tag: str) -> Any:
        return kit.named(kit.fail.s() if tag == where else kit.pack.s(tag), tag)

    return make


def tag_of(kit: Kit, task_id: str) -> str:
    """Return the tag that `named` gave to a task."""
    return task_id.removesuffix(f"-{kit.unique}") if task_id.endswith(kit.unique) else "a new id"


@pytest.mark.parametrize("style", ["old", "new"])
@pytest.mark.parametrize(
    ("case", "header"),
    [
        pytest.param(case, header, id=f"{case}, {'header too' if header else 'body only'}")
        for case, (kind, _) in FAILING.items()
        for header in (False, True)
        if "chord" in kind or not header
    ],
)
def test_errback(
    api: Any, redis_kit: Kit, worker: Any, observed: Any, recwarn: Any, case: str, style: str, header: bool
) -> None:
    kit, (kind, where) = redis_kit, FAILING[case]
    kit.app.conf.task_allow_error_cb_on_chord_header = header
    made = KINDS[kind](api, failing(kit, where))
    made.link_error(kit.old_style.s() if style == "old" else kit.new_style.s())
    with worker(kit.app, concurrency=1):
        made.apply_async()
        kit.fence(8)
        seen = [[tag_of(kit, entry[0]), *entry[1:]] for entry in kit.journal.of(style)]
        seen = [[str(part).replace(kit.unique, "#") for part in entry] for entry in seen]
        more = MORE_ERRBACKS.get(case)
        if more is None:
            observed("errbacks", sorted(seen))
        else:
            recorded = (observed.recorded or {}).get("errbacks") or []
            expected = [*recorded, more if style == "new" else more[:1]]
            observed("errbacks", sorted(seen), shim=sorted(expected), row="celery-canvas-ends")


@pytest.mark.parametrize("case", FAILING)
def test_errback_at_the_call(api: Any, redis_kit: Kit, worker: Any, observed: Any, case: str) -> None:
    kit, (kind, where) = redis_kit, FAILING[case]
    made = KINDS[kind](api, failing(kit, where))
    with worker(kit.app, concurrency=1):
        try:
            made.apply_async(link_error=kit.old_style.s())
        except TypeError as refused:
            observed("refused", str(refused))
        kit.fence(8)
        seen = sorted(tag_of(kit, entry[0]) for entry in kit.journal.of("old"))
        if case == "inner header":
            observed("errbacks", seen, shim=["e"], row="celery-canvas-ends")
        else:
            observed("errbacks", seen)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("map", "chunks")])
def test_errback_is_put(api: Any, kit: Kit, observed: Any, recwarn: Any, kind: str) -> None:
    for label, allowed in (("body only", False), ("header too", True)):
        kit.app.conf.task_allow_error_cb_on_chord_header = allowed
        made = KINDS[kind](api, pack(kit))
        returned = made.link_error(kit.old_style.s())
        observed(label, shape(made))
        observed(f"{label}, returned", type(returned).__name__)


def test_errback_on_a_chord_warns(api: Any, kit: Kit) -> None:
    made = api.chord([kit.pack.s(1)], kit.pack.s())
    with pytest.warns(api.exceptions.CPendingDeprecationWarning, match="task_allow_error_cb_on_chord_header"):
        made.link_error(kit.old_style.s())


@pytest.mark.parametrize("kind", ["task", "chain", "group", "chord"])
def test_on_error_returns_the_canvas(api: Any, kit: Kit, recwarn: Any, kind: str) -> None:
    made = KINDS[kind](api, pack(kit))
    assert made.on_error(kit.old_style.s()) is made


def test_several_links(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    made = kit.add.s(1, 1)
    for number in range(3):
        made.link(kit.note.s(number, tag="linked"))
    with worker(kit.app, concurrency=1):
        made.apply_async()
        kit.fence(4)
    observed("linked", kit.journal.of("linked"))


def test_links_of_links(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    second = kit.note.s("second", tag="second")
    first = kit.note.s("first", tag="first")
    first.link(second)
    with worker(kit.app, concurrency=1):
        kit.add.s(1, 1).apply_async(link=first)
        kit.fence(4)
    observed("first", kit.journal.of("first"))
    observed("second", kit.journal.of("second"))


def test_immutable_link(api: Any, kit: Kit, worker: Any) -> None:
    with worker(kit.app, concurrency=1):
        kit.add.apply_async((1, 1), link=kit.note.si("only", tag="linked"))
        kit.fence(3)
    assert kit.journal.of("linked") == [["only"]]


@pytest.mark.parametrize("kind", ["chain", "group", "chord", "map"])
def test_composition_as_a_link(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    linked = {
        "chain": lambda: kit.pack.s("l1") | kit.note.s(tag="linked"),
        "group": lambda: api.group(kit.note.s(1, tag="linked"), kit.note.s(2, tag="linked")),
        "chord": lambda: api.chord([kit.pack.s("l1"), kit.pack.s("l2")], kit.note.s(tag="linked")),
        "map": lambda: kit.note.map([1, 2]),
    }[kind]()
    with worker(kit.app, concurrency=1):
        try:
            kit.add.apply_async((1, 1), link=linked)
        except Exception as refused:
            observed("refused", type(refused).__name__)
        kit.fence(6)
    observed("linked", unordered(kit.journal.of("linked")))


@pytest.mark.parametrize("kind", ["chain", "group", "chord"])
def test_composition_as_an_errback(api: Any, redis_kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    kit = redis_kit
    linked = {
        "chain": lambda: kit.old_style.si("e") | kit.note.s(tag="end"),
        "group": lambda: api.group(kit.note.si(1, tag="end"), kit.note.si(2, tag="end")),
        "chord": lambda: api.chord([kit.note.si(1), kit.note.si(2)], kit.note.s(tag="end")),
    }[kind]()
    with worker(kit.app, concurrency=1):
        result = kit.fail.apply_async(link_error=linked)
        kit.fence(6)
        observed("state", result.state)
    observed("end", unordered(kit.journal.of("end")))


def test_errback_given_by_name(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app, concurrency=1):
        result = kit.fail.apply_async(link_error=kit.app.signature("t.old_style"))
        kit.fence(4)
        observed("ids", [entry == [result.id] for entry in kit.journal.of("old")])


def test_errback_unregistered_in_the_worker(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app, concurrency=1):
        errback = kit.named(kit.app.signature("t.nowhere"), "e")
        result = kit.fail.apply_async(link_error=errback)
        kit.fence(4)
        observed("state", result.state)
        observed("errback", kit.states("e"))


def test_errback_with_arguments(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app, concurrency=1):
        result = kit.fail.apply_async(link_error=kit.old_style.s("more", "again"))
        kit.fence(4)
        observed("old", [entry[1:] for entry in kit.journal.of("old")])
        assert kit.journal.of("old")[0][0] == result.id


def test_immutable_errback(api: Any, kit: Kit, worker: Any) -> None:
    with worker(kit.app, concurrency=1):
        kit.fail.apply_async(link_error=kit.old_style.si("only"))
        kit.fence(4)
    assert kit.journal.of("old") == [["only"]]


@pytest.mark.parametrize("style", ["old", "new"])
def test_errback_that_fails(api: Any, kit: Kit, worker: Any, observed: Any, style: str) -> None:
    @kit.app.task(name="t.bad_new")
    def bad_new(request: Any, exc: Any, traceback: Any) -> None:
        kit.journal.add("bad")
        raise KeyError("errback")

    @kit.app.task(name="t.bad_old", bind=True)
    def bad_old(self: Any, task_id: Any) -> None:
        kit.journal.add("bad")
        raise KeyError("errback")

    with worker(kit.app, concurrency=1):
        result = kit.fail.apply_async(link_error=(bad_new if style == "new" else bad_old).s())
        kit.fence(4)
        observed("result", f"{result.state} {result.result!r}")
    observed("ran", len(kit.journal.of("bad")))


def test_errback_and_its_request(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    @kit.app.task(name="t.errback", bind=True)
    def errback(self: Any, task_id: Any) -> None:
        request = self.request
        kit.journal.add("ids", task_id == request.parent_id, task_id == request.root_id, request.id != task_id)

    with worker(kit.app, concurrency=1):
        kit.fail.apply_async(link_error=errback.s())
        kit.fence(4)
    observed("parent, root, own id", kit.journal.of("ids"))


def test_link_and_its_request(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app, concurrency=1):
        result = kit.who.apply_async(("v",), {"tag": "first"}, link=kit.who.s(tag="second"))
        kit.fence(4)
    second = kit.requests()["second"]
    observed("parent, root", [second["parent_id"] == result.id, second["root_id"] == result.id])


def test_links_run_once_after_a_retry(api: Any, kit: Kit, worker: Any) -> None:
    with worker(kit.app, concurrency=1):
        result = kit.flaky.apply_async(("v",), link=kit.note.s(tag="linked"), link_error=kit.old_style.s())
        until(lambda: kit.journal.of("linked"))
        assert value_of(result) == "v"
        kit.fence(3)
    assert kit.journal.entries == [["linked", "v"]]


def test_errback_runs_once_after_retries(api: Any, kit: Kit, worker: Any) -> None:
    with worker(kit.app, concurrency=1):
        result = kit.giveup.apply_async(link=kit.note.s(tag="linked"), link_error=kit.old_style.s())
        kit.fence(5)
    assert kit.journal.entries == [["old", result.id]]


@pytest.mark.parametrize("ending", ["ignore", "reject", "expired", "revoked"])
def test_links_after_other_endings(api: Any, kit: Kit, worker: Any, observed: Any, ending: str) -> None:
    tasks = {"ignore": kit.ignore, "reject": kit.reject}
    sig = tasks.get(ending, kit.ident).s()
    options = {"expires": -1} if ending == "expired" else {}
    with worker(kit.app, concurrency=1):
        if ending == "revoked":
            revoke_and_wait(kit, [sig.freeze().id])
        result = sig.apply_async(link=kit.note.s(tag="linked"), link_error=kit.old_style.s(), **options)
        kit.fence(4)
        observed("state", result.state)
    observed("ran", [entry[0] for entry in kit.journal.entries])
