"""Names of the cron schedulers that are alive, with their last sign of life."""

from __future__ import annotations

import time
from typing import Any

from .connections import client_of
from .defaults import DEFAULT_CRON_SCHEDULER_TTL, RQ_KEY_PREFIX
from .exceptions import DuplicateSchedulerError, SchedulerNotFound
from .runtime.pipeline import later
from .utils import as_text

__all__ = ["cleanup", "get_keys", "get_registry_key", "register", "unregister"]


def get_registry_key() -> str:
    return RQ_KEY_PREFIX + ":cron_schedulers"


def register(cron_scheduler: Any, pipeline: Any = None) -> None:
    """Notes a scheduler; DuplicateSchedulerError when its name is taken."""
    client = client_of(cron_scheduler.connection)
    entry = {cron_scheduler.name: time.time()}
    if pipeline is not None:
        # With a pipeline nobody can know yet whether the name is taken.
        later(pipeline, client.zadd, get_registry_key(), entry, nx=True)
    elif not client.zadd(get_registry_key(), entry, nx=True):
        raise DuplicateSchedulerError(f"CronScheduler '{cron_scheduler.name}' is already registered")


def unregister(cron_scheduler: Any, pipeline: Any = None) -> None:
    """Forgets a scheduler; SchedulerNotFound when it is not known."""
    if not client_of(cron_scheduler.connection).zrem(get_registry_key(), cron_scheduler.name):
        raise SchedulerNotFound(f"CronScheduler '{cron_scheduler.name}' not found in registry")


def get_keys(connection: Any) -> list[str]:
    """Their names."""
    return [as_text(name) for name in client_of(connection).zrange(get_registry_key(), 0, -1)]


def cleanup(connection: Any, threshold: int = DEFAULT_CRON_SCHEDULER_TTL) -> int:
    """Forgets those that gave no sign of life for `threshold` seconds; how many there were."""
    return int(client_of(connection).zremrangebyscore(get_registry_key(), 0, time.time() - threshold))
