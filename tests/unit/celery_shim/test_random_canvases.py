"""A sample of the random canvases of tests/stress/test_celery_canvases.py, for every day."""

from __future__ import annotations

import logging
import warnings

import pytest
from brokerless.compat.celery_shim.contrib.testing.worker import start_worker

from tests.conformance.celery.namespace import Namespace
from tests.stress.celery_canvas_runs import Bench, run

API = Namespace("brokerless.compat.celery_shim")


def test_sixty_canvases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "0")
    warnings.simplefilter("ignore")
    app = API.Celery("canvases", broker="memory://")
    bench = Bench(API, app)
    with start_worker(app, pool="threads", concurrency=4, perform_ping_check=False):
        assert run(bench, range(10_000, 10_060)) == []
    app.close()
