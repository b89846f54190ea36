"""A retry at once may be over before the attempt that asked for it: its end stays."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from brokerless.compat.celery_shim import Celery, Signature
from brokerless.compat.celery_shim.contrib.testing.worker import start_worker

from tests.conformance.celery.waiting import until


def test_the_last_attempt_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "0")
    app = Celery("order", broker="memory://")
    over = threading.Event()

    @app.task(name="order.stubborn", bind=True, max_retries=1)
    def stubborn(self: Any) -> None:
        if self.request.retries == 0:
            raise self.retry(countdown=0)
        raise ValueError("last attempt")

    send = Signature.apply_async

    def send_and_wait(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Let the next attempt end before this one goes on."""
        result = send(self, *args, **kwargs)
        if self.options.get("retries"):
            until(lambda: result.state == "FAILURE")
            over.set()
        return result

    monkeypatch.setattr(Signature, "apply_async", send_and_wait)
    with start_worker(app, pool="threads", concurrency=2, perform_ping_check=False):
        result = stubborn.delay()
        assert over.wait(20)
    assert result.state == "FAILURE"
    assert repr(result.result) == "ValueError('last attempt')"
    app.close()


def test_a_revoke_while_the_attempt_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits until the next attempt is due."""
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "0")
    app = Celery("order", broker="memory://")
    revoked = threading.Event()

    class Slow(app.Task):  # type: ignore[name-defined,misc]
        def on_retry(self, *args: Any) -> None:
            assert revoked.wait(20)

    @app.task(name="order.later", base=Slow, bind=True)
    def later(self: Any) -> None:
        raise self.retry(countdown=600)

    with start_worker(app, pool="threads", concurrency=2, perform_ping_check=False):
        result = later.delay()
        until(lambda: result.state == "RETRY")
        result.revoke()
        revoked.set()
        until(lambda: result.state == "REVOKED")
    app.close()
