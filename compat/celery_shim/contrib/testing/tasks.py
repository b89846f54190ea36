"""``celery.ping``: the task that test workers answer to show that they run."""

from __future__ import annotations

from ...app import shared_task


@shared_task(name="celery.ping")
def ping() -> str:
    return "pong"
