"""What RQ does in Lua on the server: unique jobs, and locks with an owner. Here it is Python under the store's lock.

The functions are RQ's; the texts of its scripts and `register_script` are not there, because nothing would run them.
"""

from __future__ import annotations

import calendar
from datetime import datetime
from typing import Any, Literal

from .connections import client_of
from .exceptions import DuplicateJobError
from .runtime import autorun
from .runtime.store import Store, store_of
from .utils import as_text

__all__ = ["acquire_or_refresh_lock", "release_lock", "save_unique_job", "schedule_unique_job"]


def _save_new(store: Store, job: Any) -> None:
    if store.job(job.id) is not None:
        raise DuplicateJobError(f"Job with ID '{job.id}' already exists")
    job.save()
    job.cleanup(ttl=job.ttl)


def save_unique_job(connection: Any, queue_key: str, job: Any, enqueue: bool = True, at_front: bool = False) -> bool:
    """Stores a job, and puts its id into the queue of that key unless `enqueue` is off.

    DuplicateJobError if there is a job of that id.
    """
    store = store_of(connection)
    with store.lock:
        _save_new(store, job)
        if enqueue:
            store.line(queue_key).push(job.id, front=at_front)
    return True


def schedule_unique_job(
    connection: Any, queue_key: str, registry_key: str, job: Any, scheduled_datetime: datetime
) -> bool:
    """Stores a job and enters it into the scheduled registry of that key; a naive time is local time.

    DuplicateJobError if there is a job of that id.
    """
    moment = scheduled_datetime.astimezone()
    store = store_of(connection)
    with store.lock:
        _save_new(store, job)
        store.registered[queue_key] = None
        store.space.scored(registry_key).set(job.id, calendar.timegm(moment.utctimetuple()))
        store.space.touch(registry_key)
        autorun.scheduled(store, job.id, job.origin, moment.timestamp())
    return True


def acquire_or_refresh_lock(
    connection: Any, lock_key: str, owner_token: str, ttl: int
) -> Literal["acquired", "refreshed", "taken"]:
    """Takes a lock for `ttl` seconds if nobody has it, or puts off its end if `owner_token` has it."""
    client = client_of(connection)
    with client._store.lock:
        owner = client.get(lock_key)
        if owner is None:
            client.set(lock_key, owner_token, ex=ttl)
            return "acquired"
        if as_text(owner) != owner_token:
            return "taken"
        client.expire(lock_key, ttl)
    return "refreshed"


def release_lock(connection: Any, lock_key: str, owner_token: str) -> bool:
    """Gives up a lock; False if `owner_token` does not have it."""
    client = client_of(connection)
    with client._store.lock:
        owner = client.get(lock_key)
        return owner is not None and as_text(owner) == owner_token and bool(client.delete(lock_key))
