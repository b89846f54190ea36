"""Priorities: what travels with the message, where defaults come from, which task runs first.

Celery leaves the order to its broker; the oracle's brokers here are memory (first in, first out) and Redis.
"""

from __future__ import annotations

from typing import Any

import pytest

from .waiting import until, value_of


def order(app: Any, worker: Any, priorities: list[int | None]) -> list[int | None]:
    """Return the priorities in the order in which their tasks ran on one thread."""
    ran: list[int | None] = []

    @app.task
    def note(priority: int | None) -> None:
        ran.append(priority)

    for priority in priorities:
        note.apply_async((priority,), priority=priority)
    with worker(app, concurrency=1, prefetch_multiplier=1):
        until(lambda: len(ran) == len(priorities))
    return ran


@pytest.mark.manual
@pytest.mark.parametrize("priorities", [[0, 9, 5, 0], [1, 2, 3], [9, 9, 0]])
def test_order(app: Any, worker: Any, observed: Any, priorities: list[int]) -> None:
    observed("ran", order(app, worker, priorities), shim=sorted(priorities, reverse=True), row="celery-priority-order")


@pytest.mark.manual
def test_order_over_redis(redis_app: Any, worker: Any, observed: Any) -> None:
    observed("ran", order(redis_app, worker, [0, 9, 5, 0]), shim=[9, 5, 0, 0], row="celery-priority-order")


@pytest.mark.manual
def test_equal_priorities_run_in_order(app: Any, worker: Any) -> None:
    ran: list[int] = []

    @app.task
    def note(x: int) -> None:
        ran.append(x)

    for x in range(20):
        note.apply_async((x,), priority=4)
    with worker(app, concurrency=1):
        until(lambda: len(ran) == 20)
    assert ran == list(range(20))


@pytest.fixture
def read(app: Any) -> Any:
    """A task that returns the priority of its message."""

    @app.task(bind=True)
    def read(self: Any) -> Any:
        return self.request.delivery_info["priority"]

    return read


@pytest.mark.parametrize(("given", "seen"), [(None, 0), (0, 0), (3, 3), (9, 9)])
def test_priority_of_the_call(app: Any, worker: Any, read: Any, given: Any, seen: int) -> None:
    with worker(app):
        assert value_of(read.apply_async(priority=given)) == seen


def test_priority_of_the_task_and_the_call(app: Any, worker: Any) -> None:
    @app.task(bind=True, priority=4)
    def read(self: Any) -> Any:
        return self.request.delivery_info["priority"]

    with worker(app):
        assert value_of(read.delay()) == 4
        assert value_of(read.apply_async(priority=6)) == 6


def test_default_priority(make_app: Any, worker: Any) -> None:
    app = make_app(task_default_priority=5)

    @app.task(bind=True)
    def read(self: Any) -> Any:
        return self.request.delivery_info["priority"]

    with worker(app):
        assert value_of(read.delay()) == 5


def test_priority_of_a_route(make_app: Any, worker: Any) -> None:
    app = make_app(task_routes={"read": {"priority": 7}})

    @app.task(bind=True, name="read")
    def read(self: Any) -> Any:
        return self.request.delivery_info["priority"]

    with worker(app):
        assert value_of(read.delay()) == 7
        assert value_of(read.apply_async(priority=2)) == 2


@pytest.mark.parametrize(("inherit", "seen"), [(True, 6), (False, 0)])
def test_inherited_from_the_parent(make_app: Any, worker: Any, inherit: bool, seen: int) -> None:
    app = make_app(task_inherit_parent_priority=inherit)

    @app.task(bind=True)
    def read(self: Any) -> Any:
        return self.request.delivery_info["priority"]

    @app.task
    def outer() -> str:
        return str(read.delay().id)

    with worker(app):
        child = value_of(outer.apply_async(priority=6))
        assert value_of(app.AsyncResult(child)) == seen


def test_property_of_the_message(app: Any, read: Any, signal_log: Any) -> None:
    signal_log.listen("before_task_publish")
    read.apply_async(priority=3)
    kwargs = signal_log.of("before_task_publish")[0][1]
    assert kwargs["properties"].get("priority", 3) == 3
