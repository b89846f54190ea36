"""Who decides how a call ends: its thread or its hard limit, never both. And calls that a thread of nobody runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from brokerless.compat.celery_shim import Celery, signals
from brokerless.compat.celery_shim.backends.local import LocalBackend
from brokerless.compat.celery_shim.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded
from brokerless.compat.celery_shim.runtime import broker as brokers
from brokerless.compat.celery_shim.runtime import consumer as consumers

from brokerless import limits

LONG = 30.0


@pytest.fixture
def app(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "1")
    # a broker of its own: queues of other tests are not in the way
    with Celery("decisions", broker=f"memory://{request.node.name}", set_as_current=False) as made:
        yield made


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What monitoring hears of a call: the signals of its end."""
    seen: list[str] = []

    def succeeded(**_: Any) -> None:
        seen.append("success")

    def failed(exception: Any = None, **_: Any) -> None:
        seen.append(type(exception).__name__)

    signals.task_success.connect(succeeded)
    signals.task_failure.connect(failed)
    yield seen
    signals.task_success.disconnect(succeeded)
    signals.task_failure.disconnect(failed)


def until(condition: Any) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not happen")


def never_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread gets no exception at its limit: as if it were in our own code, or in C, all the time."""
    monkeypatch.setattr(limits, "may_interrupt", lambda thread_id, task: False)


@pytest.mark.parametrize("ending", ["value", "error", "soft limit", "retry", "replace"])
def test_the_limit_was_first(app: Celery, told: list[str], monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    never_interrupt(monkeypatch)
    gone_on, left = threading.Event(), threading.Event()

    @app.task(shared=False, name="other")
    def other() -> str:
        return "replaced"

    @app.task(bind=True, shared=False, name="late", time_limit=0.05, max_retries=5)
    def late(self: Any) -> str:
        assert gone_on.wait(LONG)
        if ending == "error":
            raise ValueError("late")
        if ending == "soft limit":
            raise SoftTimeLimitExceeded
        if ending == "retry":
            raise self.retry(countdown=0)
        if ending == "replace":
            return self.replace(other.s())  # type: ignore[no-any-return]
        return "late"

    def end(**_: Any) -> None:
        left.set()

    signals.task_postrun.connect(end)
    try:
        result = late.delay()
        with pytest.raises(TimeLimitExceeded):
            result.get(timeout=LONG)
        gone_on.set()  # only now the body ends, with an outcome of its own
        assert left.wait(LONG)
        until(lambda: not brokers.broker_of(app).workers[0].active)
    finally:
        signals.task_postrun.disconnect(end)
    assert app.AsyncResult(result.id).state == "FAILURE"
    assert isinstance(app.AsyncResult(result.id).result, TimeLimitExceeded)
    assert told == ["TimeLimitExceeded"]


@pytest.mark.parametrize("ending", ["value", "error"])
def test_the_thread_was_first(app: Celery, told: list[str], monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    never_interrupt(monkeypatch)
    passed = threading.Event()

    @app.task(shared=False, name="early", time_limit=0.5)
    def early() -> str:
        if ending == "error":
            raise ValueError("early")
        return "early"

    original = consumers.Consumer.on_hard_limit
    monkeypatch.setattr(consumers.Consumer, "on_hard_limit", lambda *args: (told.append("limit"), original(*args)))
    ended = brokers.Broker._ended

    def noticed(self: Any, handle: Any) -> None:
        ended(self, handle)
        passed.set()

    monkeypatch.setattr(brokers.Broker, "_ended", noticed)
    store, storing = LocalBackend._put, threading.Event()

    def slowly(self: Any, task_id: str, record: Any) -> None:
        # the body is through; its limit passes while the outcome is on the way into the store
        storing.set()
        assert passed.wait(LONG)
        store(self, task_id, record)

    monkeypatch.setattr(LocalBackend, "_put", slowly)
    result = early.delay()
    assert storing.wait(LONG)
    if ending == "value":
        assert result.get(timeout=LONG) == "early"
    else:
        with pytest.raises(ValueError, match="early"):
            result.get(timeout=LONG)
    until(lambda: len(told) > 0)
    until(lambda: not brokers.broker_of(app).workers[0].active)
    assert told == (["success"] if ending == "value" else ["ValueError"])


def test_a_limit_that_does_not_pass_changes_nothing(app: Celery, told: list[str]) -> None:
    @app.task(shared=False, name="inner", time_limit=LONG)
    def inner(n: int) -> int:
        return n + 1

    @app.task(shared=False, name="outer", time_limit=LONG)
    def outer(n: int) -> int:
        return int(inner.apply((n,)).get(disable_sync_subtasks=False)) * 10

    assert outer.delay(1).get(timeout=LONG) == 20
    assert outer.delay(2).get(timeout=LONG) == 30


def test_tasks_run_on_the_calling_thread(app: Celery) -> None:
    """``engine.run_until_empty`` runs what waits, also after a worker of another app was there."""
    seen: list[int] = []

    @app.task(shared=False, name="note")
    def note(number: int) -> int:
        seen.append(threading.get_ident())
        return number * 2

    with Celery("other", broker=app.conf.broker_url, set_as_current=False) as other:

        @other.task(shared=False, name="theirs")
        def theirs(number: int) -> int:
            return number * 3

        assert note.delay(1).get(timeout=LONG) == 2
        assert theirs.delay(1).get(timeout=LONG) == 3
        broker = brokers.broker_of(app)
        for worker in broker.workers:
            worker.pool.pause()
        try:
            results = [note.delay(number) for number in range(3)] + [theirs.delay(5)]
            engine = brokers.engine()
            seen.clear()
            assert engine.run_until_empty([broker.named["celery"]]) == 4
        finally:
            for worker in broker.workers:
                worker.pool.resume()
        assert [result.get(timeout=LONG) for result in results] == [0, 2, 4, 15]
        assert set(seen) == {threading.get_ident()}


def test_run_until_empty_after_an_app_with_the_worker_was_closed(app: Celery) -> None:
    with Celery("first", broker=app.conf.broker_url, set_as_current=False) as first:

        @first.task(shared=False, name="of-first")
        def of_first() -> str:
            return "first"

        assert of_first.delay().get(timeout=LONG) == "first"

    @app.task(shared=False, name="of-second")
    def of_second() -> str:
        return threading.current_thread().name

    assert of_second.delay().get(timeout=LONG).startswith("brokerless-")
    broker = brokers.broker_of(app)
    for worker in broker.workers:
        worker.pool.pause()
    result = of_second.delay()
    assert brokers.engine().run_until_empty() == 1
    assert result.get(timeout=LONG) == threading.current_thread().name
    for worker in broker.workers:
        worker.pool.resume()
