"""Every way in which a task can end, at every place of a canvas: what ran, and how each task of the canvas ended.

One thread, and a canvas is looked at when everything that it sent has been done: on the oracle some never end.
Errbacks have test_canvas_links.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .canvases import Kit, revoke_and_wait, unordered
from .waiting import until


class ChordError(Exception):
    """Stands for Celery's: its repr counts."""


class Named(Exception):
    """An error whose repr is its text."""

    def __repr__(self) -> str:
        return str(self.args[0])


ENDINGS: dict[str, Callable[[Kit], Any]] = {
    "success": lambda k: k.ident.s(),
    "failure": lambda k: k.fail.s(),
    "retry then success": lambda k: k.flaky.s(),
    "retries exhausted": lambda k: k.giveup.s(),
    "ignore": lambda k: k.ignore.s(),
    "reject": lambda k: k.reject.s(),
    "not registered": lambda k: k.app.signature("t.nowhere"),
    "expired": lambda k: k.ident.s().set(expires=-1),
    "result ignored": lambda k: k.silent.s(),
    "failure, result ignored": lambda k: k.fail.s().set(ignore_result=True),
    "wrong arguments": lambda k: k.app.signature("t.nop"),
    "replaced by a task": lambda k: k.swap.s(other=k.pack.si("replaced")),
    "replaced by a failure": lambda k: k.swap.s(other=k.fail.si()),
}

# x is the task that ends in a special way; the others take notes.
PLACES: dict[str, tuple[str, Callable[[Any, Callable[[str], Any]], Any]]] = {
    "first of a chain": ("xab", lambda c, n: c.chain(n("x"), n("a"), n("b"))),
    "middle of a chain": ("axb", lambda c, n: c.chain(n("a"), n("x"), n("b"))),
    "last of a chain": ("ax", lambda c, n: c.chain(n("a"), n("x"))),
    "before a group": ("xab", lambda c, n: c.chain(n("x"), c.group(n("a"), n("b")))),
    "before a group and a task": ("xabc", lambda c, n: c.chain(n("x"), c.group(n("a"), n("b")), n("c"))),
    "in a group": ("axb", lambda c, n: c.group(n("a"), n("x"), n("b"))),
    "in a group after a task": ("axb", lambda c, n: c.chain(n("a"), c.group(n("x"), n("b")))),
    "in a header": ("axbc", lambda c, n: c.chord([n("a"), n("x"), n("b")], n("c"))),
    "in a header, tasks after the body": ("axbc", lambda c, n: c.chain(c.group(n("a"), n("x")), n("b"), n("c"))),
    "in a header, group body": ("axbc", lambda c, n: c.chord([n("a"), n("x")], c.group(n("b"), n("c")))),
    "in a header, chord body": ("axbcd", lambda c, n: c.chord([n("a"), n("x")], c.chord([n("b"), n("c")], n("d")))),
    "body": ("axb", lambda c, n: c.chain(c.chord([n("a")], n("x")), n("b"))),
    "start of a chain in a header": ("xabc", lambda c, n: c.chord([n("x") | n("a"), n("b")], n("c"))),
    "end of a chain in a header": ("axbc", lambda c, n: c.chord([n("a") | n("x"), n("b")], n("c"))),
    "in a header of a header": ("xabcd", lambda c, n: c.chord([c.chord([n("x"), n("a")], n("b")), n("c")], n("d"))),
    "body in a header": ("axbc", lambda c, n: c.chord([c.chord([n("a")], n("x")), n("b")], n("c"))),
    "in a header after a task": ("axbc", lambda c, n: c.chain(n("a"), c.group(n("x"), n("b")), n("c"))),
}


# Where the oracle leaves a task PENDING and the shim ends it: with the error itself, or with that of a chord, which
# names the task (and the inner chord's failed body, if there are two).
ENDS: dict[str, dict[str, tuple[str, ...]]] = {
    "first of a chain": {"a": (), "b": ()},
    "middle of a chain": {"b": ()},
    "before a group": {"a": (), "b": ()},
    "before a group and a task": {"a": (), "b": (), "c": ()},
    "in a header": {"c": ("x",)},
    "in a header, tasks after the body": {"b": ("x",), "c": ("x",)},
    "in a header, group body": {"b": (), "c": ()},
    "in a header, chord body": {"b": ("x",), "c": ("x",), "d": ("x",)},
    "body": {"b": ()},
    "start of a chain in a header": {"a": (), "c": ("a",)},
    "end of a chain in a header": {"c": ("x",)},
    "in a header of a header": {"b": ("x",), "d": ("x", "b")},
    "body in a header": {"c": ("x",)},
    "in a header after a task": {"c": ("x",)},
}
ERRORS = {
    "failure": ValueError("boom"),
    "failure, result ignored": ValueError("boom"),
    "replaced by a failure": ValueError("boom"),
    "retries exhausted": KeyError("gave up"),
    "reject": Named("reject requeue=False: no"),
    "not registered": Named("Task of kind 't.nowhere' never registered, please make sure it's imported."),
    "ignore": Named("Ignore()"),
    "expired": Named("TaskRevokedError('expired')"),
    "revoked": Named("TaskRevokedError('revoked')"),
}
#: Endings after which the later steps of a chain keep their states: nothing is stored for them by Celery either.
QUIET = ("failure, result ignored", "ignore", "expired", "revoked")


WRONG = TypeError("nop() takes 0 positional arguments but 1 was given")
WRONG_ARGUMENTS: dict[str, dict[str, Exception]] = {
    "in a group after a task": {"x": WRONG, "b": WRONG},
    "in a header after a task": {"x": WRONG, "b": WRONG},
    "body in a header": {"c": ChordError(f"Dependency x-# raised {ChordError(f'Callback error: {WRONG!r}')!r}")},
}


def ended(place: str, ending: str, states: dict[str, Any]) -> dict[str, Any]:
    """Return the states of the oracle with those tasks ended that the shim ends."""
    found = dict(states)
    if ending == "wrong arguments":
        return {**found, **{tag: f"FAILURE {error!r}" for tag, error in WRONG_ARGUMENTS.get(place, {}).items()}}
    behind_a_barrier = place == "in a header, group body"
    for tag, through in ENDS.get(place, {}).items():
        if states[tag] != ["PENDING", None] or ending not in ERRORS:
            continue
        if not through and ending in QUIET and not behind_a_barrier:
            continue
        error: Exception = ERRORS[ending]
        for name in through:
            error = ChordError(f"Dependency {name}-# raised {error!r}")
        found[tag] = f"FAILURE {error!r}"
    return found


def observe_states(observed: Any, place: str, ending: str, states: dict[str, Any]) -> None:
    """Compare states with the record, and with what the shim makes of it where it ends more than the oracle."""
    recorded = (observed.recorded or {}).get("states")
    expected = recorded and ended(place, ending, recorded)
    if expected == recorded:
        observed("states", states)
    else:
        observed("states", states, shim=expected, row="celery-canvas-ends")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("place", PLACES)
def test_ending(api: Any, redis_kit: Kit, worker: Any, observed: Any, place: str, ending: str) -> None:
    kit = redis_kit
    tags, build = PLACES[place]

    def task(tag: str) -> Any:
        return kit.named(ENDINGS[ending](kit) if tag == "x" else kit.note.s(tag, tag=tag), tag)

    with worker(kit.app, concurrency=1):
        build(api, task).apply_async()
        kit.fence(8)
        observe_states(observed, place, ending, kit.states(*tags))
        observed("ran", unordered(kit.journal.entries))


@pytest.mark.parametrize("place", PLACES)
def test_revoked_before_it_is_sent(api: Any, redis_kit: Kit, worker: Any, observed: Any, place: str) -> None:
    kit = redis_kit
    tags, build = PLACES[place]
    with worker(kit.app, concurrency=1):
        revoke_and_wait(kit, [f"x-{kit.unique}"])
        build(api, lambda tag: kit.named(kit.note.s(tag, tag=tag), tag)).apply_async()
        kit.fence(8)
        observe_states(observed, place, "revoked", kit.states(*tags))
        observed("ran", unordered(kit.journal.entries))


def test_two_failures_in_a_header(api: Any, redis_kit: Kit, worker: Any, observed: Any) -> None:
    kit = redis_kit
    with worker(kit.app, concurrency=1):
        header = [kit.named(kit.fail.s(), "x"), kit.named(kit.giveup.s(), "y"), kit.named(kit.note.s(), "a")]
        made = api.chord(header, kit.named(kit.note.s(), "b"))
        made.body.link_error(kit.old_style.s())
        made.apply_async()
        kit.fence(8)
        observed("states", kit.states("x", "y", "a", "b"))
        observed("errback ran", len(kit.journal.of("old")))


@pytest.mark.parametrize("follow", [True, False], ids=["parents", "no parents"])
def test_get_of_a_failed_chord(api: Any, redis_kit: Kit, worker: Any, observed: Any, follow: bool) -> None:
    kit = redis_kit
    with worker(kit.app, concurrency=1):
        result = api.chord([kit.fail.s(), kit.note.s()], kit.total.s()).apply_async()
        until(result.ready)
        kit.fence()
        with pytest.raises(Exception) as failed:
            result.get(timeout=10, follow_parents=follow)
    observed("class", type(failed.value).__name__)
    if not follow:
        assert isinstance(failed.value, api.exceptions.ChordError)
        text = str(failed.value)
        assert text.startswith("Dependency ") and text.endswith(" raised ValueError('boom')")
        assert result.parent[0].id in text


@pytest.mark.parametrize("step", [0, 1, 2])
def test_get_of_a_failed_chain(api: Any, kit: Kit, worker: Any, observed: Any, step: int) -> None:
    tasks = [kit.fail.s() if index == step else kit.pack.s(index) for index in range(3)]
    with worker(kit.app, concurrency=1):
        result = api.chain(*tasks).apply_async()
        for options in ({}, {"follow_parents": False}):
            with pytest.raises(ValueError, match="boom"):
                result.get(timeout=10, interval=0.005, **options)
        value = result.get(timeout=10, propagate=False)
        assert isinstance(value, ValueError)
        kit.fence()
        states = []
        while result is not None:
            states.append(result.state)
            result = result.parent
    observed("states, last first", states)


def test_get_of_a_failed_group(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app, concurrency=1):
        result = api.group(kit.pack.s(1), kit.fail.s(), kit.pack.s(2)).apply_async()
        until(result.ready)
        with pytest.raises(ValueError, match="boom"):
            result.get(timeout=10, interval=0.005)
        observed("not propagated", [repr(value) for value in result.get(timeout=10, propagate=False)])
        assert (result.successful(), result.failed(), result.completed_count()) == (False, True, 2)


def test_the_traceback_is_the_failed_step_s(api: Any, kit: Kit, worker: Any) -> None:
    with worker(kit.app, concurrency=1):
        result = api.chain(kit.fail.s(), kit.pack.s(1)).apply_async()
        until(result.ready)
        kit.fence()
        assert "ValueError" in (result.parent.traceback or "")


def test_chord_without_a_backend(api: Any, make_app: Any, observed: Any) -> None:
    app = make_app(result_backend="disabled://")
    kit = Kit(app)
    with pytest.raises(NotImplementedError) as refused:
        api.chord([kit.pack.s(1)], kit.pack.s()).apply_async()
    observed("text", " ".join(str(refused.value).split()))
    with pytest.raises(NotImplementedError):
        (api.group(kit.pack.s(1), kit.pack.s(2)) | kit.pack.s()).apply_async()
    api.chain(kit.pack.s(1), kit.pack.s(2)).apply_async()
    api.group(kit.pack.s(1), kit.pack.s(2)).apply_async()


def test_chord_error_is_stored(api: Any, redis_kit: Kit, worker: Any, observed: Any) -> None:
    kit = redis_kit
    with worker(kit.app, concurrency=1):
        result = api.chord([kit.fail.s()], kit.total.s()).apply_async()
        until(result.ready)
        meta = kit.app.backend.get_task_meta(result.id)
        assert isinstance(meta["result"], api.exceptions.ChordError)
        assert meta["status"] == "FAILURE"
        observed("has a traceback", bool(meta["traceback"]))


@pytest.mark.parametrize("kind", ["group", "chain", "chord", "chain to a group"])
def test_revoking_the_result(api: Any, redis_kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    kit = redis_kit

    def note(tag: str) -> Any:
        return kit.named(kit.note.s(tag, tag=tag), tag)

    made = {
        "group": lambda: api.group(note("a"), note("b")),
        "chain": lambda: api.chain(note("a"), note("b")),
        "chord": lambda: api.chord([note("a")], note("b")),
        "chain to a group": lambda: api.chain(note("a"), api.group(note("b"), note("c"))),
    }[kind]()
    result = made.freeze()
    with worker(kit.app, concurrency=1):
        revoke_and_wait(kit, [member.id for member in getattr(result, "results", [result])])
        made.apply_async()
        kit.fence(6)
        observed("states", kit.states(*("abc" if kind == "chain to a group" else "ab")))
    observed("ran", unordered(kit.journal.entries))
