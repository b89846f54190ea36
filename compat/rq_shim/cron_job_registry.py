"""Names of the cron jobs that have been enqueued, with the time of the last one."""

from __future__ import annotations

import time
from typing import Any

from .connections import client_of
from .defaults import DEFAULT_CRON_JOB_HISTORY_TTL, RQ_KEY_PREFIX
from .utils import as_text

__all__ = ["add", "get_names", "get_registry_key", "remove_stale_entries"]


def get_registry_key() -> str:
    return f"{RQ_KEY_PREFIX}:cron_jobs"


def add(name: str, connection: Any, enqueue_timestamp: float | None = None) -> None:
    """Notes that a job of that name was enqueued."""
    client_of(connection).zadd(get_registry_key(), {name: enqueue_timestamp or time.time()})


def get_names(connection: Any, cleanup: bool = True) -> list[str]:
    """The names, least recent first."""
    if cleanup:
        remove_stale_entries(connection)
    return [as_text(name) for name in client_of(connection).zrange(get_registry_key(), 0, -1)]


def remove_stale_entries(connection: Any, threshold: int = DEFAULT_CRON_JOB_HISTORY_TTL) -> int:
    """Forgets names whose last job is older than `threshold` seconds; how many there were."""
    return int(client_of(connection).zremrangebyscore(get_registry_key(), 0, time.time() - threshold))
