"""``get(on_message=…)``: the states that are stored while somebody waits, in their order.

The oracle has Redis, whose results are pushed; on a backend that has to be asked Celery refuses ``on_message``.
"""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest

from .waiting import until


class Messages:
    """What ``on_message`` was given, without what differs from run to run."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, body: dict[str, Any]) -> None:
        told = copy.deepcopy(body)
        for key in ("task_id", "group_id", "parent_id", "date_done"):
            told.pop(key, None)
        told["traceback"] = bool(told["traceback"])
        self.seen.append(told)


@pytest.fixture
def go() -> threading.Event:
    """Set when somebody waits."""
    return threading.Event()


@pytest.fixture
def steps(redis_app: Any, go: threading.Event) -> Any:
    """A task that stores two states of its own and ends."""

    @redis_app.task(bind=True, name="steps")
    def steps(self: Any, fails: bool = False) -> str:
        go.wait(20)
        for percent in (50, 90):
            self.update_state(state="PROGRESS", meta={"percent": percent})
        if fails:
            raise ValueError("no")
        return "done"

    return steps


def waited(result: Any, go: threading.Event, **options: Any) -> Any:
    threading.Timer(0.3, go.set).start()
    return result.get(timeout=20, **options)


@pytest.mark.parametrize("fails", [False, True])
def test_each_state(redis_app: Any, worker: Any, steps: Any, go: Any, fails: bool, observed: Any) -> None:
    told = Messages()
    with worker(redis_app):
        observed("value", waited(steps.delay(fails), go, on_message=told, propagate=False))
        observed("told", told.seen)


def test_beside_other_callbacks(redis_app: Any, worker: Any, steps: Any, go: Any, observed: Any) -> None:
    told, values = Messages(), []
    with worker(redis_app):
        waited(
            steps.delay(),
            go,
            on_message=told,
            callback=lambda task_id, value: values.append(value),
            on_interval=lambda *args: None,
        )
    observed("told", [[body["status"] for body in told.seen], values])


def test_a_result_that_was_there(redis_app: Any, worker: Any, steps: Any, go: Any, observed: Any) -> None:
    told = Messages()
    with worker(redis_app):
        result = steps.delay()
        waited(result, go)
        observed("again", [result.get(on_message=told), redis_app.AsyncResult(result.id).get(on_message=told)])
    observed("told", told.seen)


def test_an_error_in_it(redis_app: Any, worker: Any, steps: Any, go: Any) -> None:
    def refuse(body: Any) -> None:
        raise LookupError(body["status"])

    with worker(redis_app):
        result = steps.delay()
        with pytest.raises(LookupError, match="PROGRESS"):
            waited(result, go, on_message=refuse)
        until(result.ready)


def test_time_runs_out(api: Any, redis_app: Any, worker: Any, steps: Any, go: Any) -> None:
    told = Messages()
    with worker(redis_app):
        with pytest.raises(api.exceptions.TimeoutError):
            steps.delay().get(timeout=0.2, on_message=told)
        go.set()
    assert told.seen == []


def test_a_group(api: Any, redis_app: Any, worker: Any, steps: Any, go: Any, observed: Any) -> None:
    told = Messages()
    with worker(redis_app, concurrency=2):
        group = api.mod("canvas").group(steps.s(), steps.s())
        observed("values", waited(group.delay(), go, on_message=told))
    observed("told", sorted(body["status"] for body in told.seen))
