"""Task.replace and add_to_chord: the new canvas takes the place, the id and the duties of the task."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .canvases import Kit, described, settled
from .waiting import until, value_of

OTHERS: dict[str, Any] = {
    "task": lambda c, k: k.pack.s("r"),
    "immutable": lambda c, k: k.pack.si("r"),
    "chain": lambda c, k: c.chain(k.pack.s("r1"), k.pack.s("r2")),
    "group": lambda c, k: c.group(k.pack.s("r1"), k.pack.s("r2")),
    "group of one": lambda c, k: c.group(k.pack.s("r1")),
    "empty group": lambda c, k: c.group([]),
    "chord": lambda c, k: c.chord([k.pack.s("r1"), k.pack.s("r2")], k.pack.s("r3")),
    "chain to a group": lambda c, k: c.chain(k.pack.s("r1"), c.group(k.pack.s("r2"), k.pack.s("r3"))),
    "chain with a chord": lambda c, k: c.chain(k.pack.s("r1"), c.group(k.pack.s("r2"), k.pack.s("r3")), k.pack.s("r4")),
    "map": lambda c, k: k.ident.map([1, 2]),
    "chunks": lambda c, k: k.ident.chunks([(1,), (2,), (3,)], 2).group(),
    "a task that replaces itself": lambda c, k: k.swap.s(other=k.pack.s("r")),
    "failure": lambda c, k: k.fail.si(),
    "retry": lambda c, k: k.flaky.s("r"),
}

PLACES: dict[str, Any] = {
    "alone": lambda c, k, x: x,
    "first of a chain": lambda c, k, x: c.chain(x, k.pack.s("b")),
    "last of a chain": lambda c, k, x: c.chain(k.pack.s("a"), x),
    "middle of a chain": lambda c, k, x: c.chain(k.pack.s("a"), x, k.pack.s("b"), k.pack.s("c")),
    "in a group": lambda c, k, x: c.group(k.pack.s("a"), x),
    "in a header": lambda c, k, x: c.chord([k.pack.s("a"), x], k.pack.s("b")),
    "body": lambda c, k, x: c.chord([k.pack.s("a")], x),
    "in a chain in a header": lambda c, k, x: c.chord([x | k.pack.s("a"), k.pack.s("b")], k.pack.s("c")),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("other", OTHERS)
def test_replacing(api: Any, redis_kit: Kit, worker: Any, observed: Any, other: str, place: str) -> None:
    kit = redis_kit
    sig = kit.named(kit.swap.s(other=json.loads(json.dumps(OTHERS[other](api, kit)))), "x")
    with worker(kit.app, concurrency=1):
        result = PLACES[place](api, kit, sig).apply_async()
        kit.fence(10)
        observed("came out", described(result))
        observed("replaced", kit.states("x")["x"])


def test_links_move_to_the_replacement(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    for kind in ("task", "chain", "group", "chord", "chain to a group"):
        tag = f"linked {kind}"
        sig = kit.swap.s(other=json.loads(json.dumps(OTHERS[kind](api, kit))))
        with worker(kit.app, concurrency=1):
            sig.apply_async(link=kit.note.s(tag=tag), link_error=kit.old_style.s())
            kit.fence(8)
        observed(kind, kit.journal.of(tag))
    observed("errbacks", kit.journal.of("old"))


@pytest.mark.parametrize("kind", ["task", "chain", "group", "chord"])
def test_errbacks_move_to_the_replacement(api: Any, redis_kit: Kit, worker: Any, observed: Any, kind: str) -> None:
    kit = redis_kit
    other = {
        "task": lambda: kit.fail.si(),
        "chain": lambda: api.chain(kit.pack.s(1), kit.fail.s()),
        "group": lambda: api.group(kit.fail.s(), kit.pack.s(1)),
        "chord": lambda: api.chord([kit.fail.s()], kit.pack.s()),
    }[kind]()
    sig = kit.named(kit.swap.s(other=json.loads(json.dumps(other))), "x")
    with worker(kit.app, concurrency=1):
        sig.apply_async(link=kit.note.s(tag="linked"), link_error=kit.old_style.s())
        kit.fence(8)
        observed("state", kit.states("x"))
    ids = [entry[0] == f"x-{kit.unique}" for entry in kit.journal.of("old")]
    observed("errbacks, with the replaced id", sorted(ids))
    observed("linked", kit.journal.of("linked"))


def test_nesting_is_counted(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    inner = kit.look.s(fields=["replaced_task_nesting", "retries"])
    once = kit.swap.s(other=json.loads(json.dumps(inner)))
    with worker(kit.app, concurrency=1):
        for label, sig in (
            ("none", inner),
            ("once", once),
            ("twice", kit.swap.s(other=json.loads(json.dumps(once)))),
            ("after in a chain", once | kit.look.s(fields=["replaced_task_nesting"])),
            (
                "chain",
                kit.swap.s(
                    other=json.loads(json.dumps(api.chain(inner, kit.look.s(fields=["replaced_task_nesting"]))))
                ),
            ),
        ):
            del kit.journal.entries[:]
            settled(sig.apply_async())
            kit.fence(4)
            observed(label, kit.journal.of("look"))


def test_state_while_the_replacement_runs(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    with worker(kit.app, concurrency=1):
        result = kit.swap.s(other=json.loads(json.dumps(kit.hold.s("v")))).apply_async()
        assert kit.inside.wait(10)
        observed("meanwhile", result.state)
        kit.gate.set()
        assert value_of(result) == "v"


def test_the_id_stays(api: Any, kit: Kit, worker: Any) -> None:
    with worker(kit.app, concurrency=1):
        result = kit.swap.s(other=json.loads(json.dumps(kit.who.s(tag="new")))).apply_async()
        settled(result)
        kit.fence()
    seen = kit.requests()["new"]
    assert seen["id"] == result.id
    assert seen["root_id"] == result.id


def test_options_of_the_replaced_task(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    fields = ["expires", "headers", "delivery_info", "group", "ignore_result"]
    sig = kit.swap.s(other=json.loads(json.dumps(kit.look.s(fields=fields))))
    with worker(kit.app, concurrency=1):
        settled(sig.apply_async(expires=60, headers={"mine": 1}, priority=3))
        kit.fence()
    seen = kit.journal.of("look")[0][0]
    seen["delivery_info"].pop("priority")
    observed("seen", seen)


@pytest.mark.parametrize("bad", ["empty chain", "part of a chord"])
def test_refused(api: Any, kit: Kit, worker: Any, observed: Any, bad: str) -> None:
    @kit.app.task(name="t.bad", bind=True)
    def wrong(self: Any) -> None:
        sig = api.chain() if bad == "empty chain" else kit.pack.s(1).set(chord=kit.pack.s())
        self.replace(sig)

    with worker(kit.app, concurrency=1):
        result = wrong.delay()
        observed("outcome", settled(result))


def test_replace_raises_ignore(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    @kit.app.task(name="t.catch", bind=True)
    def catching(self: Any) -> Any:
        try:
            self.replace(kit.pack.s("new"))
        except BaseException as raised:
            kit.journal.add("raised", type(raised).__name__, str(raised))
            raise

    with worker(kit.app, concurrency=1):
        assert settled(catching.delay()) == ["SUCCESS", ["new"]]
    observed("raised", kit.journal.of("raised"))


def test_on_replace(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    class Base(api.Task):  # type: ignore[name-defined,misc]
        def on_replace(self, sig: Any) -> Any:
            kit.journal.add("on_replace", sig.task)
            return super().on_replace(sig)

    @kit.app.task(name="t.based", base=Base, bind=True)
    def based(self: Any) -> Any:
        raise self.replace(kit.pack.s("new"))

    with worker(kit.app, concurrency=1):
        assert settled(based.delay()) == ["SUCCESS", ["new"]]
    observed("hook", kit.journal.of("on_replace"))


def test_replace_when_called_directly(api: Any, kit: Kit, observed: Any) -> None:
    with pytest.raises(Exception) as raised:
        kit.swap(other=kit.pack.s("new"))
    observed("raised", type(raised.value).__name__)


@pytest.mark.parametrize("kind", ["task", "chain", "group", "chord", "empty group"])
def test_replace_in_eager_mode(api: Any, make_app: Any, observed: Any, kind: str) -> None:
    kit = Kit(make_app(task_always_eager=True))
    result = kit.swap.s(other=json.loads(json.dumps(OTHERS[kind](api, kit)))).apply_async()
    observed("came out", [result.state, repr(result.result)])


def adding(kit: Kit, lazy: bool = False) -> Any:
    """Return a task that adds another one to its chord."""

    @kit.app.task(name="t.adding", bind=True)
    def adds(self: Any, value: Any) -> Any:
        made = self.add_to_chord(kit.pack.s("added"), lazy=lazy)
        kit.journal.add("returned", type(made).__name__)
        if lazy:
            made.delay()
        return value

    return adds


@pytest.mark.parametrize("lazy", [False, True], ids=["at once", "lazy"])
def test_add_to_chord(api: Any, redis_kit: Kit, worker: Any, observed: Any, lazy: bool) -> None:
    kit = redis_kit
    task = adding(kit, lazy)
    with worker(kit.app, concurrency=1):
        result = api.chord([task.s("a")], kit.pack.s("body")).apply_async()
        observed("state", settled(result)[0])
        observed("came out", sorted(map(repr, value_of(result)[0])))
    observed("returned", kit.journal.of("returned"))


def test_add_to_chord_twice(api: Any, redis_kit: Kit, worker: Any, observed: Any) -> None:
    kit = redis_kit
    task = adding(kit)
    with worker(kit.app, concurrency=1):
        result = api.chord([task.s("a"), task.s("b")], kit.pack.s("body")).apply_async()
        settled(result)
        observed("came out", sorted(map(repr, value_of(result)[0])))


def test_add_to_chord_outside_of_one(api: Any, redis_kit: Kit, worker: Any, observed: Any) -> None:
    task = adding(redis_kit)
    with worker(redis_kit.app, concurrency=1):
        observed("outcome", settled(task.delay("a")))


def test_add_a_failing_task_to_a_chord(api: Any, redis_kit: Kit, worker: Any, observed: Any) -> None:
    kit = redis_kit

    @kit.app.task(name="t.adds_failure", bind=True)
    def adds(self: Any) -> str:
        self.add_to_chord(kit.fail.s())
        return "a"

    with worker(kit.app, concurrency=1):
        result = api.chord([adds.s()], kit.named(kit.pack.s("body"), "b")).apply_async()
        until(result.ready)
        kit.fence(4)
        observed("state", kit.states("b"))


def test_accumulate(api: Any, kit: Kit, worker: Any, observed: Any) -> None:
    task = kit.app.tasks["celery.accumulate"]
    with worker(kit.app, concurrency=1):
        observed("all", value_of(task.s(1, 2, 3).delay()))
        observed("one of them", value_of(task.s(1, 2, index=1).delay()))
        observed("body", value_of((api.group(kit.pack.s(1), kit.pack.s(2)) | task.s(index=0)).delay()))
        observed("body, all", value_of((api.group(kit.pack.s(1), kit.pack.s(2)) | task.s()).delay()))
    observed("called", [repr(task(1, 2)), task(1, 2, index=0)])
