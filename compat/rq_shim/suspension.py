"""Suspend and resume all workers of a connection."""

from __future__ import annotations

from typing import Any

from .connections import client_of
from .defaults import RQ_KEY_PREFIX

__all__ = ["WORKERS_SUSPENDED", "is_suspended", "resume", "suspend"]

WORKERS_SUSPENDED = RQ_KEY_PREFIX + ":suspended"


def is_suspended(connection: Any, worker: Any = None) -> int:
    """1 while workers are to take no new jobs, else 0."""
    if worker is not None:
        worker.heartbeat()
    return client_of(connection).exists(WORKERS_SUSPENDED)


def suspend(connection: Any, ttl: int | None = None) -> None:
    """From now on, or for `ttl` seconds, workers finish what they do and take no new jobs."""
    client = client_of(connection)
    client.set(WORKERS_SUSPENDED, 1)
    if ttl is not None:
        client.expire(WORKERS_SUSPENDED, ttl)
    _tell(client)


def resume(connection: Any) -> int:
    """Workers take jobs again; 1 if they were suspended."""
    client = client_of(connection)
    answer = client.delete(WORKERS_SUSPENDED)
    _tell(client)
    return answer


def _tell(client: Any) -> None:
    if client._store.autorun is not None:
        client._store.autorun.look_at_suspension()
