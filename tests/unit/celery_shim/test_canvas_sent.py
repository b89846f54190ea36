"""The short way of sending a part of a composition gives what the long way gives; shared data stays as it was."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from brokerless.compat.celery_shim import Celery, chain, chord, group, signals
from brokerless.compat.celery_shim.contrib.testing.worker import start_worker
from brokerless.compat.celery_shim.runtime import shared

SOON = 20
_URLS = count()
COMPARED = (
    "args", "kwargs", "argsrepr", "kwargsrepr", "group_index", "retries", "is_eager", "called_directly", "eta", "expires",
    "timelimit", "time_limit", "soft_time_limit", "delivery_info", "ignore_result", "replaced_task_nesting", "task",
    "lang", "shadow", "stamps", "stamped_headers", "headers", "callbacks", "errbacks", "hostname", "origin",
)  # fmt: skip


class Kit:
    def __init__(self, app: Any) -> None:
        self.app = app
        self.seen: list[Any] = []

        @app.task(shared=False, name="look", bind=True)
        def look(task: Any, value: Any = None, tag: str = "") -> Any:
            self.seen.append((tag, task.request))
            return value

        @app.task(shared=False, name="change", bind=True)
        def change(task: Any, value: Any = None) -> Any:
            for field in ("chain", "chord"):
                carried = getattr(task.request, field)
                if carried is not None:
                    # what a task does to its own request must not reach the others
                    setattr(task.request, field, copy.deepcopy(carried))
            return value

        self.look, self.change = look, change


@pytest.fixture
def kit(_threads_end: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kit]:
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "0")
    app = Celery("sent", broker=f"memory://canvas-sent-{next(_URLS)}", set_as_current=False)
    yield Kit(app)
    app.close()


def described(request: Any) -> dict[str, Any]:
    found = {name: getattr(request, name, None) for name in COMPARED}
    for name in ("root_id", "parent_id", "group", "chord", "chain", "reply_to"):
        found[name] = getattr(request, name) is not None
    found["steps"] = [step["task"] for step in request.chain or ()]
    found["body"] = request.chord and request.chord["task"]
    found["fields"] = sorted(vars(request))
    return found


MADE = {
    "chain": lambda kit: chain(kit.look.s(1, tag="a"), kit.look.s(tag="b"), kit.look.s(tag="c")),
    "group": lambda kit: group(kit.look.s(1, tag="a"), kit.look.s(2, tag="b")),
    "chord": lambda kit: chord([kit.look.s(1, tag="a"), kit.look.s([2], tag="b")], kit.look.s(tag="c")),
    "links": lambda kit: kit.look.s(1, tag="a").set(link=[kit.look.s(tag="b")]).on_error(kit.look.s(tag="e")),
    "chain to a chord": lambda kit: chain(
        kit.look.s(1, tag="a"),
        group(kit.look.s(tag="b"), kit.look.s(tag="c")),
        kit.look.s(tag="d"),
        kit.look.s(tag="e"),
    ),
}


@pytest.mark.parametrize("made", MADE)
def test_both_ways_give_the_same_request(kit: Kit, made: str) -> None:
    found = []
    for long_way in (False, True):
        kit.seen.clear()
        listener = (lambda **_: None) if long_way else None
        if listener is not None:
            signals.before_task_publish.connect(listener, weak=False)  # the short way does not send signals
        try:
            with start_worker(kit.app, concurrency=1, perform_ping_check=False):
                MADE[made](kit).apply_async().get(timeout=SOON)
                kit.look.delay(tag="z").get(timeout=SOON)
        finally:
            if listener is not None:
                signals.before_task_publish.disconnect(listener)
        found.append({tag: described(request) for tag, request in kit.seen if tag != "z"})
    short, long = found
    assert set(short) == set(long)
    for tag, fields in short.items():
        for name, value in fields.items():
            if name != "fields":
                assert value == long[tag][name], (tag, name)


def test_ids_are_the_same_on_both_sides(kit: Kit) -> None:
    with start_worker(kit.app, concurrency=1, perform_ping_check=False):
        result = chord([kit.look.s(1, tag="a"), kit.look.s(2, tag="b")], kit.look.s(tag="c")).apply_async()
        result.get(timeout=SOON)
    seen = dict(kit.seen)
    assert [seen["a"].id, seen["b"].id] == [member.id for member in result.parent.results]
    assert seen["c"].id == result.id
    assert seen["a"].group == seen["b"].group == result.parent.id
    assert [seen["a"].group_index, seen["b"].group_index] == [0, 1]


def test_members_share_the_body(kit: Kit) -> None:
    with start_worker(kit.app, concurrency=1, perform_ping_check=False):
        chord([kit.look.s(n, tag=str(n)) for n in range(4)], kit.look.s()).apply_async().get(timeout=SOON)
    bodies = {id(request.chord) for tag, request in kit.seen if tag}
    assert len(bodies) == 1


def test_shared_data_is_plain_outside(kit: Kit) -> None:
    body = shared._shared(kit.look.s(1, tag="x"), "json")
    steps = shared.Steps([dict(kit.look.s(1))])
    assert json.loads(json.dumps(body)) == body
    assert type(pickle.loads(pickle.dumps(shared.Shared(body)))) is dict
    assert type(pickle.loads(pickle.dumps(steps))) is list
    assert type(steps[:-1]) is shared.Steps
    assert copy.deepcopy(steps) is steps


def test_the_same_signature_can_be_sent_again(kit: Kit) -> None:
    made = chord([kit.look.s(1), kit.look.s(2)], kit.look.s(tag="first"))
    with start_worker(kit.app, concurrency=1, perform_ping_check=False):
        assert made.apply_async().get(timeout=SOON) == [1, 2]
        made.body = kit.look.s(tag="second")
        assert made.apply_async().get(timeout=SOON) == [1, 2]
    assert [tag for tag, _ in kit.seen if tag] == ["first", "second"]


def test_a_task_that_changes_its_request_changes_nothing_else(kit: Kit) -> None:
    with start_worker(kit.app, concurrency=1, perform_ping_check=False):
        made = chain(kit.change.s(1), kit.change.s(), group(kit.change.s(), kit.change.s()), kit.change.s())
        assert made.apply_async().get(timeout=SOON) == [1, 1]


def test_own_options_of_a_step_take_the_long_way(kit: Kit) -> None:
    with start_worker(kit.app, concurrency=1, perform_ping_check=False):
        made = chain(kit.look.s(1, tag="a"), kit.look.s(tag="b").set(shadow="renamed", headers={"own": "7"}))
        assert made.apply_async().get(timeout=SOON) == 1
    seen = dict(kit.seen)
    assert seen["b"].shadow == "renamed"
    assert seen["b"].own == "7"


def test_numbers_in_the_group_are_in_order(kit: Kit) -> None:
    with start_worker(kit.app, concurrency=2, perform_ping_check=False):
        made = group(group(kit.look.s(0), kit.look.s(1)), kit.look.s(2), group(kit.look.s(3), group(kit.look.s(4))))
        assert made.apply_async().get(timeout=SOON) == [0, 1, 2, 3, 4]
        assert chord(made, kit.look.s()).apply_async().get(timeout=SOON) == [0, 1, 2, 3, 4]


def test_generators_are_read_while_tasks_are_sent(kit: Kit) -> None:
    sent: list[int] = []

    def members() -> Iterator[Any]:
        for number in range(4):
            sent.append(len(kit.seen))
            if number == 3:
                assert kit.seen or waits(kit)
            yield kit.look.s(number, tag=str(number))

    with start_worker(kit.app, concurrency=1, perform_ping_check=False):
        result = chord(members(), kit.look.s()).apply_async()
        assert result.get(timeout=SOON) == [0, 1, 2, 3]
        assert [member.get(timeout=SOON) for member in result.parent.results] == [0, 1, 2, 3]


def waits(kit: Kit) -> bool:
    """True when the first member has been seen to run."""
    import time

    until = time.monotonic() + SOON
    while not kit.seen and time.monotonic() < until:
        time.sleep(0.001)
    return bool(kit.seen)


def test_a_group_is_gathered_with_one_wait(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    from brokerless.compat.celery_shim.runtime import waiting

    waits_made: list[Any] = []
    original = waiting.Waiter.wait
    monkeypatch.setattr(
        waiting.Waiter, "wait", lambda self, *given: (waits_made.append(self), original(self, *given))[1]
    )
    with start_worker(kit.app, concurrency=2, perform_ping_check=False):
        result = group(kit.look.s(number) for number in range(50)).apply_async()
        assert result.get(timeout=SOON) == list(range(50))
    assert len(waits_made) <= 1
