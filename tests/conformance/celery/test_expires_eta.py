"""When a task runs and when it is too late: countdown, eta, expires, time zones.

Rate limits have test_rate_limit.py; retries carry their own times in test_retry.py.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from .waiting import until, value_of


@pytest.fixture
def clock(app: Any) -> Any:
    """A task that answers with the time at which it ran."""

    @app.task(name="clock")
    def clock() -> float:
        return time.time()

    return clock


def test_countdown(app: Any, worker: Any, clock: Any) -> None:
    with worker(app):
        asked = time.time()
        assert value_of(clock.apply_async(countdown=0.4)) - asked >= 0.4


@pytest.mark.parametrize("countdown", [0, -5, None])
def test_no_delay(app: Any, worker: Any, clock: Any, countdown: Any) -> None:
    with worker(app):
        asked = time.time()
        assert value_of(clock.apply_async(countdown=countdown)) - asked < 3


def test_eta(app: Any, worker: Any, clock: Any) -> None:
    with worker(app):
        when = datetime.now(timezone.utc) + timedelta(seconds=0.4)
        assert value_of(clock.apply_async(eta=when)) >= when.timestamp()


def test_eta_in_another_zone(app: Any, worker: Any, clock: Any) -> None:
    zone = timezone(timedelta(hours=9))
    with worker(app):
        when = datetime.now(zone) + timedelta(seconds=0.4)
        ran = value_of(clock.apply_async(eta=when))
        assert 0 <= ran - when.timestamp() < 3


def test_eta_in_the_past(app: Any, worker: Any, clock: Any) -> None:
    with worker(app):
        asked = time.time()
        assert value_of(clock.apply_async(eta=datetime.now(timezone.utc) - timedelta(days=1))) - asked < 3


def test_eta_as_text(app: Any, worker: Any, clock: Any) -> None:
    with worker(app):
        when = datetime.now(timezone.utc) + timedelta(seconds=0.4)
        assert value_of(clock.apply_async(eta=when.isoformat())) >= when.timestamp()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_naive_eta_is_utc(make_app: Any, worker: Any, zone: str) -> None:
    app = make_app(timezone=zone)

    @app.task
    def clock() -> float:
        return time.time()

    with worker(app):
        when = datetime.now(timezone.utc) + timedelta(seconds=0.4)
        ran = value_of(clock.apply_async(eta=when.replace(tzinfo=None)))
        assert 0 <= ran - when.timestamp() < 3


def test_countdown_wins_over_eta(app: Any, worker: Any, clock: Any) -> None:
    with worker(app):
        asked = time.time()
        later = datetime.now(timezone.utc) + timedelta(hours=1)
        assert value_of(clock.apply_async(countdown=0.1, eta=later)) - asked < 5


def test_delayed_tasks_run_in_the_order_of_their_times(app: Any, worker: Any) -> None:
    seen: list[int] = []

    @app.task
    def note(x: int) -> None:
        seen.append(x)

    with worker(app, concurrency=1):
        note.apply_async((3,), countdown=1.2)
        note.apply_async((1,), countdown=0.2)
        note.apply_async((2,), countdown=0.7)
        until(lambda: len(seen) == 3)
    assert seen == [1, 2, 3]


def test_a_delayed_task_does_not_hold_a_thread(app: Any, worker: Any, clock: Any) -> None:
    with worker(app, concurrency=1):
        clock.apply_async(countdown=600)
        asked = time.time()
        assert value_of(clock.delay()) - asked < 3


def test_state_while_delayed(app: Any, worker: Any, clock: Any) -> None:
    with worker(app):
        result = clock.apply_async(countdown=600)
        value_of(clock.delay())
        assert result.state == "PENDING"
        assert result.ready() is False


def test_message_of_a_countdown(app: Any, worker: Any, clock: Any, signal_log: Any) -> None:
    signal_log.listen("before_task_publish")
    clock.apply_async(countdown=30)
    headers = signal_log.of("before_task_publish")[0][1]["headers"]
    delay = datetime.fromisoformat(headers["eta"]) - datetime.now(timezone.utc)
    assert timedelta(seconds=25) < delay <= timedelta(seconds=30)


@pytest.mark.parametrize("expires", [0, -3, timedelta(days=-1)])
def test_already_expired(api: Any, app: Any, worker: Any, clock: Any, expires: Any) -> None:
    with worker(app):
        value = datetime.now(timezone.utc) + expires if isinstance(expires, timedelta) else expires
        result = clock.apply_async(expires=value)
        with pytest.raises(api.exceptions.TaskRevokedError) as caught:
            value_of(result)
        assert str(caught.value) == "expired"
        assert result.state == "REVOKED"


@pytest.mark.parametrize("kind", ["seconds", "datetime", "text", "naive"])
def test_not_yet_expired(app: Any, worker: Any, clock: Any, kind: str) -> None:
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    value = {"seconds": 3600, "datetime": later, "text": later.isoformat(), "naive": later.replace(tzinfo=None)}[kind]
    with worker(app):
        assert value_of(clock.apply_async(expires=value))


def test_expires_before_its_time_comes(api: Any, app: Any, worker: Any, clock: Any) -> None:
    with worker(app):
        result = clock.apply_async(countdown=1, expires=0.3)
        with pytest.raises(api.exceptions.TaskRevokedError, match="expired"):
            value_of(result)


def test_expires_of_the_class(api: Any, app: Any, worker: Any) -> None:
    ran: list[int] = []

    @app.task(expires=-1)
    def never() -> None:
        ran.append(1)

    with worker(app):
        with pytest.raises(api.exceptions.TaskRevokedError):
            value_of(never.delay())
        assert ran == []


@pytest.mark.manual
def test_expires_while_no_worker_runs(api: Any, app: Any, worker: Any, clock: Any) -> None:
    result = clock.apply_async(expires=0.1)
    end = time.monotonic() + 0.2
    until(lambda: time.monotonic() > end)
    with worker(app), pytest.raises(api.exceptions.TaskRevokedError):
        value_of(result)


def test_revoked_signal_of_an_expired_task(app: Any, worker: Any, clock: Any, signal_log: Any) -> None:
    signal_log.listen("task_revoked")
    with worker(app):
        result = clock.apply_async(expires=-1)
        until(lambda: signal_log.names())
        sender, kwargs = signal_log.of("task_revoked")[0]
        assert sender.name == "clock"
        assert kwargs["expired"] is True
        assert kwargs["terminated"] is False
        assert kwargs["signum"] is None
        assert kwargs["request"].id == result.id


@pytest.mark.parametrize("options", [{"countdown": 600}, {"expires": -5}, {"eta": datetime(2040, 1, 1)}])
def test_ignored_in_eager_mode(make_app: Any, options: Any) -> None:
    @make_app(task_always_eager=True).task
    def one() -> int:
        return 1

    assert one.apply_async(**options).get() == 1


@pytest.mark.parametrize("countdown", [True, "text"])
def test_odd_countdowns(clock: Any, observed: Any, countdown: Any) -> None:
    try:
        clock.apply_async(countdown=countdown)
        observed("accepted", True)
    except Exception as error:
        observed("raised", type(error).__name__)


@pytest.mark.parametrize("seconds", [10**9, 10**12])
def test_huge_countdowns(clock: Any, observed: Any, seconds: int) -> None:
    try:
        clock.apply_async(countdown=seconds)
        observed("accepted", True)
    except Exception as error:
        observed("raised", type(error).__name__)


def test_eta_is_exact(app: Any, worker: Any, clock: Any, observed: Any) -> None:
    with worker(app):
        when = time.time() + 0.2
        ran = value_of(clock.apply_async(countdown=0.2))
        if observed.differs("celery-delays-are-exact"):
            assert ran - when < 0.25
        else:
            assert ran - when < 3
