"""A retried task: the end of a try is told before the next one begins, however slow the thread of the first one is."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from brokerless.compat.celery_shim import Celery
from brokerless.compat.celery_shim.contrib.testing.worker import start_worker


def test_a_slow_retry_does_not_replace_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "0")
    with Celery("order", broker="memory://retry-order", set_as_current=False) as app:
        second_ended = threading.Event()

        @app.task(name="again", bind=True, max_retries=1, shared=False)
        def again(self: Any) -> None:
            raise self.retry(countdown=0, exc=ValueError("no"))

        again.on_failure = lambda *args: second_ended.set()
        store = app.backend.mark_as_retry

        def slow_store(*args: Any, **kwargs: Any) -> Any:
            second_ended.wait(0.3)  # true at once if the second try does not wait for this one
            return store(*args, **kwargs)

        monkeypatch.setattr(app.backend, "mark_as_retry", slow_store)
        with start_worker(app, concurrency=2, pool="threads", perform_ping_check=False):
            result = again.delay()
            assert second_ended.wait(10)
        # the worker has stopped: nobody stores anything any more
        assert app.AsyncResult(result.id).state == "FAILURE"
