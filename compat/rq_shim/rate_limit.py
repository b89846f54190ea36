"""`RateLimit` (RQ 3): at most so many jobs of one key are queued or running at a time; the others wait their turn."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .connections import client_of
from .defaults import RQ_KEY_PREFIX
from .runtime.pipeline import later
from .runtime.store import Store, store_of
from .utils import as_text, current_timestamp, now

__all__ = ["RateLimit", "RateLimitRegistry", "release_slot"]


class RateLimit:
    """Given to `enqueue(rate_limit=…)`."""

    def __init__(self, key: str, concurrency: int) -> None:
        if not key:
            raise ValueError("key must not be empty")
        if not isinstance(concurrency, int) or concurrency < 1:
            raise ValueError("concurrency must be an integer of at least 1")
        self.key = key
        self.concurrency = concurrency


class RateLimitRegistry:
    """The jobs of one key: those that are allowed, and those that wait, in order."""

    rl_keys_key = RQ_KEY_PREFIX + ":rl-keys"

    def __init__(self, key: str, connection: Any) -> None:
        self.key = key
        self.connection = connection
        self._client = client_of(connection)

    @property
    def _store(self) -> Store:
        return store_of(self.connection)

    @classmethod
    def all(cls, connection: Any) -> list[RateLimitRegistry]:
        """One for each key in use."""
        return [cls(as_text(key), connection) for key in client_of(connection).smembers(cls.rl_keys_key)]

    @classmethod
    def from_job(cls, job: Any) -> RateLimitRegistry:
        """That of a job's key."""
        return cls(job.rate_limit_key, job.connection)

    @property
    def config_key(self) -> str:
        return f"{RQ_KEY_PREFIX}:rl:{self.key}"

    @property
    def allowed_key(self) -> str:
        return f"{RQ_KEY_PREFIX}:rl:{self.key}:allowed"

    @property
    def rate_limited_key(self) -> str:
        return f"{RQ_KEY_PREFIX}:rl:{self.key}:rate_limited"

    @property
    def concurrency(self) -> int:
        """How many at a time."""
        return int(self._client.hget(self.config_key, "concurrency") or 0)

    def register(self, concurrency: int, pipeline: Any = None) -> None:
        """Notes the limit."""
        later(pipeline, self._client.sadd, self.rl_keys_key, self.key)
        later(pipeline, self._client.hset, self.config_key, "concurrency", concurrency)

    def _ids(self, key: str) -> list[str]:
        return [as_text(member) for member in self._client.zrange(key, 0, -1)]

    def get_allowed_job_ids(self) -> list[str]:
        """Ids of the jobs that are queued or running."""
        return self._ids(self.allowed_key)

    def get_rate_limited_job_ids(self) -> list[str]:
        """Ids of the jobs that wait."""
        return self._ids(self.rate_limited_key)

    def get_allowed_job_count(self) -> int:
        return int(self._client.zcard(self.allowed_key))

    def get_rate_limited_job_count(self) -> int:
        return int(self._client.zcard(self.rate_limited_key))

    def add_to_rate_limited(self, job_id: str, pipeline: Any = None, timestamp: float | None = None) -> None:
        """A job waits."""
        score = current_timestamp() if timestamp is None else timestamp
        later(pipeline, self._client.zadd, self.rate_limited_key, {job_id: score})

    def acquire_and_enqueue(
        self, concurrency: int, enqueued_at: datetime | None = None, pipeline: Any = None
    ) -> list[str]:
        """Queues waiting jobs while there is room; gives their ids."""
        if pipeline is not None:
            later(pipeline, self._acquire, concurrency, enqueued_at)
            return []
        return self._acquire(concurrency, enqueued_at)

    def _acquire(self, concurrency: int, enqueued_at: datetime | None = None) -> list[str]:
        from .job import JobStatus
        from .queue import Queue

        moment = enqueued_at or now()
        promoted: list[str] = []
        with self._store.lock:
            allowed = self._store.space.scored(self.allowed_key)
            waiting = self._store.space.scored(self.rate_limited_key)
            while len(allowed) < concurrency and len(waiting):
                job_id = waiting.ordered()[0]
                waiting.discard(job_id)
                record = self._store.job(job_id)
                if record is None or not record.origin or record.status != JobStatus.RATE_LIMITED:
                    continue
                allowed.set(job_id, current_timestamp())
                record.status = JobStatus.QUEUED
                record.enqueued_at = moment
                queue = Queue(record.origin, connection=self.connection)
                queue._register()
                queue.push_job_id(job_id, at_front=bool(record.get("enqueue_at_front")))
                promoted.append(job_id)
        return promoted

    def release_and_enqueue(self, job_id: str) -> list[str]:
        """A job has ended: the next ones may come."""
        with self._store.lock:
            self._store.space.scored(self.allowed_key).discard(job_id)
            return self._acquire(self.concurrency)

    def release_stale_and_enqueue(self, job_id: str) -> list[str]:
        """The same, unless the job is queued or running after all."""
        with self._store.lock:
            record = self._store.job(job_id)
            if record is not None and record.status in ("queued", "started"):
                return []
            if len(self._store.space.scored(f"{RQ_KEY_PREFIX}:executions:{job_id}").ordered()):
                return []
            if not self._store.space.scored(self.allowed_key).discard(job_id):
                return []
            return self._acquire(self.concurrency)

    def cancel(self, job_id: str, pipeline: Any = None) -> list[str]:
        """A job waits no more."""
        later(pipeline, self._client.zrem, self.rate_limited_key, job_id)
        return [] if pipeline is not None else self.release_stale_and_enqueue(job_id)

    def cleanup(self) -> None:
        """Frees the places of jobs that are gone, and forgets the key when it has no jobs."""
        for job_id in self.get_allowed_job_ids():
            self.release_stale_and_enqueue(job_id)
        if self.concurrency and self._acquire(self.concurrency):
            return
        with self._store.lock:
            if not self.get_allowed_job_count() and not self.get_rate_limited_job_count():
                self._client.srem(self.rl_keys_key, self.key)
                self._client.delete(self.config_key)


def release_slot(job: Any) -> list[str]:
    """After a run: the job's place is free, unless it is queued again."""
    if not job.has_rate_limit or job.get_status(refresh=False) in ("queued", "started"):
        return []
    return RateLimitRegistry.from_job(job).release_and_enqueue(job.id)
