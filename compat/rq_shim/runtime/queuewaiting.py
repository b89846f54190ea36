"""`QueueWaiting`: jobs that do not go into the queue at once, and their release. Mixed into `Queue`.

Deferred jobs wait for others, scheduled ones for a time, rate-limited ones for a slot. What is released goes through
`Queue._enqueue_job`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..defaults import RQ_KEY_PREFIX
from ..exceptions import DuplicateJobError
from ..job import Job, JobStatus
from ..utils import now
from .pipeline import later
from .queueinfo import QueueInfo

__all__ = ["QueueWaiting"]


class QueueWaiting(QueueInfo):
    """Needs what `Queue` defines."""

    _autostart: bool
    _default_timeout: Any
    _register: Any
    _persist_job: Any

    # -- for others ---------------------------------------------------------------------------------------------------

    def setup_dependencies(self, job: Any, pipeline: Any = None) -> Any:
        """Defers the job if one that it waits for has not ended well yet."""
        if not job._dependency_ids:
            return job
        good = {JobStatus.FINISHED}
        if job.allow_dependency_failures:
            good.add(JobStatus.FAILED)
        with self._store.lock:
            for dependency in job.fetch_dependencies():
                if dependency.get_status(refresh=False) not in good:
                    job.set_status(JobStatus.DEFERRED, pipeline=pipeline)
                    job.register_dependency(pipeline=pipeline)
                    job.save(pipeline=pipeline)
                    job.cleanup(ttl=job.ttl, pipeline=pipeline)
                    break
        return job

    def move_dependents_to_ready(
        self,
        job: Any,
        pipeline: Any = None,
        exclude_job_id: str | None = None,
        refresh_job_status: bool = True,
    ) -> dict[str, list[str]]:
        """Marks the dependents ready that wait for nothing else. Gives their ids by queue."""
        from ..registry import ReadyJobRegistry

        ready: dict[str, list[str]] = {}
        store = self._store
        with store.lock:
            waiting = list(store.dependents.get(job.id, ()))
            if not waiting:
                return ready
            found = self.job_class.fetch_many(waiting, connection=self.connection, serializer=self.serializer)
            released = []
            for dependent in found:
                if (
                    dependent is not None
                    and dependent.dependencies_are_met(
                        parent_job=job, exclude_job_id=exclude_job_id, refresh_job_status=refresh_job_status
                    )
                    and dependent.get_status(refresh=False) != JobStatus.CANCELED
                ):
                    released.append(dependent)
                    ready.setdefault(dependent.origin, []).append(dependent.id)
            for name, ids in ready.items():
                registry = ReadyJobRegistry(
                    name=name, connection=self.connection, job_class=self.job_class, serializer=self.serializer
                )
                registry.register_jobs([dependent for dependent in released if dependent.id in ids])
            linked = store.dependents.get(job.id, {})
            for dependent in released:
                linked.pop(dependent.id, None)
            if not linked:
                store.dependents.pop(job.id, None)
        return ready

    def enqueue_ready_jobs_by_queue(self, job_ids_by_queue_name: dict[str, list[str]]) -> None:
        """Queues the jobs that were marked ready, each on its own queue."""
        kind: Any = type(self)
        for name, ids in job_ids_by_queue_name.items():
            try:
                target = kind(
                    name=name, connection=self.connection, job_class=self.job_class, serializer=self.serializer
                )
                target._autostart = self._autostart
                target._is_async = self._is_async
                target.ready_job_registry.enqueue_jobs(ids)
            except Exception:
                self.log.exception(
                    "Failed to drain ready dependents for queue %s; leaving for ReadyJobRegistry.cleanup()", name
                )

    def enqueue_dependents(
        self, job: Any, pipeline: Any = None, exclude_job_id: str | None = None, refresh_job_status: bool = True
    ) -> dict[str, list[str]]:
        """Queues the dependents that wait for nothing else."""
        ready = self.move_dependents_to_ready(job, exclude_job_id=exclude_job_id, refresh_job_status=refresh_job_status)
        self.enqueue_ready_jobs_by_queue(ready)
        return ready

    # -- for a time ---------------------------------------------------------------------------------------------------

    def schedule_job(self, job: Any, datetime: datetime, pipeline: Any = None, unique: bool = False) -> Any:
        """Puts a job into the scheduled registry."""
        from ..registry import ScheduledJobRegistry

        self._check_rate_limit_namespace(job)
        if unique and not job._id:
            raise ValueError("unique=True requires an explicit job_id")
        with self._store.lock:
            if unique:
                pipeline = None
                if self._store.job(job.id) is not None:
                    raise DuplicateJobError(f"Job with ID '{job.id}' already exists")
            later(pipeline, self._register)
            self._persist_job(job, pipeline, status=JobStatus.SCHEDULED)
            ScheduledJobRegistry(queue=self).schedule(job, datetime, pipeline=pipeline)
        return job

    # -- for a slot ---------------------------------------------------------------------------------------------------

    def _check_rate_limit_namespace(self, job: Any) -> None:
        if job.has_rate_limit and (
            job.redis_job_namespace_prefix != Job.redis_job_namespace_prefix
            or self.redis_queue_namespace_prefix != RQ_KEY_PREFIX + ":queue:"
        ):
            raise ValueError("rate_limit is not supported with custom job or queue key prefixes")

    def _enqueue_rate_limited_job(self, job: Any, pipeline: Any = None, at_front: bool = False) -> Any:
        from ..rate_limit import RateLimitRegistry

        job.origin = self.name
        if job.timeout is None:
            job.timeout = self._default_timeout
        registry = RateLimitRegistry.from_job(job)
        job._status = JobStatus.RATE_LIMITED
        if at_front:
            job.enqueue_at_front = True
        registry.register(job.rate_limit_concurrency, pipeline)
        job.save(pipeline=pipeline)
        job.cleanup(ttl=job.ttl, pipeline=pipeline)
        registry.add_to_rate_limited(job.id, pipeline)
        enqueued_at = now()
        promoted = registry.acquire_and_enqueue(job.rate_limit_concurrency, enqueued_at=enqueued_at, pipeline=pipeline)
        if job.id in promoted:
            job._status = JobStatus.QUEUED
            job.enqueued_at = enqueued_at
        return job
