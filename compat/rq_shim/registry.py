"""Registries: where a queue's jobs are that do not wait in it. Each is a set of job ids with a time."""

from __future__ import annotations

import calendar
import logging
import warnings
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from .defaults import DEFAULT_FAILURE_TTL, FORMAT_KEY_PREFIX
from .exceptions import AbandonedJobError as AbandonedJobError
from .exceptions import InvalidJobOperation as InvalidJobOperation
from .exceptions import NoSuchJobError
from .job import Job, JobStatus
from .queue import Queue
from .rate_limit import RateLimitRegistry
from .runtime import autorun
from .runtime.pipeline import later
from .runtime.registrybase import BaseRegistry
from .runtime.registrystarted import StartedJobRegistry
from .utils import current_timestamp

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
