"""map, starmap and chunks: made, shown, run, grouped, and with options."""

from __future__ import annotations

from typing import Any

import pytest

from .canvases import Kit, settled, shape, without_ids
from .waiting import value_of

PAIRS = [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]
FORMS: dict[str, Any] = {
    "map": lambda k: k.ident.map([1, 2, 3]),
    "map of a generator": lambda k: k.ident.map(n for n in (1, 2, 3)),
    "map of nothing": lambda k: k.ident.map([]),
    "map of a string": lambda k: k.ident.map("ab"),
    "starmap": lambda k: k.add.starmap(PAIRS),
    "starmap of a zip": lambda k: k.add.starmap(zip((1, 2), (3, 4))),
    "starmap of nothing": lambda k: k.add.starmap([]),
    "chunks": lambda k: k.add.chunks(PAIRS, 2),
    "chunks of one": lambda k: k.add.chunks(PAIRS, 1),
    "chunks of all": lambda k: k.add.chunks(PAIRS, 5),
    "chunks of more": lambda k: k.add.chunks(PAIRS, 50),
    "chunks of a zip": lambda k: k.add.chunks(zip((1, 2, 3), (4, 5, 6)), 2),
    "chunks of nothing": lambda k: k.add.chunks([], 2),
    "chunks as a group": lambda k: k.add.chunks(PAIRS, 2).group(),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(api: Any, kit: Kit, worker: Any, observed: Any, form: str) -> None:
    made = FORMS[form](kit)
    observed("made", [type(made).__name__, shape(made)])
    with worker(kit.app):
        result = made.apply_async()
        observed("kind", type(result).__name__)
        observed("came out", settled(result))


@pytest.mark.parametrize("form", ["map", "starmap", "chunks"])
def test_is_immutable(kit: Kit, form: str) -> None:
    assert FORMS[form](kit).immutable is True


@pytest.mark.parametrize("form", FORMS)
def test_repr(kit: Kit, observed: Any, form: str) -> None:
    if "zip" in form or "generator" in form:
        observed("starts", repr(FORMS[form](kit))[:8])
    else:
        observed("repr", repr(FORMS[form](kit)))


@pytest.mark.parametrize("form", ["map", "starmap", "chunks"])
def test_calls(kit: Kit, worker: Any, observed: Any, form: str) -> None:
    with worker(kit.app):
        observed("delay", settled(FORMS[form](kit).delay()))
        observed("delay with arguments", settled(FORMS[form](kit).delay(1)))
        called = FORMS[form](kit)()
        observed("called", settled(called) if hasattr(called, "ready") else called)


@pytest.mark.parametrize("form", ["map", "starmap", "chunks"])
def test_apply(kit: Kit, observed: Any, form: str) -> None:
    try:
        result = FORMS[form](kit).apply()
    except Exception as refused:
        observed("refused", type(refused).__name__)
    else:
        observed("came out", [type(result).__name__, without_ids(repr(result.get()))])


@pytest.mark.parametrize("form", ["map", "starmap", "chunks"])
def test_an_item_fails(kit: Kit, worker: Any, observed: Any, form: str) -> None:
    @kit.app.task(name="t.picky")
    def picky(x: Any, y: Any = 0) -> Any:
        kit.journal.add("item", x)
        if x == 2:
            raise KeyError("two")
        return x

    made = {
        "map": lambda: picky.map([1, 2, 3]),
        "starmap": lambda: picky.starmap([(1, 0), (2, 0), (3, 0)]),
        "chunks": lambda: picky.chunks([(1, 0), (2, 0), (3, 0), (4, 0)], 2),
    }[form]()
    with worker(kit.app, concurrency=1):
        observed("came out", settled(made.apply_async()))
        kit.fence()
    observed("items", kit.journal.of("item"))


@pytest.mark.parametrize("form", ["map", "starmap", "chunks"])
def test_options(kit: Kit, worker: Any, observed: Any, form: str) -> None:
    seen: list[Any] = []
    with worker(kit.app, queues=["celery", "other"]):
        result = FORMS[form](kit).apply_async(queue="other", priority=3)
        seen.append(settled(result))
    observed("came out", seen)


@pytest.mark.parametrize("form", ["map", "starmap", "chunks"])
def test_routed_as_the_task(kit: Kit, worker: Any, observed: Any, form: str, signal_log: Any) -> None:
    kit.app.conf.task_routes = {"t.add": {"queue": "sums"}, "t.ident": {"queue": "sums"}}
    signal_log.listen("before_task_publish")
    FORMS[form](kit).apply_async()
    observed("sent", [[sender, kwargs["routing_key"]] for sender, kwargs in signal_log.of("before_task_publish")])


@pytest.mark.parametrize("form", ["map", "chunks as a group"])
def test_in_a_chain_and_a_chord(api: Any, kit: Kit, worker: Any, observed: Any, form: str) -> None:
    with worker(kit.app):
        observed("before a task", settled((FORMS[form](kit) | kit.pack.s("end")).apply_async()))
        observed("after a task", settled((kit.pack.s("start") | FORMS[form](kit)).apply_async()))
        came_out = settled(api.chord([FORMS[form](kit), kit.pack.s(1)], kit.pack.s("body")).apply_async())
        if form == "map":
            observed("header", came_out)
        else:
            in_order = ["SUCCESS", [[[2, 4], [6, 8], [10], [1]], "body"]]
            observed("header", came_out, shim=in_order, row="celery-nested-groups-in-order")


def test_tasks_behind_them(kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app):
        observed("map", value_of(kit.app.tasks["celery.map"].delay(kit.ident.s(), [1, 2])))
        observed("starmap", value_of(kit.app.tasks["celery.starmap"].delay(kit.add.s(), [(1, 2)])))


def test_xmap_and_xstarmap(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app):
        observed("xmap", value_of(api.xmap(kit.ident.s(), [1, 2], app=kit.app).delay()))
        observed("xstarmap", value_of(api.xstarmap(kit.add.s(), [(1, 2)], app=kit.app).delay()))
        observed("chunks", settled(api.chunks(kit.add.s(), [(1, 2), (3, 4)], 1, app=kit.app).delay()))


def test_apply_chunks(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app):
        result = api.chunks.apply_chunks(kit.add.s(), [(1, 2), (3, 4), (5, 6)], 2, app=kit.app)
        observed("came out", settled(result))


def test_the_task_s_own_arguments(kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app):
        observed("map", settled(kit.pack.map([1, 2]).apply_async()))
        observed("starmap", settled(kit.pack.starmap([(1, 2), (3,)]).apply_async()))


def test_skew(api: Any, kit: Kit, observed: Any) -> None:
    made = api.group(kit.add.s(n, n) for n in range(4))
    assert made.skew(start=1, stop=3, step=1) is made
    observed("countdowns", [task.options["countdown"] for task in made.tasks])
    observed("default", [task.options["countdown"] for task in made.skew().tasks])
    chunked = kit.add.chunks(PAIRS, 1).group().skew(start=0, stop=10, step=2)
    observed("chunks", [task.options["countdown"] for task in chunked.tasks])
