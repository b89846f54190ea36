"""Events cost nothing while nobody listens: nothing is made for them, and no timer runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from brokerless.compat.celery_shim import Celery
from brokerless.compat.celery_shim.contrib.testing.worker import start_worker

from tests.conformance.celery.waiting import until


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An application whose worker would send everything."""
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "0")
    with Celery("cost", broker="memory://events-cost", set_as_current=False) as app:
        app.conf.worker_send_task_events = app.conf.task_send_sent_event = True
        app.task(name="add", shared=False)(lambda x, y: x + y)
        yield app


def test_nothing_is_made_without_a_receiver(app: Any) -> None:
    with start_worker(app, perform_ping_check=False, without_heartbeat=False) as worker:
        assert app.tasks["add"].delay(1, 2).get(timeout=10) == 3
        assert "eventer" not in worker.consumer.__dict__
        app.control.broadcast("heartbeat")
        assert "eventer" not in worker.consumer.__dict__


def test_heartbeats_end_with_the_last_receiver(app: Any) -> None:
    seen: list[Any] = []
    options = {"without_heartbeat": False, "heartbeat_interval": 0.01}
    with start_worker(app, perform_ping_check=False, **options) as worker:
        receiver = app.events.Receiver(None, handlers={"worker-heartbeat": seen.append})
        for _ in receiver.itercapture(timeout=10):
            if len(seen) >= 3:
                break
        until(lambda: worker.consumer.eventer._timer is None)
        assert not worker.consumer.bus.listening
        again = app.events.Receiver(None, handlers={"worker-online": seen.append})
        next(again.itercapture(timeout=10))
        assert worker.consumer.eventer._timer is not None


def test_a_receiver_that_does_not_read_holds_a_limited_number(app: Any) -> None:
    from brokerless.compat.celery_shim.events.bus import Mailbox

    mailbox = Mailbox(size=3)
    for number in range(5):
        mailbox.put("task.sent", {"number": number})
    assert [mailbox.take(0)["number"] for _ in range(3)] == [2, 3, 4]
    assert mailbox.dropped == 2
    with pytest.raises(TimeoutError):
        mailbox.take(0)
