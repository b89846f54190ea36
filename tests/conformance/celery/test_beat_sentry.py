"""Sentry's monitors of periodic tasks: it replaces `Scheduler.apply_entry` and reads crontabs and intervals."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from .test_addons_hooks import run

pytestmark = pytest.mark.skipif(importlib.util.find_spec("sentry_sdk") is None, reason="sentry_sdk is not installed")

INIT = """
    import sentry_sdk
    from sentry_sdk.integrations.celery import CeleryIntegration
    from sentry_sdk.transport import Transport
    envelopes = []
    class Memory(Transport):
        def capture_envelope(self, envelope):
            envelopes.append(envelope)
    sentry_sdk.init(
        dsn="http://a@127.0.0.1:1/1", transport=Memory, default_integrations=False,
        integrations=[CeleryIntegration(monitor_beat_tasks=True, exclude_beat_tasks=["left-out"])],
    )
    from celery import beat, schedules

    @app.task(name="ok")
    def ok():
        return 1

    @app.task(name="bad")
    def bad():
        raise ValueError("no")

    def send(name, task, schedule):
        scheduler = beat.Scheduler(app=app)
        entry = scheduler.add(name=name, task=task, schedule=schedule)
        results = []
        original = scheduler.apply_async
        scheduler.apply_async = lambda *args, **kwargs: results.append(original(*args, **kwargs)) or results[-1]
        scheduler.apply_entry(entry)
        results[0].get(timeout=20, interval=0.01, propagate=False)

    def checkins():
        sentry_sdk.flush()
        items = [item.payload.json for envelope in envelopes for item in envelope.items if item.type == "check_in"]
        return [[item["monitor_slug"], item["status"], (item.get("monitor_config") or {}).get("schedule")] for item in items]
"""


def test_monitors(observed: Any) -> None:
    # the worker has handled a task when the next one of its only thread has a result
    script = """
    with running():
        send("cron", "ok", schedules.crontab(minute="*/5", hour=3))
        send("failing", "bad", schedules.crontab(minute=0))
        send("interval", "ok", schedules.schedule(7200))
        send("too often", "ok", schedules.schedule(0.5))
        send("left-out", "ok", schedules.crontab())
        value(ok.delay())
    print(json.dumps(sorted(checkins(), key=lambda found: found[0])))  # in the order of each monitor
    """
    observed("check-ins", run(INIT + script))
