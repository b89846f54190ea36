"""Random canvases, many of them: each ends, as was worked out without running it, and nothing runs twice.

CONFORMANCE_SIDE=oracle runs them in Celery itself with Redis (an environment with celery, not ours): fewer, and without
what the shim deliberately does otherwise.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.celery.namespace import API
from tests.conformance.recording import SIDE

from .celery_canvas_runs import Bench, run

ORACLE = SIDE == "oracle"
if ORACLE:
    from tests.conformance.celery.conftest import redis_url  # noqa: F401
CANVASES = int(os.environ.get("CANVASES", "120" if ORACLE else "2000"))
AT_ONCE = 20 if ORACLE else 100
PREFIX = itertools.count()


@pytest.fixture
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Tasks on an application with a running worker."""
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "0")
    app = API.Celery("canvases", broker="memory://")
    if ORACLE:
        url = request.getfixturevalue("redis_url")
        # A result that is collected after its Redis has ended would look for it for a minute.
        patience = {"retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}}
        app.conf.update(broker_url=url, result_backend=url, result_backend_transport_options=patience)
    made = Bench(API, app)
    options: dict[str, Any] = {"pool": "threads", "concurrency": 4, "perform_ping_check": False}
    with API.mod("contrib.testing.worker").start_worker(app, shutdown_timeout=30.0, loglevel="info", **options):
        yield made
    app.close()


@pytest.mark.parametrize("first", range(0, CANVASES, AT_ONCE))
def test_random_canvases(bench: Bench, first: int, recwarn: pytest.WarningsRecorder) -> None:
    """Tasks that end in every way, nested, with links and errbacks, on four threads."""
    # Limits need prefork workers there; and there RETRY may be stored after the end of the next attempt.
    without = ("limit", "retry", "give up") if ORACLE else ()
    seeds = range(first, min(first + AT_ONCE, CANVASES))
    assert run(bench, seeds, without, ORACLE, f"{os.getpid()}-{next(PREFIX)}-") == []
