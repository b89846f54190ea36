"""Compositions as JSON, and back: each kind keeps its meaning, as when it travels through a broker or a database."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from .canvases import Ids, Kit, settled, shape

KINDS: dict[str, Any] = {
    "task": lambda c, k: k.pack.s(1, k=2),
    "options": lambda c, k: k.pack.s(1).set(queue="celery", countdown=0, expires=60),
    "immutable": lambda c, k: k.pack.si(1),
    "links": lambda c, k: _linked(k),
    "chain": lambda c, k: c.chain(k.pack.s(1), k.pack.s(2)),
    "chain with options": lambda c, k: c.chain(k.pack.s(1), k.pack.s(2), queue="celery"),
    "chain to a group": lambda c, k: c.chain(k.pack.s(1), c.group(k.pack.s(2), k.pack.s(3))),
    "group": lambda c, k: c.group(k.pack.s(1), k.pack.s(2)),
    "group from a generator": lambda c, k: c.group(k.pack.s(n) for n in (1, 2)),
    "empty group": lambda c, k: c.group([]),
    "empty chain": lambda c, k: c.chain(),
    "group of groups": lambda c, k: c.group(c.group(k.pack.s(1), k.pack.s(2)), k.pack.s(3)),
    "chord": lambda c, k: c.chord([k.pack.s(1), k.pack.s(2)], k.pack.s(3)),
    "chord of a group": lambda c, k: c.chord(c.group(k.pack.s(1), k.pack.s(2)), k.pack.s(3)),
    "chord to a chain": lambda c, k: c.chord([k.pack.s(1)], k.pack.s(2) | k.pack.s(3)),
    "chord to a group": lambda c, k: c.chord([k.pack.s(1)], c.group(k.pack.s(2), k.pack.s(3))),
    "chord in a chord": lambda c, k: c.chord([c.chord([k.pack.s(1)], k.pack.s(2)), k.pack.s(3)], k.pack.s(4)),
    "group or task": lambda c, k: c.group(k.pack.s(1), k.pack.s(2)) | k.pack.s(3),
    "map": lambda c, k: k.pack.map([1, 2]),
    "starmap": lambda c, k: k.pack.starmap([(1, 2), (3, 4)]),
    "chunks": lambda c, k: k.pack.chunks([(1,), (2,), (3,)], 2),
    "everything": lambda c, k: c.chain(
        k.pack.s(1),
        c.group(k.pack.s(2) | k.pack.s(3), c.chord([k.pack.s(4), k.pack.s(5)], k.pack.s(6))),
        k.pack.s(7),
        c.group(k.pack.s(8), k.pack.map([9])),
    ),
}


def _linked(kit: Kit) -> Any:
    sig = kit.pack.s(1)
    sig.link(kit.note.s(tag="linked"))
    sig.link_error(kit.old_style.s())
    return sig


@pytest.fixture(autouse=True)
def current(kit: Kit) -> None:
    """Signatures made from dicts belong to the current application."""
    kit.app.set_current()


@pytest.mark.parametrize("kind", KINDS)
def test_json_form(api: Any, kit: Kit, observed: Any, kind: str) -> None:
    observed("json", json.loads(json.dumps(KINDS[kind](api, kit))))


@pytest.mark.parametrize("frozen", [False, True], ids=["fresh", "frozen"])
@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(api: Any, kit: Kit, worker: Any, observed: Any, kind: str, frozen: bool) -> None:
    made = KINDS[kind](api, kit)
    if frozen and kind not in ("empty chain", "map", "starmap", "chunks"):
        made.freeze()
    before = shape(json.loads(json.dumps(made)))
    back = api.Signature.from_dict(json.loads(json.dumps(made)), app=kit.app)
    observed("class", [type(made).__name__, type(back).__name__])
    assert shape(back) == before
    again = api.Signature.from_dict(json.loads(json.dumps(back)), app=kit.app)
    assert shape(again) == before
    with worker(kit.app):
        result = back.apply_async()
        came_out = None if result is None else settled(result)
        if frozen and kind == "group of groups":
            in_order = [["SUCCESS", [1]], ["SUCCESS", [2]], ["SUCCESS", [3]]]
            observed("came out", came_out, shim=in_order, row="celery-nested-groups-in-order")
        else:
            observed("came out", came_out)


@pytest.mark.parametrize("kind", KINDS)
def test_pickle_round_trip(api: Any, kit: Kit, observed: Any, kind: str) -> None:
    made = KINDS[kind](api, kit)
    back = pickle.loads(pickle.dumps(made))
    observed("class", [type(made).__name__, type(back).__name__])
    assert shape(back) == shape(made)


@pytest.mark.parametrize("kind", ["chain", "group", "chord"])
def test_dicts_inside(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    made = KINDS[kind](api, kit)
    plain = json.loads(json.dumps(made))
    half = api.Signature.from_dict({**plain, "kwargs": {**plain["kwargs"]}}, app=kit.app)
    assert shape(half) == shape(made)
    with worker(kit.app):
        observed("came out", settled(half.delay()))


def test_signature_as_an_argument(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    @kit.app.task(name="t.given")
    def given(sig: Any) -> Any:
        made = api.maybe_signature(sig, app=kit.app)
        kit.journal.add("given", type(sig).__name__, type(made).__name__, shape(made))

    with worker(kit.app):
        for kind in ("task", "chain", "group", "chord"):
            settled(given.delay(KINDS[kind](api, kit)))
    observed("given", kit.journal.of("given"))


def test_frozen_ids_travel(api: Any, kit: Kit, worker: Any) -> None:
    made = api.chain(kit.pack.s(1), kit.pack.s(2))
    result = made.freeze()
    back = api.Signature.from_dict(json.loads(json.dumps(made)), app=kit.app)
    with worker(kit.app):
        sent = back.apply_async()
        assert sent.id == result.id
        assert settled(result) == ["SUCCESS", [[1], 2]]


@pytest.mark.parametrize("kind", ["chain", "group", "chord"])
def test_json_of_a_frozen_one(api: Any, kit: Kit, observed: Any, kind: str) -> None:
    made = KINDS[kind](api, kit)
    made.freeze()
    text = json.dumps(made).replace(kit.app.thread_oid, "the thread")
    observed("json", Ids()(json.loads(text)))
