"""`BaseRegistry`: a set of job ids with a time, of one queue. Public as `registry.BaseRegistry`."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ..connections import get_connection_kwargs, implicit_connection
from ..defaults import FORMAT_KEY_PREFIX
from ..exceptions import InvalidJobOperation
from ..job import Job
from ..queue import Queue
from ..serializers import resolve_serializer
from ..timeouts import UnixSignalDeathPenalty
from ..utils import backend_class, current_timestamp
from .keycommands import cut
from .pipeline import later
from .scored import ScoredSet
from .store import Store, store_of

__all__ = ["BaseRegistry"]

INFINITE = float("inf")


class BaseRegistry:
    """One kind of registry of one queue. The time of an entry is when it ends, unless a subclass says otherwise."""

    job_class: Any = Job
    death_penalty_class: Any = UnixSignalDeathPenalty
    key_template = FORMAT_KEY_PREFIX + ":registry:{0}"

    def __init__(
        self,
        name: str = "default",
        connection: Any = None,
        job_class: Any = None,
        queue: Queue | None = None,
        serializer: Any = None,
        death_penalty_class: Any = None,
    ) -> None:
        if queue is not None:
            self.name = queue.name
            self.connection = queue.connection
            self.serializer = queue.serializer
        else:
            self.name = name
            self.connection = implicit_connection() if connection is None else connection
            self.serializer = resolve_serializer(serializer)
        self.key = self.key_template.format(self.name)
        self.job_class = job_class if job_class else Job
        self.death_penalty_class = backend_class(self, "death_penalty_class", override=death_penalty_class)

    @property
    def _store(self) -> Store:
        return store_of(self.connection)

    @property
    def _scored(self) -> ScoredSet:
        return self._store.space.scored(self.key)

    def __len__(self) -> int:
        return self.count

    def __eq__(self, other: Any) -> bool:
        return bool(
            self.name == other.name
            and get_connection_kwargs(self.connection) == get_connection_kwargs(other.connection)
        )

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, item: Any) -> bool:
        return self._id_of(item) in self._scored

    def _id_of(self, item: Any) -> Any:
        return item.id if isinstance(item, self.job_class) else item

    @property
    def count(self) -> int:
        """How many entries there are, after a clean-up."""
        return self.get_job_count(cleanup=True)

    def get_job_count(self, cleanup: bool = True) -> int:
        """How many entries there are."""
        if cleanup:
            self.cleanup()
        return len(self._scored)

    def _set(self, member: str, score: float, xx: bool = False) -> int:
        store = self._store
        with store.lock:
            scored = self._scored
            if xx and member not in scored:
                return 0
            added = scored.set(member, score)
            store.space.touch(self.key)
        return int(added)

    @staticmethod
    def _end(ttl: float) -> float:
        """The score of an entry that ends in `ttl` seconds; -1: never."""
        if ttl == -1:
            return INFINITE
        return ttl if ttl < 0 else current_timestamp() + ttl

    def add(self, job: Any, ttl: int = 0, pipeline: Any = None, xx: bool = False) -> Any:
        """Enters a job for `ttl` seconds (-1: for good); `xx`: only if it is in."""
        return later(pipeline, self._set, job.id, self._end(ttl), xx)

    def _discard(self, member: str) -> int:
        with self._store.lock:
            self._store.space.touch(self.key)
            return int(self._scored.discard(member))

    def remove(self, job: Any, pipeline: Any = None, delete_job: bool = False) -> Any:
        """Takes a job out: 1, or 0 if it was not in; `delete_job` deletes it as well."""
        job_id = self._id_of(job)
        answer = later(pipeline, self._discard, job_id)
        if delete_job:
            if not isinstance(job, self.job_class):
                job = Job.fetch(job_id, connection=self.connection, serializer=self.serializer)
            job.delete()
        return answer

    def get_expired_job_ids(self, timestamp: float | None = None) -> list[str]:
        """Ids whose time has passed."""
        limit = current_timestamp() if timestamp is None else timestamp
        with self._store.lock:
            return [self.parse_job_id(member) for member in self._scored.due(limit)]

    def _members(self, start: int, end: int, desc: bool = False) -> list[str]:
        with self._store.lock:
            members = self._scored.ordered()
        if desc:
            members.reverse()
        return list(cut(members, start, end))

    def get_job_ids(self, start: int = 0, end: int = -1, desc: bool = False, cleanup: bool = True) -> list[str]:
        """Ids by time, from place `start` to `end`, both included."""
        if cleanup:
            self.cleanup()
        return [self.parse_job_id(member) for member in self._members(start, end, desc)]

    def get_queue(self) -> Queue:
        """The queue that this registry belongs to."""
        return Queue(self.name, connection=self.connection, serializer=self.serializer)

    def get_expiration_time(self, job: Any) -> datetime:
        """The time of a job's entry."""
        return datetime.fromtimestamp(self._scored.scores[job.id], timezone.utc)

    def requeue(self, job_or_id: Any, at_front: bool = False) -> Any:
        """Queues a job of this registry again; InvalidJobOperation if it is not in."""
        if isinstance(job_or_id, self.job_class):
            job, serializer = job_or_id, job_or_id.serializer
        else:
            serializer = self.serializer
            job = self.job_class.fetch(job_or_id, connection=self.connection, serializer=serializer)
        with self._store.lock:
            if not self._discard(job.id):
                raise InvalidJobOperation
            queue = Queue(job.origin, connection=self.connection, job_class=self.job_class, serializer=serializer)
            job.started_at = None
            job.ended_at = None
            job._exc_info = ""
            if job.has_rate_limit:
                job.enqueue_at_front = at_front
                return queue._enqueue_rate_limited_job(job)
            queue._register()
            return queue._enqueue_job(job, at_front=at_front)

    @staticmethod
    def parse_job_id(entry: Any) -> str:
        return entry.decode() if isinstance(entry, bytes) else entry

    def cleanup(self, timestamp: float | None = None, exception_handlers: Any = None) -> Any:
        """Takes out what has ended, where entries end."""

    def _remove_due(self, timestamp: float | None) -> int:
        with self._store.lock:
            return self._scored.remove_due(current_timestamp() if timestamp is None else timestamp)
