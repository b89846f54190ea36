"""Rate limits: spacing of one task's starts in one worker, the setting that turns them off, the command.

Their text forms are checked through the attribute and the control command.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from .waiting import until, value_of


def last_start(app: Any, worker: Any, count: int, **options: Any) -> float:
    """When the last of `count` calls of one task started: seconds since the first was sent."""
    times: list[float] = []

    @app.task(**options)
    def note() -> None:
        times.append(time.monotonic())

    with worker(app, concurrency=2):
        sent = time.monotonic()
        for _ in range(count):
            note.delay()
        until(lambda: len(times) == count)
    return times[-1] - sent


@pytest.mark.parametrize(("limit", "spacing"), [("5/s", 0.2), (4, 0.25), ("240/m", 0.25), (10.0, 0.1)])
def test_spacing(app: Any, worker: Any, limit: Any, spacing: float) -> None:
    # A busy machine may start the first ones late and together; none starts early.
    assert last_start(app, worker, 4, rate_limit=limit) >= 3 * spacing * 0.8


@pytest.mark.parametrize("limit", [None, 0, "0/s", "1000/s"])
def test_no_limit_worth_waiting_for(app: Any, worker: Any, limit: Any) -> None:
    assert last_start(app, worker, 5, rate_limit=limit) < 1


def test_rate_limits_disabled(make_app: Any, worker: Any) -> None:
    assert last_start(make_app(worker_disable_rate_limits=True), worker, 5, rate_limit="1/m") < 2


def test_default_rate_limit_of_the_settings(make_app: Any, worker: Any) -> None:
    app = make_app(task_default_rate_limit="5/s")
    assert last_start(app, worker, 4) >= 0.45


def test_other_tasks_are_not_held_up(app: Any, worker: Any) -> None:
    @app.task(rate_limit="1/m")
    def slow() -> None:
        """Limited."""

    @app.task
    def quick() -> int:
        return 1

    with worker(app, concurrency=1):
        for _ in range(3):
            slow.delay()
        assert value_of(quick.delay()) == 1


def test_each_task_has_its_own_bucket(app: Any, worker: Any) -> None:
    seen: list[str] = []

    @app.task(rate_limit="1/m", name="one")
    def one() -> None:
        seen.append("one")

    @app.task(rate_limit="1/m", name="two")
    def two() -> None:
        seen.append("two")

    with worker(app):
        one.delay()
        two.delay()
        until(lambda: sorted(seen) == ["one", "two"])


def test_rate_limit_command(app: Any, worker: Any, observed: Any) -> None:
    times: list[float] = []

    @app.task(name="note", rate_limit="1/m")
    def note() -> None:
        times.append(time.monotonic())

    with worker(app):
        replies = app.control.rate_limit("note", "100/s", reply=True, timeout=1)
        observed("set", [list(reply.values()) for reply in replies])
        for _ in range(4):
            note.delay()
        until(lambda: len(times) == 4)
        assert app.tasks["note"].rate_limit == "100/s"
        observed("unknown", [list(r.values()) for r in app.control.rate_limit("nothing", "1/s", reply=True, timeout=1)])
        observed("wrong", [list(r.values()) for r in app.control.rate_limit("note", "x/y", reply=True, timeout=1)])


@pytest.mark.parametrize("text", ["10/s", "10/m", "10/h", "10", 10, 2.5, None, "", 0])
def test_rate_function(api: Any, observed: Any, text: Any) -> None:
    observed("per second", api.mod("utils.time").rate(text))


def test_revoked_tasks_do_not_wait_for_the_limit(api: Any, app: Any, worker: Any) -> None:
    @app.task(rate_limit="1/m")
    def slow() -> None:
        """Limited."""

    with worker(app, concurrency=1):
        value_of(slow.delay())
        waiting = slow.delay()
        waiting.revoke()
        with pytest.raises(api.exceptions.TaskRevokedError):
            value_of(waiting)
