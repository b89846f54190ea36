"""Ids of canvases: what each task's request says, what is known before anything runs, and the tree of the results."""

from __future__ import annotations

from typing import Any

import pytest

from .canvases import Ids, Kit, names_of, settled, unordered, walked
from .waiting import until, value_of

SHAPES: dict[str, Any] = {
    "task": lambda c, w: w("a"),
    "chain": lambda c, w: c.chain(w("a"), w("b"), w("c")),
    "group": lambda c, w: c.group(w("a"), w("b")),
    "group of chains": lambda c, w: c.group(w("a") | w("b"), w("c") | w("d")),
    "group in a group": lambda c, w: c.group(w("a"), c.group(w("b"), w("c"))),
    "chord": lambda c, w: c.chord([w("a"), w("b")], w("c")),
    "chord to a chain": lambda c, w: c.chord([w("a"), w("b")], w("c") | w("d")),
    "chord to a group": lambda c, w: c.chord([w("a"), w("b")], c.group(w("c"), w("d"))),
    "chain to a group": lambda c, w: c.chain(w("a"), c.group(w("b"), w("c"))),
    "chain with a chord": lambda c, w: c.chain(w("a"), c.group(w("b"), w("c")), w("d")),
    "chain over a chord": lambda c, w: c.chain(w("a"), c.group(w("b"), w("c")), w("d"), w("e")),
    "chord in a chord": lambda c, w: c.chord([c.chord([w("a"), w("b")], w("c")), w("d")], w("e")),
    "chain in a chord": lambda c, w: c.chord([w("a") | w("b"), w("c")], w("d")),
    "chord in a group": lambda c, w: c.group(c.chord([w("a"), w("b")], w("c")), w("d")),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_requests(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    made = SHAPES[kind](api, lambda tag: kit.who.s(tag=tag))
    with worker(kit.app, concurrency=1):
        result = made.apply_async()
        settled(result)
        kit.fence()
    seen = kit.requests()
    tags = {entry["id"]: tag for tag, entry in seen.items()}
    groups: dict[str, str] = {}

    def named(value: Any) -> Any:
        return tags.get(value) or groups.setdefault(value, f"group {len(groups) + 1}") if value else value

    table = {
        tag: {
            "root": named(entry["root_id"]),
            "parent": named(entry["parent_id"]),
            "group": named(entry["group"]),
            "index": entry["group_index"],
        }
        for tag, entry in sorted(seen.items())
    }
    observed("requests", table)
    observed("result", tags.get(result.id, "a group"))


@pytest.mark.parametrize("kind", SHAPES)
def test_children(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    made = SHAPES[kind](api, lambda tag: kit.who.s(tag=tag))
    with worker(kit.app, concurrency=1):
        settled(made.apply_async())
        kit.fence()
    tags = {entry["id"]: tag for tag, entry in kit.requests().items()}

    def named(result: Any) -> Any:
        if hasattr(result, "results"):
            return [named(member) for member in result.results]
        return tags.get(result.id, "unknown")

    observed(
        "children",
        {
            tag: unordered(named(child) for child in kit.app.AsyncResult(task_id).children or [])
            for task_id, tag in sorted(tags.items(), key=lambda item: item[1])
        },
    )


def known(result: Any, tags: dict[str, str]) -> Any:
    """Return a result as tag, members and parent."""
    if result is None:
        return None
    parent = known(result.parent, tags)
    if hasattr(result, "results"):
        return {"group": [known(member, tags) for member in result.results], "parent": parent}
    return {"task": tags.get(result.id, "unknown"), "parent": parent}


@pytest.mark.parametrize("kind", SHAPES)
def test_tree(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    made = SHAPES[kind](api, lambda tag: kit.who.s(tag=tag))
    with worker(kit.app, concurrency=1):
        result = made.apply_async()
        settled(result)
        kit.fence()
    tags = {entry["id"]: tag for tag, entry in kit.requests().items()}
    observed("tree", known(result, tags))
    observed("states", walked(result))


@pytest.mark.parametrize("kind", SHAPES)
def test_frozen_tree_is_the_one_that_runs(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    made = SHAPES[kind](api, lambda tag: kit.who.s(tag=tag))
    frozen = made.freeze()
    with worker(kit.app, concurrency=1):
        settled(made.apply_async())
        kit.fence()
        tags = {entry["id"]: tag for tag, entry in kit.requests().items()}
        tree = known(frozen, tags)
        if kind == "group in a group":
            in_order = {"group": [{"task": tag, "parent": None} for tag in "abc"], "parent": None}
            observed("frozen", tree, shim=in_order, row="celery-nested-groups-in-order")
        else:
            observed("frozen", tree)


def test_root_of_a_task_sent_by_a_task(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    @kit.app.task(name="t.outer", bind=True)
    def outer(self: Any) -> None:
        kit.journal.add("outer", {"id": self.request.id})
        api.chain(kit.who.s(tag="a"), kit.who.s(tag="b")).apply_async()
        api.group(kit.who.s(tag="c"), kit.who.s(tag="d")).apply_async()
        api.chord([kit.who.s(tag="e")], kit.who.s(tag="f")).apply_async()

    with worker(kit.app, concurrency=1):
        result = outer.delay()
        value_of(result)
        until(lambda: len(kit.requests()) == 7)
        kit.fence()
        seen = kit.requests()
        tags = {entry["id"]: tag for tag, entry in seen.items()}
        observed(
            "requests",
            {
                tag: [tags.get(entry.get("root_id")), tags.get(entry.get("parent_id"))]
                for tag, entry in sorted(seen.items())
            },
        )
        children = [known(child, tags) for child in result.children]
        observed("children", children)


def test_ids_of_a_chain_are_known_at_once(api: Any, kit: Kit) -> None:
    result = api.chain(kit.pack.s(1), kit.pack.s(2), kit.pack.s(3)).apply_async()
    ids = [result.id, result.parent.id, result.parent.parent.id]
    assert len(set(ids)) == 3
    assert result.parent.parent.parent is None


@pytest.mark.parametrize("kind", ["task", "chain", "group", "chord", "chord to a group"])
def test_task_id_given(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    made = SHAPES[kind](api, lambda tag: kit.who.s(tag=tag))
    with worker(kit.app, concurrency=1):
        result = made.apply_async(task_id="my-own")
        settled(result)
        kit.fence()
    observed("is it the result's", result.id == "my-own")
    observed("whose", sorted(tag for tag, entry in kit.requests().items() if entry["id"] == "my-own"))
    observed("group", sorted(tag for tag, entry in kit.requests().items() if entry["group"] == "my-own"))


def test_task_ids_set_on_the_members(api: Any, kit: Kit, worker: Any) -> None:
    made = api.chord(
        [kit.pack.s(1).set(task_id="one"), kit.pack.s(2).set(task_id="two")], kit.pack.s().set(task_id="b")
    )
    with worker(kit.app):
        result = made.apply_async()
        settled(result)
        assert value_of(kit.app.AsyncResult("one")) == [1]
        assert sorted(names_of(result.parent.results)) == ["one", "two"]


@pytest.mark.parametrize("kind", ["chain", "group", "chord", "chain with a chord"])
def test_canvas_twice(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    made = SHAPES[kind](api, lambda tag: kit.pack.s(tag))
    with worker(kit.app):
        first, second = made.apply_async(), made.apply_async()
        observed("first", settled(first))
        observed("second", settled(second))
    observed("same id", first.id == second.id)


def test_as_tuple(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app):
        for kind in ("chain", "group", "chord", "chain with a chord"):
            result = SHAPES[kind](api, lambda tag: kit.pack.s(tag)).apply_async()
            settled(result)
            tree = result.as_tuple()
            observed(kind, Ids()(tree))
            back = api.result.result_from_tuple(tree, app=kit.app)
            assert back == result
            assert type(back) is type(result)
            assert settled(back) == settled(result)


def test_as_list(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app):
        result = api.chain(kit.pack.s(1), kit.pack.s(2), kit.pack.s(3)).apply_async()
        settled(result)
        assert result.as_list() == [result.id, result.parent.id, result.parent.parent.id]


def test_collect(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app, concurrency=1):
        result = api.chain(kit.pack.s(1), kit.pack.s(2)).apply_async()
        settled(result)
        kit.fence()
        first = result.parent
        observed("from the first", [value for _, value in first.collect(interval=0.005)])
        observed("from the last", [value for _, value in result.collect(interval=0.005)])
        observed("leaf", first.get_leaf())
        assert first.graph.edges() and [one.id for one in first.graph.topsort()] == [result.id, first.id]


def test_collect_over_a_group(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app, concurrency=1):
        result = api.chain(kit.pack.s(1), api.group(kit.pack.s(2), kit.pack.s(3))).apply_async()
        settled(result)
        kit.fence()
        observed("from the first", [value for _, value in result.parent.collect(interval=0.005)])


def test_collect_before_the_end(api: Any, kit: Kit, worker: Any) -> None:
    with worker(kit.app):
        result = api.chain(kit.hold.s(1), kit.pack.s(2)).apply_async()
        kit.inside.wait(10)
        with pytest.raises(api.exceptions.IncompleteStream):
            list(result.parent.iterdeps())
        assert list(result.parent.iterdeps(intermediate=True)) == [(None, result.parent)]
        kit.gate.set()
        settled(result)


def test_group_result_of_a_group(api: Any, kit: Kit, worker: Any) -> None:
    with worker(kit.app):
        result = api.group(kit.add.s(1, 1), kit.add.s(2, 2)).apply_async()
        assert value_of(result) == [2, 4]
        assert (result.successful(), result.failed(), result.completed_count()) == (True, False, 2)
        assert [value_of(member) for member in result] == [2, 4]
        assert result.children == result.results
        assert result.parent is None


@pytest.mark.parametrize("kind", ["group", "chain to a group", "group in a group", "group of chains"])
def test_save_and_restore(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    made = SHAPES[kind](api, lambda tag: kit.pack.s(tag))
    with worker(kit.app):
        result = made.apply_async()
        assert kit.app.GroupResult.restore(result.id) is None
        result.save()
        back = kit.app.GroupResult.restore(result.id)
        assert back == result
        observed("came out", settled(back))
        observed("parent", back.parent == result.parent)
        back.delete()
        assert kit.app.GroupResult.restore(result.id) is None


def test_iter_native_of_a_group(api: Any, kit: Kit, worker: Any) -> None:
    with worker(kit.app):
        result = api.group(kit.add.s(1, 1), kit.add.s(2, 2)).apply_async()
        settled(result)
        found = {task_id: meta["result"] for task_id, meta in result.iter_native(timeout=10)}
        assert found == {result[0].id: 2, result[1].id: 4}
        assert result.join_native(timeout=10) == [2, 4]
        assert result.join(timeout=10) == [2, 4]


@pytest.mark.parametrize("kind", ["chain", "group", "chord", "chain with a chord"])
def test_forget(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    made = SHAPES[kind](api, lambda tag: kit.pack.s(tag))
    with worker(kit.app, concurrency=1):
        result = made.apply_async()
        settled(result)
        kit.fence()
        result.forget()
        observed("after", walked(result))


def test_then_on_a_group(api: Any, redis_kit: Kit, worker: Any) -> None:
    seen: list[Any] = []
    with worker(redis_kit.app):
        result = api.group(redis_kit.add.s(1, 1), redis_kit.add.s(2, 2)).apply_async()
        result.then(lambda group: seen.append(group.id))
        assert value_of(result) == [2, 4]
        until(lambda: seen)
    assert seen == [result.id]


def test_group_get_callback(api: Any, kit: Kit, worker: Any) -> None:
    seen: list[Any] = []
    with worker(kit.app):
        result = api.group(kit.add.s(1, 1), kit.add.s(2, 2)).apply_async()
        until(result.ready)
        result.get(timeout=10, callback=lambda task_id, value: seen.append(value))
    assert sorted(seen) == [2, 4]
