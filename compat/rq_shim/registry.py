"""Registries: where a queue's jobs are that do not wait in it. Each is a set of job ids with a time."""

from __future__ import annotations

import calendar
import logging
import warnings
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from .callbacks import execute_failure_callback
from .connections import get_connection_kwargs, implicit_connection
from .defaults import DEFAULT_FAILURE_TTL, FORMAT_KEY_PREFIX
from .exceptions import AbandonedJobError, InvalidJobOperation, NoSuchJobError
from .job import Job, JobStatus
from .job_lifecycle import call_exception_handlers, record_job_failure
from .queue import Queue
from .rate_limit import RateLimitRegistry, release_slot
from .runtime import autorun
from .runtime.commands import cut
from .runtime.pipeline import later
from .runtime.scored import ScoredSet
from .runtime.store import Store, store_of
from .serializers import resolve_serializer
from .timeouts import UnixSignalDeathPenalty
from .utils import backend_class, current_timestamp, now, parse_composite_key

if TYPE_CHECKING:
    from .executions import Execution

__all__ = [
    "BaseRegistry",
    "CanceledJobRegistry",
    "DeferredJobRegistry",
    "FailedJobRegistry",
    "FinishedJobRegistry",
    "ReadyJobRegistry",
    "ScheduledJobRegistry",
    "StartedJobRegistry",
    "clean_registries",
]

logger = logging.getLogger("rq.registry")

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


class StartedJobRegistry(BaseRegistry):
    """Runs under way, as "job:execution", each until the next sign of life is due."""

    key_template = FORMAT_KEY_PREFIX + ":wip:{0}"

    @property
    def _scored(self) -> ScoredSet:
        store = self._store
        if store.autorun is not None:
            store.autorun.show_runs()
        return store.space.scored(self.key)

    def cleanup(self, timestamp: float | None = None, exception_handlers: Any = None) -> None:
        """Fails (or retries) jobs whose worker gave no sign of life in time."""
        limit = current_timestamp() if timestamp is None else timestamp
        job_ids = self.get_expired_job_ids(limit)
        if not job_ids:
            return
        queue = self.get_queue()
        over: list[Any] = []
        failed: list[tuple[Any, str]] = []
        for job_id in job_ids:
            try:
                job = self.job_class.fetch(job_id, connection=self.connection, serializer=self.serializer)
            except NoSuchJobError:
                continue
            if job.get_status(refresh=False) != JobStatus.STARTED:
                continue
            error = AbandonedJobError()
            try:
                execute_failure_callback(job, self.death_penalty_class, AbandonedJobError, error, None)
            except Exception:
                logger.exception("%s cleanup: failure callback for job %s raised", type(self).__name__, job.id)
            if exception_handlers:
                call_exception_handlers(exception_handlers, job, AbandonedJobError, error, None)
            if job.should_retry:
                job.retry(queue)
            else:
                reason = f"Moved to {FailedJobRegistry.__name__}, due to {AbandonedJobError.__name__}, at {now()}"
                logger.warning("%s cleanup: %s %s", type(self).__name__, job.id, reason)
                with self._store.lock:
                    record_job_failure(job, reason)
                queue.enqueue_dependents(job, refresh_job_status=False)
                failed.append((job, reason))
            over.append(job)
        self._remove_due(limit)
        for job, reason in failed:
            job.send_webhooks(JobStatus.FAILED, exc_string=reason)
        for job in over:
            release_slot(job)

    def add_execution(self, execution: Execution, pipeline: Any = None, ttl: int = 0, xx: bool = False) -> Any:
        """Enters a run, or (`xx`) puts off its end."""
        return later(pipeline, self._set, execution.composite_key, self._end(ttl), xx)

    def remove_execution(
        self, execution: Execution, job: Any = None, pipeline: Any = None, delete_job: bool = False
    ) -> None:
        """Takes a run out."""
        later(pipeline, self._discard, execution.composite_key)

    def remove_executions(self, job: Any, pipeline: Any = None) -> None:
        """Takes all runs of a job out."""
        for execution in job.get_executions():
            later(pipeline, self._discard, execution.composite_key)

    def get_job_and_execution_ids(
        self, start: int = 0, end: int = -1, desc: bool = False, cleanup: bool = True
    ) -> list[tuple[str, str]]:
        """(job id, execution id) of the runs."""
        if cleanup:
            self.cleanup()
        return [parse_composite_key(member) for member in self._members(start, end, desc)]

    def __contains__(self, item: Any) -> bool:
        return self._id_of(item) in self.get_job_ids(cleanup=False)

    def add(self, job: Any, ttl: int = 0, pipeline: Any = None, xx: bool = False) -> Any:
        raise NotImplementedError()

    def remove(self, job: Any, pipeline: Any = None, delete_job: bool = False) -> Any:
        raise NotImplementedError()

    @staticmethod
    def parse_job_id(entry: Any) -> str:
        return parse_composite_key(entry.decode() if isinstance(entry, bytes) else entry)[0]


class FinishedJobRegistry(BaseRegistry):
    """Jobs that finished, until their result ends."""

    key_template = FORMAT_KEY_PREFIX + ":finished:{0}"

    def cleanup(self, timestamp: float | None = None, exception_handlers: Any = None) -> None:
        self._remove_due(timestamp)


class FailedJobRegistry(BaseRegistry):
    """Jobs that failed or were stopped, until they end."""

    key_template = FORMAT_KEY_PREFIX + ":failed:{0}"

    def cleanup(self, timestamp: float | None = None, exception_handlers: Any = None) -> None:
        self._remove_due(timestamp)

    def add(  # type: ignore[override]
        self,
        job: Any,
        ttl: int | None = None,
        exc_string: str = "",
        pipeline: Any = None,
        _save_exc_to_job: bool = False,
    ) -> None:
        """Enters a job with the reason, and ends it in `ttl` seconds (a year by default)."""
        ttl = DEFAULT_FAILURE_TTL if ttl is None else ttl
        job._exc_info = exc_string
        with self._store.lock:
            job.save(pipeline=pipeline, include_meta=False, include_result=False)
            job.cleanup(ttl=ttl, pipeline=pipeline)
            later(pipeline, self._set, job.id, float(ttl) if ttl < 0 else current_timestamp() + ttl)


class DeferredJobRegistry(BaseRegistry):
    """Jobs that wait for others, since when."""

    key_template = FORMAT_KEY_PREFIX + ":deferred:{0}"

    def add(self, job: Any, ttl: int | None = None, pipeline: Any = None, xx: bool = False) -> Any:
        return later(pipeline, self._set, job.id, current_timestamp(), xx)


class ReadyJobRegistry(BaseRegistry):
    """Jobs that wait for nothing any more and are about to be queued."""

    key_template = FORMAT_KEY_PREFIX + ":ready:{0}"

    def cleanup(self, timestamp: float | None = None, exception_handlers: Any = None) -> list[Any]:
        """Queues what was left here."""
        return self.enqueue_jobs([self.parse_job_id(member) for member in self._members(0, -1)])

    def add(self, job: Any, ttl: int | None = None, pipeline: Any = None, xx: bool = False) -> Any:
        return later(pipeline, self._set, job.id, current_timestamp(), xx)

    def register_jobs(self, jobs: Sequence[Any], pipeline: Any = None) -> None:
        """Moves jobs here from the deferred registry."""
        deferred = DeferredJobRegistry(
            name=self.name, connection=self.connection, job_class=self.job_class, serializer=self.serializer
        )
        for job in jobs:
            deferred.remove(job, pipeline=pipeline)
            job.set_status(JobStatus.READY_TO_ENQUEUE, pipeline=pipeline)
            self.add(job, pipeline=pipeline)

    def enqueue_jobs(self, job_ids: list[str]) -> list[Any]:
        """Queues those of the jobs that are still ready, and gives them."""
        if not job_ids:
            return []
        queue = Queue(name=self.name, connection=self.connection, job_class=self.job_class, serializer=self.serializer)
        enqueued = []
        found = self.job_class.fetch_many(job_ids, connection=self.connection, serializer=self.serializer)
        for job_id, job in zip(job_ids, found, strict=True):
            with self._store.lock:
                if not self._discard(job_id) or job is None:
                    continue
                record = self._store.job(job_id)
                if record is None or record.status != JobStatus.READY_TO_ENQUEUE:
                    continue
                try:
                    if job.has_rate_limit:
                        queue._enqueue_rate_limited_job(job)
                    else:
                        queue._register()
                        queue._enqueue_job(job, at_front=job.should_enqueue_at_front())
                except Exception:
                    self.add(job)
                    logger.exception("Failed to enqueue ready job %s; leaving in ReadyJobRegistry", job_id)
                    continue
            enqueued.append(job)
        return enqueued


class ScheduledJobRegistry(BaseRegistry):
    """Jobs that are to be queued at a time, in whole seconds."""

    key_template = FORMAT_KEY_PREFIX + ":scheduled:{0}"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.get_jobs_to_enqueue = self.get_expired_job_ids

    def schedule(self, job: Any, scheduled_datetime: datetime, pipeline: Any = None) -> Any:
        """Enters a job at its time; a naive one is local time."""
        if not scheduled_datetime.tzinfo:
            scheduled_datetime = scheduled_datetime.astimezone()
        second = calendar.timegm(scheduled_datetime.utctimetuple())
        return later(pipeline, self._schedule, job.id, second, scheduled_datetime.timestamp())

    def _schedule(self, job_id: str, second: int, moment: float) -> int:
        added = self._set(job_id, second)
        autorun.scheduled(self._store, job_id, self.name, moment)
        return added

    def remove_jobs(self, timestamp: int | None = None, pipeline: Any = None) -> Any:
        """Takes out what is due."""
        warnings.warn(
            "ScheduledJobRegistry.remove_jobs() is deprecated and will be removed in the future.",
            DeprecationWarning,
            stacklevel=2,
        )
        return later(pipeline, self._remove_due, timestamp)

    def get_jobs_to_schedule(self, timestamp: int | None = None, chunk_size: int = 1000) -> list[str]:
        """Ids that are due, earliest first, at most `chunk_size`."""
        return self.get_expired_job_ids(timestamp)[:chunk_size]

    def get_scheduled_time(self, job_or_id: Any) -> datetime:
        """When a job is to be queued; NoSuchJobError if it is not here."""
        score = self._scored.scores.get(job_or_id.id if isinstance(job_or_id, Job) else job_or_id)
        if not score:
            raise NoSuchJobError
        return datetime.fromtimestamp(score, tz=timezone.utc)


class CanceledJobRegistry(BaseRegistry):
    """Jobs that were canceled."""

    key_template = FORMAT_KEY_PREFIX + ":canceled:{0}"

    def get_expired_job_ids(self, timestamp: float | None = None) -> list[str]:
        raise NotImplementedError


def clean_registries(queue: Any, exception_handlers: Any = None) -> None:
    """Takes out of a queue's registries what has ended, and fails abandoned jobs."""
    given = {
        "name": queue.name,
        "connection": queue.connection,
        "job_class": queue.job_class,
        "serializer": queue.serializer,
    }
    FinishedJobRegistry(**given).cleanup()
    StartedJobRegistry(**given).cleanup(exception_handlers=exception_handlers)
    FailedJobRegistry(**given).cleanup()
    DeferredJobRegistry(**given).cleanup()
    ReadyJobRegistry(**given).cleanup()
    for registry in RateLimitRegistry.all(queue.connection):
        registry.cleanup()
