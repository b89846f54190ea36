"""Signatures: how they are made, merged, copied, frozen, shown and called.

Compositions have test_canvas_operators.py.
"""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from .canvases import Ids, Kit, options_of, shape
from .waiting import value_of

WAYS = {
    "s": lambda kit: kit.add.s(1, 2),
    "s with keywords": lambda kit: kit.add.s(1, y=2),
    "si": lambda kit: kit.add.si(1, 2),
    "signature": lambda kit: kit.add.signature((1, 2)),
    "signature with options": lambda kit: kit.add.signature((1,), {"y": 2}, countdown=3, queue="q"),
    "signature immutable": lambda kit: kit.add.signature((1, 2), immutable=True),
    "subtask": lambda kit: kit.add.subtask((1, 2)),
    "no arguments": lambda kit: kit.add.s(),
    "by name": lambda kit: kit.app.signature("t.add", args=(1, 2)),
    "by name, unregistered": lambda kit: kit.app.signature("t.nowhere", args=(1,)),
    "keyword options": lambda kit: kit.app.signature("t.add", args=(1,), kwargs={"y": 2}, options={"queue": "q"}),
    "from a signature": lambda kit: kit.app.signature(kit.add.s(1, 2).set(queue="q")),
    "from a dict": lambda kit: kit.app.signature(dict(kit.add.s(1, 2))),
}


@pytest.mark.parametrize("way", WAYS)
def test_making(api: Any, kit: Kit, observed: Any, way: str) -> None:
    made = WAYS[way](kit)
    assert isinstance(made, dict) and isinstance(made, api.Signature)
    observed("dict", dict(made))
    observed("repr", repr(made))
    observed("class", type(made).__name__)


def test_keys_are_attributes(kit: Kit) -> None:
    sig = kit.add.s(1, y=2).set(queue="q")
    assert (sig.task, sig.name, sig.args, sig.kwargs) == ("t.add", "t.add", (1,), {"y": 2})
    assert (sig.options, sig.subtask_type, sig.immutable) == ({"queue": "q"}, None, False)
    sig.args = (5,)
    assert sig["args"] == (5,)
    assert sig.type.name == "t.add"
    assert sig.app is kit.app


def test_module_functions(api: Any, kit: Kit, observed: Any) -> None:
    kit.app.set_current()
    sig = api.signature("t.add", (1, 2))
    assert api.subtask is api.signature
    observed("made", dict(sig))
    assert api.maybe_signature(None) is None
    assert api.maybe_signature(sig) is sig
    assert api.maybe_signature(sig, clone=True) is not sig
    assert isinstance(api.maybe_signature(dict(sig)), api.Signature)
    assert api.maybe_signature(dict(sig), app=kit.app).app is kit.app
    assert api.maybe_signature(5) == 5


MERGES = {
    "args go first": lambda sig: sig.clone((10, 20)),
    "keywords win": lambda sig: sig.clone(kwargs={"y": 9}),
    "options win": lambda sig: sig.clone(queue="other"),
    "all": lambda sig: sig.clone((10,), {"z": 1}, queue="other", priority=3),
    "nothing": lambda sig: sig.clone(),
    "partial is clone": lambda sig: sig.partial((10,)),
}


@pytest.mark.parametrize("immutable", [False, True], ids=["mutable", "immutable"])
@pytest.mark.parametrize("merge", MERGES)
def test_clone_merges(kit: Kit, observed: Any, merge: str, immutable: bool) -> None:
    sig = kit.add.s(1, y=2).set(immutable=immutable, queue="q", countdown=5)
    before = copy.deepcopy(dict(sig))
    observed("merged", dict(MERGES[merge](sig)))
    assert dict(sig) == before


@pytest.mark.parametrize("option", ["group_id", "task_id", "group_index", "chord", "root_id", "countdown"])
def test_options_that_stay(kit: Kit, observed: Any, option: str) -> None:
    sig = kit.add.s(1).set(**{option: "first"})
    observed("set", dict(sig.clone(**{option: "second"}).options))
    observed("not set", dict(kit.add.s(1).clone(**{option: "second"}).options))


def test_clones_share_nothing(kit: Kit) -> None:
    sig = kit.add.s(1, y=2)
    sig.link(kit.mul.s(3))
    twin = sig.clone()
    twin.kwargs["y"] = 5
    twin.link(kit.mul.s(4))
    twin.options["queue"] = "q"
    assert sig.kwargs == {"y": 2}
    assert len(sig.options["link"]) == 1
    assert "queue" not in sig.options


def test_replace(kit: Kit, observed: Any) -> None:
    sig = kit.add.s(1, y=2).set(queue="q")
    observed("args", dict(sig.replace(args=(7,))))
    observed("kwargs", dict(sig.replace(kwargs={"z": 1})))
    observed("options", dict(sig.replace(options={"priority": 1})))
    observed("empty", dict(sig.replace(args=(), kwargs={}, options={})))
    assert dict(sig.replace()) == dict(sig)


def test_set(kit: Kit, observed: Any) -> None:
    sig = kit.add.s(1)
    assert sig.set(countdown=3, queue="q") is sig
    observed("set", dict(sig))
    assert sig.set(immutable=True, priority=2) is sig
    observed("immutable", dict(sig))
    sig.set_immutable(False)
    assert sig.immutable is False


def test_freeze(kit: Kit, observed: Any) -> None:
    sig = kit.add.s(1, 2)
    result = sig.freeze()
    assert result.id == sig.id == sig.options["task_id"]
    assert sig.freeze("other").id == result.id
    observed("keys", sorted(sig.options))
    assert type(result).__name__ == "AsyncResult"


def test_freeze_with_everything(kit: Kit, observed: Any) -> None:
    sig = kit.add.s(1)
    result = sig.freeze("tid", group_id="gid", chord=kit.total.s(), root_id="rid", parent_id="pid", group_index=3)
    assert result.id == "tid"
    observed("options", options_of(sig))
    observed("chord", dict(sig.options["chord"]))
    assert (sig.root_id, sig.parent_id) == ("rid", "pid")
    sig.freeze(group_id="gid2", root_id="rid2", parent_id="pid2", group_index=4)
    observed("again", options_of(sig))


def test_frozen_id_is_used(kit: Kit, worker: Any) -> None:
    sig = kit.add.s(1, 2)
    frozen = sig.freeze()
    with worker(kit.app):
        sent = sig.apply_async()
        assert sent.id == frozen.id
        assert value_of(frozen) == 3


def test_links(kit: Kit, observed: Any) -> None:
    sig, callback, errback = kit.add.s(1, 2), kit.mul.s(2), kit.old_style.s()
    assert sig.link(callback) is callback
    assert sig.link_error(errback) is errback
    assert sig.on_error(errback) is sig
    sig.link(kit.mul.s(2))
    sig.link(kit.mul.s(3))
    observed("shape", shape(sig))


def test_links_given_as_one(kit: Kit, observed: Any) -> None:
    sig = kit.add.signature((1,), link=kit.mul.s(2), link_error=kit.old_style.s())
    sig.link(kit.mul.s(3))
    sig.link_error(kit.new_style.s())
    observed("shape", shape(sig))


def test_list_options(kit: Kit) -> None:
    sig = kit.add.s(1).set(link=kit.mul.s(1))
    assert sig.append_to_list_option("link", kit.mul.s(2)) == kit.mul.s(2)
    sig.extend_list_option("link", [kit.mul.s(3), kit.mul.s(4)])
    assert [one["args"] for one in sig.options["link"]] == [(1,), (2,), (3,), (4,)]


def test_flatten_links(kit: Kit, observed: Any) -> None:
    first, second, third, other = kit.add.s(1, 1), kit.mul.s(2), kit.mul.s(3), kit.mul.s(4)
    first.link(second)
    first.link(other)
    second.link(third)
    observed("flat", [repr(one) for one in first.flatten_links()])
    observed("alone", [repr(one) for one in third.flatten_links()])


REPRS = {
    "task": lambda kit, api: kit.add.s(1, 2),
    "keywords": lambda kit, api: kit.add.s(1, y=2),
    "text": lambda kit, api: kit.add.s("a"),
    "chain": lambda kit, api: kit.add.s(1, 1) | kit.add.s(2),
    "long chain": lambda kit, api: api.chain(kit.add.s(1, 1), kit.mul.s(2), kit.add.s(3)),
    "group": lambda kit, api: api.group(kit.add.s(1, 1), kit.add.s(2, 2)),
    "empty group": lambda kit, api: api.group([]),
    "chord": lambda kit, api: api.chord([kit.add.s(1, 1)], kit.total.s()),
    "chord with a chain": lambda kit, api: api.chord([kit.add.s(1, 1)], kit.total.s() | kit.add.s(1)),
    "chord without a body": lambda kit, api: api.chord([kit.add.s(1, 1)]),
    "map": lambda kit, api: kit.ident.map([1, 2]),
    "starmap": lambda kit, api: kit.add.starmap([(1, 2)]),
    "chunks": lambda kit, api: kit.add.chunks([(1, 2), (3, 4)], 1),
    "group of chains": lambda kit, api: api.group(kit.add.s(1, 1) | kit.add.s(2), kit.add.s(3, 3)),
}


@pytest.mark.parametrize("kind", REPRS)
def test_repr(api: Any, kit: Kit, observed: Any, kind: str) -> None:
    observed("repr", repr(REPRS[kind](kit, api)))


def test_repr_of_an_empty_chain(api: Any) -> None:
    assert repr(api.chain()).startswith("<chain@0x")
    assert repr(api.chain()).endswith(": empty>")


def test_reprcall(kit: Kit, observed: Any) -> None:
    observed("call", kit.add.s(1, y=2).reprcall(9, z=3))
    observed("immutable", kit.add.si(1).reprcall(9))


def test_equality(kit: Kit, observed: Any) -> None:
    assert kit.add.s(1, 2) == kit.add.s(1, 2)
    assert kit.add.s(1, 2) != kit.add.s(2, 1)
    assert kit.add.s(1, 2) == dict(kit.add.s(1, 2))
    observed("after JSON", kit.add.s(1, 2) == json.loads(json.dumps(kit.add.s(1, 2))))


def test_pickle_and_copy(kit: Kit) -> None:
    kit.app.set_current()
    sig = kit.add.s(1, y=2).set(queue="q")
    assert pickle.loads(pickle.dumps(sig)) == sig
    assert copy.copy(sig) == sig
    deep = copy.deepcopy(sig)
    deep["options"]["queue"] = "other"
    assert sig.options["queue"] == "q"


def test_calling_runs_here(kit: Kit) -> None:
    assert kit.add.s(1, 2)() == 3
    assert kit.add.s(2)(1) == 3
    assert kit.add.s(1, y=1)(y=5) == 6
    assert kit.add.si(1, 2)(100) == 3
    assert kit.note.s(5)() == 5
    assert kit.journal.of("note") == [[5]]


def test_apply_runs_here(kit: Kit) -> None:
    result = kit.add.s(2).apply((1,))
    assert (result.get(), type(result).__name__) == (3, "EagerResult")
    assert kit.add.si(1, 1).apply((7,)).get() == 2


@pytest.mark.parametrize("immutable", [False, True], ids=["mutable", "immutable"])
def test_sending(kit: Kit, worker: Any, immutable: bool) -> None:
    sig = kit.pack.s(1, k=1).set(immutable=immutable)
    with worker(kit.app):
        got = [
            value_of(sig.delay()),
            value_of(sig.delay(9, j=2)),
            value_of(sig.apply_async((9,), {"k": 3})),
        ]
        inverted = ~kit.add.s(2, 2)
    if immutable:
        assert got == [[1, {"k": 1}]] * 3
    else:
        assert got == [[1, {"k": 1}], [9, 1, {"j": 2, "k": 1}], [9, 1, {"k": 3}]]
    assert inverted == 4


def test_none_options_are_dropped(kit: Kit, worker: Any) -> None:
    with worker(kit.app):
        sig = kit.look.s(fields=["priority", "shadow"]).set(shadow="other")
        value_of(sig.apply_async(shadow=None))
    assert kit.journal.of("look")[0][0]["shadow"] == "other"


def test_unregistered(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    sig = kit.app.signature("t.nowhere", args=(1,))
    with pytest.raises(api.exceptions.NotRegistered):
        sig.type  # noqa: B018
    with pytest.raises(api.exceptions.NotRegistered):
        sig()
    with worker(kit.app):
        result = sig.delay()
        with pytest.raises(api.exceptions.NotRegistered) as failed:
            value_of(result)
    observed("error", repr(failed.value))
    assert result.state == "FAILURE"


def test_election_needs_workers(kit: Kit) -> None:
    assert callable(kit.add.s(1).election)


def test_signature_from_request(kit: Kit, worker: Any, observed: Any) -> None:
    seen: list[Any] = []

    @kit.app.task(name="t.self", bind=True)
    def me(self: Any, *args: Any, **kwargs: Any) -> None:
        sig = self.signature_from_request()
        seen.append({"task": sig.task, "args": sig.args, "kwargs": sig.kwargs, "queue": sig.options.get("queue")})
        seen.append({"retries": sig.options.get("retries"), "same": sig.options["task_id"] == self.request.id})
        again = self.subtask_from_request(args=(7,), kwargs={"k": 2}, queue="elsewhere", priority=2)
        seen.append({"args": again.args, "kwargs": again.kwargs, "queue": again.options["queue"]})

    with worker(kit.app):
        value_of(me.delay(1, k=1))
    observed("seen", Ids()(seen))


def test_registered_types(api: Any, observed: Any) -> None:
    observed("types", sorted(api.Signature.TYPES))
    observed("classes", {name: kind.__name__ for name, kind in sorted(api.Signature.TYPES.items())})


def test_register_a_type(api: Any, kit: Kit) -> None:
    @api.Signature.register_type(name="mine")
    class Mine(api.Signature):
        @classmethod
        def from_dict(cls, d: Any, app: Any = None) -> Any:
            return cls(d, app=app)

    try:
        assert isinstance(api.signature({**kit.add.s(1), "subtask_type": "mine"}), Mine)
    finally:
        del api.Signature.TYPES["mine"]
