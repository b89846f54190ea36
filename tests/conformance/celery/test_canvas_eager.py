"""Canvases in eager mode, and `apply()` of each kind: run in the call, with live results."""

from __future__ import annotations

from typing import Any

import pytest

from .canvases import Kit, without_ids

KINDS: dict[str, Any] = {
    "chain": lambda c, k: c.chain(k.pack.s(1), k.pack.s(2)),
    "chain of one": lambda c, k: c.chain(k.pack.s(1), queue="celery"),
    "empty chain": lambda c, k: c.chain(),
    "chain to a group": lambda c, k: c.chain(k.pack.s(1), c.group(k.pack.s(2), k.pack.s(3))),
    "chain with a chord": lambda c, k: c.chain(k.pack.s(1), c.group(k.pack.s(2), k.pack.s(3)), k.pack.s(4)),
    "chain with an empty group": lambda c, k: c.chain(k.pack.s(1), c.group([]), k.pack.s(2)),
    "group": lambda c, k: c.group(k.pack.s(1), k.pack.s(2)),
    "group of one": lambda c, k: c.group(k.pack.s(1)),
    "empty group": lambda c, k: c.group([]),
    "group of groups": lambda c, k: c.group(c.group(k.pack.s(1), k.pack.s(2)), k.pack.s(3)),
    "group of chains": lambda c, k: c.group(k.pack.s(1) | k.pack.s(2), k.pack.s(3)),
    "chord": lambda c, k: c.chord([k.pack.s(1), k.pack.s(2)], k.pack.s(3)),
    "empty chord": lambda c, k: c.chord([], k.pack.s(3)),
    "chord to a group": lambda c, k: c.chord([k.pack.s(1)], c.group(k.pack.s(2), k.pack.s(3))),
    "chord to a chain": lambda c, k: c.chord([k.pack.s(1)], k.pack.s(2) | k.pack.s(3)),
    "chord in a chord": lambda c, k: c.chord([c.chord([k.pack.s(1)], k.pack.s(2)), k.pack.s(3)], k.pack.s(4)),
    "map": lambda c, k: k.ident.map([1, 2]),
    "starmap": lambda c, k: k.add.starmap([(1, 2)]),
    "chunks": lambda c, k: k.add.chunks([(1, 2), (3, 4)], 1),
    "immutable": lambda c, k: c.chain(k.pack.s(1), k.pack.si(2)),
}


@pytest.fixture
def eager(make_app: Any) -> Kit:
    """Tasks on an application that runs each task in the call."""
    return Kit(make_app(task_always_eager=True))


def came_out(result: Any) -> Any:
    """Return class, state and value of an eager result, or of the members of a group."""
    if result is None:
        return None
    if hasattr(result, "results"):
        return [type(result).__name__, [came_out(member) for member in result.results]]
    return [type(result).__name__, result.state, without_ids(repr(result.result))]


def attempt(observed: Any, label: str, call: Any) -> None:
    """Observe what a call gives or raises."""
    try:
        result = call()
    except Exception as refused:
        observed(label, f"{type(refused).__name__}: {without_ids(str(refused))}")
    else:
        observed(label, came_out(result) if hasattr(result, "ready") or result is None else repr(result))


@pytest.mark.parametrize("kind", KINDS)
def test_apply_async(api: Any, eager: Kit, observed: Any, kind: str) -> None:
    attempt(observed, "came out", lambda: KINDS[kind](api, eager).apply_async())
    attempt(observed, "with an argument", lambda: KINDS[kind](api, eager).apply_async(("x",)))
    attempt(observed, "delay", lambda: KINDS[kind](api, eager).delay())


@pytest.mark.parametrize("kind", KINDS)
def test_apply(api: Any, kit: Kit, observed: Any, kind: str) -> None:
    attempt(observed, "came out", lambda: KINDS[kind](api, kit).apply())
    attempt(observed, "with an argument", lambda: KINDS[kind](api, kit).apply(("x",)))


@pytest.mark.parametrize("propagates", [False, True], ids=["kept", "propagated"])
@pytest.mark.parametrize("place", ["chain", "group", "header", "body", "chain to a group"])
def test_failure(api: Any, make_app: Any, observed: Any, place: str, propagates: bool) -> None:
    kit = Kit(make_app(task_always_eager=True, task_eager_propagates=propagates))
    made = {
        "chain": lambda: api.chain(kit.note.s(1), kit.fail.s(), kit.note.s(2)),
        "group": lambda: api.group(kit.note.s(1), kit.fail.s(), kit.note.s(2)),
        "header": lambda: api.chord([kit.note.s(1), kit.fail.s(), kit.note.s(2)], kit.note.s(tag="body")),
        "body": lambda: api.chord([kit.note.s(1)], kit.fail.s()),
        "chain to a group": lambda: api.chain(kit.fail.s(), api.group(kit.note.s(1), kit.note.s(2))),
    }[place]()
    attempt(observed, "came out", made.apply_async)
    observed("ran", kit.journal.entries)


@pytest.mark.parametrize("ending", ["ignore", "reject", "flaky", "giveup", "silent"])
@pytest.mark.parametrize("place", ["chain", "group", "header"])
def test_other_endings(api: Any, eager: Kit, observed: Any, place: str, ending: str) -> None:
    kit = eager
    x = getattr(kit, ending).s()
    made = {
        "chain": lambda: api.chain(kit.note.s(1), x, kit.note.s(2)),
        "group": lambda: api.group(kit.note.s(1), x, kit.note.s(2)),
        "header": lambda: api.chord([kit.note.s(1), x], kit.note.s(tag="body")),
    }[place]()
    attempt(observed, "came out", made.apply_async)
    observed("ran", kit.journal.entries)


@pytest.mark.parametrize("kind", ["task", "chain", "group", "chord", "chord to a group"])
def test_links(api: Any, eager: Kit, observed: Any, recwarn: Any, kind: str) -> None:
    kit = eager
    made = kit.pack.s(1) if kind == "task" else KINDS[kind](api, kit)
    made.link(kit.note.s(tag="linked"))
    made.link_error(kit.old_style.s())
    attempt(observed, "came out", made.apply_async)
    observed("noted", kit.journal.entries)


@pytest.mark.parametrize("kind", ["task", "chain", "group", "header", "body"])
def test_errbacks(api: Any, eager: Kit, observed: Any, recwarn: Any, kind: str) -> None:
    kit = eager
    made = {
        "task": lambda: kit.fail.s(),
        "chain": lambda: api.chain(kit.pack.s(1), kit.fail.s()),
        "group": lambda: api.group(kit.fail.s(), kit.pack.s(1)),
        "header": lambda: api.chord([kit.fail.s()], kit.pack.s()),
        "body": lambda: api.chord([kit.pack.s(1)], kit.fail.s()),
    }[kind]()
    made.link(kit.note.s(tag="linked"))
    made.link_error(kit.new_style.s())
    attempt(observed, "came out", made.apply_async)
    observed("noted", [[entry[0], *entry[2:]] for entry in kit.journal.entries])


def test_parents(api: Any, eager: Kit, observed: Any) -> None:
    result = api.chain(eager.pack.s(1), eager.pack.s(2), eager.pack.s(3)).apply_async()
    values = []
    while result is not None:
        values.append(result.get())
        result = result.parent
    observed("last first", values)


@pytest.mark.parametrize("kind", ["chain", "group", "chord", "chord in a chord"])
def test_ids(api: Any, eager: Kit, observed: Any, kind: str) -> None:
    kit = eager
    made = {
        "chain": lambda: api.chain(kit.who.s(tag="a"), kit.who.s(tag="b")),
        "group": lambda: api.group(kit.who.s(tag="a"), kit.who.s(tag="b")),
        "chord": lambda: api.chord([kit.who.s(tag="a"), kit.who.s(tag="b")], kit.who.s(tag="c")),
        "chord in a chord": lambda: api.chord(
            [api.chord([kit.who.s(tag="a")], kit.who.s(tag="b"))], kit.who.s(tag="c")
        ),
    }[kind]()
    made.apply_async()
    seen = kit.requests()
    tags = {entry["id"]: tag for tag, entry in seen.items()}
    observed(
        "requests",
        {
            tag: [tags.get(entry["root_id"]), tags.get(entry["parent_id"]), bool(entry["group"]), entry["group_index"]]
            for tag, entry in sorted(seen.items())
        },
    )


def test_a_canvas_in_a_task(api: Any, eager: Kit, observed: Any) -> None:
    @eager.app.task(name="t.outer")
    def outer() -> Any:
        result = api.chain(eager.pack.s(1), eager.pack.s(2)).apply_async()
        try:
            return result.get()
        except RuntimeError as refused:
            return type(refused).__name__

    attempt(observed, "delay", outer.delay)
    attempt(observed, "apply", outer.apply)


def test_arguments_are_not_serialised_between_steps(api: Any, kit: Kit, observed: Any) -> None:
    result = api.chain(kit.ident.s((1, {2: 3})), kit.ident.s()).apply()
    observed("value", repr(result.get()))
