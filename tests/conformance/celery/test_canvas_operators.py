"""What `|`, chain(), group() and chord() make of each other: every pair of kinds, constructors, upgrades, copies.

The tasks return their arguments, so that what comes out shows what went where.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

import pytest

from .canvases import Kit, described, options_of, settled, shape, without_ids

KINDS: dict[str, Any] = {
    "task": lambda c, k, n: k.pack.s(n),
    "immutable": lambda c, k, n: k.pack.si(n),
    "chain": lambda c, k, n: c.chain(k.pack.s(n + "1"), k.pack.s(n + "2")),
    "chain to group": lambda c, k, n: c.chain(k.pack.s(n + "1"), c.group(k.pack.s(n + "2"), k.pack.s(n + "3"))),
    "chain to chord": lambda c, k, n: c.chain(
        k.pack.s(n + "1"), c.group(k.pack.s(n + "2"), k.pack.s(n + "3")), k.pack.s(n + "4")
    ),
    "empty chain": lambda c, k, n: c.chain(),
    "group": lambda c, k, n: c.group(k.pack.s(n + "1"), k.pack.s(n + "2")),
    "group of one": lambda c, k, n: c.group(k.pack.s(n + "1")),
    "empty group": lambda c, k, n: c.group([]),
    "group of chains": lambda c, k, n: c.group(k.pack.s(n + "1") | k.pack.s(n + "2"), k.pack.s(n + "3")),
    "chord": lambda c, k, n: c.chord([k.pack.s(n + "1"), k.pack.s(n + "2")], k.pack.s(n + "3")),
    "chord to chain": lambda c, k, n: c.chord([k.pack.s(n + "1")], k.pack.s(n + "2") | k.pack.s(n + "3")),
    "map": lambda c, k, n: k.pack.map([n + "1", n + "2"]),
    "chunks": lambda c, k, n: k.pack.chunks([(n + "1",), (n + "2",), (n + "3",)], 2),
}


def pair(api: Any, kit: Kit, left: str, right: str) -> Any:
    return KINDS[left](api, kit, "a") | KINDS[right](api, kit, "b")


@pytest.mark.parametrize("right", KINDS)
@pytest.mark.parametrize("left", KINDS)
def test_pair(api: Any, kit: Kit, observed: Any, left: str, right: str) -> None:
    one, two = KINDS[left](api, kit, "a"), KINDS[right](api, kit, "b")
    before = shape(one), shape(two)
    try:
        made = one | two
    except Exception as refused:
        observed("refused", type(refused).__name__)
    else:
        observed("made", [type(made).__name__, shape(made)])
        observed("operands changed", [shape(one) != before[0], shape(two) != before[1]])


@pytest.mark.parametrize("left", KINDS)
def test_pairs_run(api: Any, kit: Kit, worker: Any, observed: Any, left: str) -> None:
    with worker(kit.app, concurrency=1):
        for right in KINDS:
            try:
                result = pair(api, kit, left, right).apply_async()
            except Exception as refused:
                observed(right, f"refused: {type(refused).__name__}")
            else:
                kit.fence(6)
                if left == "chunks" and right in ("chain to group", "group", "group of chains"):
                    # A group after a step that failed: chunks as a step of a chain gives a result that is no JSON.
                    error = (
                        """FAILURE EncodeError("TypeError('Object of type GroupResult is not JSON serializable')")"""
                    )
                    observed(right, described(result), shim=[error, error], row="celery-canvas-ends")
                else:
                    observed(right, described(result))


@pytest.mark.parametrize("other", [5, "text", None, [1]], ids=repr)
def test_or_with_something_else(kit: Kit, other: Any) -> None:
    with pytest.raises(TypeError):
        kit.pack.s(1) | other


CHAINS: dict[str, Any] = {
    "nothing": lambda c, k: c.chain(),
    "one task": lambda c, k: c.chain(k.pack.s(1)),
    "list of one": lambda c, k: c.chain([k.pack.s(1)]),
    "two": lambda c, k: c.chain(k.pack.s(1), k.pack.s(2)),
    "list": lambda c, k: c.chain([k.pack.s(1), k.pack.s(2)]),
    "tuple": lambda c, k: c.chain((k.pack.s(1), k.pack.s(2))),
    "generator": lambda c, k: c.chain(k.pack.s(n) for n in (1, 2)),
    "options": lambda c, k: c.chain(k.pack.s(1), k.pack.s(2), queue="celery"),
    "options, group inside": lambda c, k: c.chain(
        k.pack.s(1), c.group(k.pack.s(2), k.pack.s(3)), k.pack.s(4), queue="celery"
    ),
    "chain in the middle": lambda c, k: c.chain(k.pack.s(1), c.chain(k.pack.s(2), k.pack.s(3)), k.pack.s(4)),
    "group first": lambda c, k: c.chain(c.group(k.pack.s(1), k.pack.s(2)), k.pack.s(3)),
    "group first, then two": lambda c, k: c.chain(c.group(k.pack.s(1), k.pack.s(2)), k.pack.s(3), k.pack.s(4)),
    "group alone": lambda c, k: c.chain(c.group(k.pack.s(1), k.pack.s(2))),
    "group last": lambda c, k: c.chain(k.pack.s(1), c.group(k.pack.s(2), k.pack.s(3))),
    "group between": lambda c, k: c.chain(k.pack.s(1), c.group(k.pack.s(2), k.pack.s(3)), k.pack.s(4)),
    "two groups": lambda c, k: c.chain(c.group(k.pack.s(1), k.pack.s(2)), c.group(k.pack.s(3), k.pack.s(4))),
    "three groups": lambda c, k: c.chain(*(c.group(k.pack.s(n), k.pack.s(n + 1)) for n in (1, 3, 5)), k.pack.s(7)),
    "group of one between": lambda c, k: c.chain(k.pack.s(1), c.group(k.pack.s(2)), k.pack.s(3)),
    "group of one first": lambda c, k: c.chain(c.group(k.pack.s(1)), k.pack.s(2)),
    "empty group between": lambda c, k: c.chain(k.pack.s(1), c.group([]), k.pack.s(2)),
    "empty group first": lambda c, k: c.chain(c.group([]), k.pack.s(1)),
    "empty group last": lambda c, k: c.chain(k.pack.s(1), c.group([])),
    "empty groups only": lambda c, k: c.chain(c.group([]), c.group([])),
    "chord between": lambda c, k: c.chain(k.pack.s(1), c.chord([k.pack.s(2), k.pack.s(3)], k.pack.s(4)), k.pack.s(5)),
    "two chords": lambda c, k: c.chain(
        c.chord([k.pack.s(1), k.pack.s(2)], k.pack.s(3)), c.chord([k.pack.s(4), k.pack.s(5)], k.pack.s(6))
    ),
    "task, group, task, group, task": lambda c, k: c.chain(
        k.pack.s(1), c.group(k.pack.s(2), k.pack.s(3)), k.pack.s(4), c.group(k.pack.s(5), k.pack.s(6)), k.pack.s(7)
    ),
    "immutable between": lambda c, k: c.chain(k.pack.s(1), k.pack.si(2), k.pack.s(3)),
    "chain of chains": lambda c, k: c.chain(
        c.chain(c.chain(k.pack.s(1), k.pack.s(2)), k.pack.s(3)), c.chain(k.pack.s(4), k.pack.s(5))
    ),
    "map between": lambda c, k: c.chain(k.pack.s(1), k.pack.map([2, 3]), k.pack.s(4)),
    "sum": lambda c, k: reduce(or_, [k.pack.s(1), k.pack.s(2), k.pack.s(3)]),
    "ior": lambda c, k: _ior(k.pack.s(1), k.pack.s(2), k.pack.s(3)),
    "right grouping": lambda c, k: k.pack.s(1) | (k.pack.s(2) | k.pack.s(3)),
    "group, right grouping": lambda c, k: c.group(k.pack.s(1), k.pack.s(2)) | (k.pack.s(3) | k.pack.s(4)),
    "task, group and task grouped": lambda c, k: k.pack.s(1) | (c.group(k.pack.s(2), k.pack.s(3)) | k.pack.s(4)),
}


def _ior(first: Any, *rest: Any) -> Any:
    for one in rest:
        first |= one
    return first


@pytest.mark.parametrize("form", CHAINS)
def test_chain_forms(api: Any, kit: Kit, worker: Any, observed: Any, form: str) -> None:
    made = CHAINS[form](api, kit)
    observed("made", [type(made).__name__, shape(made), options_of(made)])
    with worker(kit.app):
        result = made.apply_async()
        observed("came out", None if result is None else settled(result))


GROUPS: dict[str, Any] = {
    "nothing": lambda c, k: c.group(),
    "empty list": lambda c, k: c.group([]),
    "one": lambda c, k: c.group(k.pack.s(1)),
    "several": lambda c, k: c.group(k.pack.s(1), k.pack.s(2)),
    "list": lambda c, k: c.group([k.pack.s(1), k.pack.s(2)]),
    "tuple": lambda c, k: c.group((k.pack.s(1), k.pack.s(2))),
    "generator": lambda c, k: c.group(k.pack.s(n) for n in (1, 2)),
    "of a group": lambda c, k: c.group(c.group(k.pack.s(1), k.pack.s(2))),
    "of groups": lambda c, k: c.group(c.group(k.pack.s(1), k.pack.s(2)), c.group(k.pack.s(3))),
    "deep": lambda c, k: c.group(k.pack.s(1), c.group(k.pack.s(2), c.group(k.pack.s(3), k.pack.s(4)))),
    "of a chain": lambda c, k: c.group(k.pack.s(1) | k.pack.s(2)),
    "of chains": lambda c, k: c.group(k.pack.s(1) | k.pack.s(2), k.pack.s(3) | k.pack.s(4)),
    "of chords": lambda c, k: c.group(
        c.chord([k.pack.s(1)], k.pack.s(2)), c.chord([k.pack.s(3), k.pack.s(4)], k.pack.s(5))
    ),
    "of a map": lambda c, k: c.group(k.pack.map([1, 2]), k.pack.s(3)),
    "with an empty chain": lambda c, k: c.group(k.pack.s(1), c.chain()),
    "with an empty group": lambda c, k: c.group(k.pack.s(1), c.group([])),
    "chain to a group": lambda c, k: c.group(k.pack.s(1) | c.group(k.pack.s(2), k.pack.s(3)), k.pack.s(4)),
    "dicts after a signature": lambda c, k: c.group([k.pack.s(1), dict(k.pack.s(2))]),
    "options": lambda c, k: c.group(k.pack.s(1), k.pack.s(2), queue="celery"),
}


@pytest.mark.parametrize("form", GROUPS)
def test_group_forms(api: Any, kit: Kit, worker: Any, observed: Any, form: str) -> None:
    kit.app.set_current()
    made = GROUPS[form](api, kit)
    observed("made", [type(made).__name__, shape(made)])
    with worker(kit.app):
        result = made.apply_async()
        observed("kind", type(result).__name__)
        observed("came out", settled(result))


def test_a_generator_is_not_consumed_early(api: Any, kit: Kit) -> None:
    made: list[int] = []

    def tasks() -> Any:
        for n in range(3):
            made.append(n)
            yield kit.pack.s(n)

    lazy = api.group(tasks())
    assert made == []
    assert len(list(lazy.tasks)) == 3
    assert [one.args for one in lazy.tasks] == [(0,), (1,), (2,)]
    assert made == [0, 1, 2]


def test_length(api: Any, kit: Kit) -> None:
    assert len(api.group(kit.pack.s(1), kit.pack.s(2))) == 2
    assert len(api.group([])) == 0


CHORDS: dict[str, Any] = {
    "list": lambda c, k: c.chord([k.pack.s(1), k.pack.s(2)], k.pack.s(3)),
    "tuple": lambda c, k: c.chord((k.pack.s(1), k.pack.s(2)), k.pack.s(3)),
    "generator": lambda c, k: c.chord((k.pack.s(n) for n in (1, 2)), k.pack.s(3)),
    "group": lambda c, k: c.chord(c.group(k.pack.s(1), k.pack.s(2)), k.pack.s(3)),
    "keywords": lambda c, k: c.chord(header=[k.pack.s(1)], body=k.pack.s(2)),
    "one": lambda c, k: c.chord([k.pack.s(1)], k.pack.s(2)),
    "a signature": lambda c, k: c.chord(k.pack.s(1), k.pack.s(2)),
    "a chain as header": lambda c, k: c.chord(c.chain(k.pack.s(1), k.pack.s(2)), k.pack.s(3)),
    "chains in the header": lambda c, k: c.chord([k.pack.s(1) | k.pack.s(2), k.pack.s(3)], k.pack.s(4)),
    "chord in the header": lambda c, k: c.chord(
        [c.chord([k.pack.s(1), k.pack.s(2)], k.pack.s(3)), k.pack.s(4)], k.pack.s(5)
    ),
    "chain to a chord in the header": lambda c, k: c.chord(
        [k.pack.s(0) | c.group(k.pack.s(1), k.pack.s(2)) | k.pack.s(3), k.pack.s(4)], k.pack.s(5)
    ),
    "chain to a group in the header": lambda c, k: c.chord(
        [k.pack.s(0) | c.group(k.pack.s(1), k.pack.s(2)), k.pack.s(4)], k.pack.s(5)
    ),
    "chain body": lambda c, k: c.chord([k.pack.s(1), k.pack.s(2)], k.pack.s(3) | k.pack.s(4)),
    "group body": lambda c, k: c.chord([k.pack.s(1), k.pack.s(2)], c.group(k.pack.s(3), k.pack.s(4))),
    "chord body": lambda c, k: c.chord([k.pack.s(1), k.pack.s(2)], c.chord([k.pack.s(3), k.pack.s(4)], k.pack.s(5))),
    "immutable body": lambda c, k: c.chord([k.pack.s(1)], k.pack.si(2)),
    "empty": lambda c, k: c.chord([], k.pack.s(3)),
    "empty group as header": lambda c, k: c.chord(c.group([]), k.pack.s(3)),
    "map in the header": lambda c, k: c.chord([k.pack.map([1, 2]), k.pack.s(3)], k.pack.s(4)),
    "chunks in the header": lambda c, k: c.chord(k.pack.chunks([(1,), (2,), (3,)], 2).group(), k.pack.s(4)),
    "three deep": lambda c, k: c.chord(
        [c.chord([c.chord([k.pack.s(1)], k.pack.s(2)), k.pack.s(3)], k.pack.s(4))], k.pack.s(5)
    ),
    "body given at the call": lambda c, k: c.chord([k.pack.s(1), k.pack.s(2)]),
}


@pytest.mark.parametrize("form", CHORDS)
def test_chord_forms(api: Any, kit: Kit, worker: Any, observed: Any, form: str) -> None:
    made = CHORDS[form](api, kit)
    observed("made", [type(made).__name__, shape(made)])
    with worker(kit.app):
        result = made(kit.pack.s("given")) if made.body is None else made()
        observed("kind", type(result).__name__)
        observed("came out", settled(result))


def test_chord_length(api: Any, kit: Kit, observed: Any) -> None:
    hints = {
        "tasks": api.chord([kit.pack.s(1), kit.pack.s(2)], kit.pack.s()),
        "chain": api.chord([kit.pack.s(1) | kit.pack.s(2)], kit.pack.s()),
        "chord": api.chord([api.chord([kit.pack.s(1), kit.pack.s(2)], kit.pack.s())], kit.pack.s()),
        "chain to a group": api.chord([kit.pack.s(1) | api.group(kit.pack.s(2), kit.pack.s(3))], kit.pack.s()),
        "empty": api.chord([], kit.pack.s()),
    }
    observed("lengths", {name: made.__length_hint__() for name, made in hints.items()})


@pytest.mark.parametrize("kind", ["chain", "group", "chord", "map", "chunks", "chain to chord"])
def test_clones_of_compositions(api: Any, kit: Kit, observed: Any, kind: str) -> None:
    made = KINDS[kind](api, kit, "a")
    twin = made.clone()
    assert shape(twin) == shape(made)
    observed("class", type(twin).__name__)
    observed("with arguments", shape(made.clone((1,), queue="q")))
    observed("options", made.clone(queue="q").options)
    assert "queue" not in made.options
    if kind == "chain":
        twin.tasks[0].set(priority=3)
        assert "priority" not in made.tasks[0].options
    if kind == "chord":
        twin.body.set(priority=3)
        assert "priority" not in made.body.options


@pytest.mark.parametrize("kind", ["chain", "group", "chord", "chain to chord"])
def test_immutable_compositions(api: Any, kit: Kit, observed: Any, kind: str) -> None:
    made = KINDS[kind](api, kit, "a")
    made.set_immutable(True)
    observed("set_immutable", [shape(made), made.immutable])
    other = KINDS[kind](api, kit, "a").set(immutable=True)
    observed("set", [shape(other), other.immutable])


@pytest.mark.parametrize("kind", KINDS)
def test_partial_arguments(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    made = KINDS[kind](api, kit, "a")
    with worker(kit.app):
        for label, arguments in (("none", ()), ("one", ("x",)), ("two", ("x", "y"))):
            result = made.clone().apply_async(arguments)
            observed(label, None if result is None else settled(result))


@pytest.mark.parametrize("kind", ["chain", "group", "chord", "map", "chunks"])
def test_calling_a_composition(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    with worker(kit.app):
        for label, call in (
            ("call", lambda made: made()),
            ("call with an argument", lambda made: made("x")),
            ("delay", lambda made: made.delay()),
            ("delay with an argument", lambda made: made.delay("x")),
        ):
            try:
                result = call(KINDS[kind](api, kit, "a"))
            except Exception as refused:
                observed(label, f"{type(refused).__name__}: {without_ids(str(refused))}")
            else:
                observed(label, settled(result) if hasattr(result, "ready") else result)


@pytest.mark.parametrize("kind", ["chain", "group", "chord", "map"])
def test_keyword_arguments(api: Any, kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    with worker(kit.app):
        made = KINDS[kind](api, kit, "a")
        try:
            observed("came out", settled(made.apply_async((), {"k": 1})))
        except Exception as refused:
            observed("refused", type(refused).__name__)


def test_unchain_tasks(api: Any, kit: Kit, observed: Any) -> None:
    made = api.chain(kit.pack.s(1), kit.pack.s(2))
    made.link(kit.pack.s(3))
    made.link_error(kit.old_style.s())
    tasks = made.unchain_tasks()
    observed("tasks", [shape(task) for task in tasks])
    assert tasks[0] is not made.tasks[0]


def test_links_survive_the_operator(api: Any, kit: Kit, observed: Any) -> None:
    made = api.chain(kit.pack.s(1), kit.pack.s(2))
    made.link(kit.pack.s("linked"))
    made.link_error(kit.old_style.s())
    observed("chain or task", shape(made | kit.pack.s(3)))
    observed("chain or chain", shape(made | api.chain(kit.pack.s(3), kit.pack.s(4))))
    observed("task or chain", shape(kit.pack.s(0) | made))


def test_maybe_unroll_group(api: Any, kit: Kit) -> None:
    unroll = api.canvas.maybe_unroll_group
    one = api.group(kit.pack.s(1))
    assert unroll(one) == kit.pack.s(1)
    two = api.group(kit.pack.s(1), kit.pack.s(2))
    assert unroll(two) is two


def test_subclasses_of_chain(api: Any, kit: Kit) -> None:
    class Mine(api.chain):  # type: ignore[misc,name-defined]
        """A chain of one's own."""

    made = Mine(kit.pack.s(1), kit.pack.s(2))
    assert isinstance(made, Mine)
    assert isinstance(made | kit.pack.s(3), Mine)
