"""Which workers there are, and for which queues."""

from __future__ import annotations

from typing import Any

from .connections import client_of
from .defaults import RQ_KEY_PREFIX
from .runtime.pipeline import later
from .utils import as_text

__all__ = ["clean_worker_registry", "get_keys", "register", "unregister"]

WORKERS_BY_QUEUE_KEY = RQ_KEY_PREFIX + ":workers:%s"
REDIS_WORKER_KEYS = RQ_KEY_PREFIX + ":workers"
MAX_KEYS = 1000


def register(worker: Any, pipeline: Any = None) -> None:
    """Notes a worker."""
    client = client_of(worker.connection)
    for key in [worker.redis_workers_keys, *(WORKERS_BY_QUEUE_KEY % name for name in worker.queue_names())]:
        later(pipeline, client.sadd, key, worker.key)


def unregister(worker: Any, pipeline: Any = None) -> None:
    """Forgets a worker."""
    client = client_of(worker.connection)
    for key in [worker.redis_workers_keys, *(WORKERS_BY_QUEUE_KEY % name for name in worker.queue_names())]:
        later(pipeline, client.srem, key, worker.key)


def get_keys(queue: Any = None, connection: Any = None) -> set[str]:
    """Keys of the workers of a queue, or of all."""
    if queue is None and connection is None:
        raise ValueError('"Queue" or "connection" argument is required')
    if queue is not None:
        return {as_text(key) for key in client_of(queue.connection).smembers(WORKERS_BY_QUEUE_KEY % queue.name)}
    return {as_text(key) for key in client_of(connection).smembers(REDIS_WORKER_KEYS)}


def clean_worker_registry(queue: Any) -> None:
    """Forgets workers that gave no sign of life."""
    client = client_of(queue.connection)
    gone = [key for key in get_keys(queue) if not client.exists(key)]
    if gone:
        client.srem(WORKERS_BY_QUEUE_KEY % queue.name, *gone)
        client.srem(REDIS_WORKER_KEYS, *gone)
