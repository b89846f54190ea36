"""`JobLinks`: a job among others: what it depends on, what depends on it, registries it is in, cancel and delete."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..exceptions import InvalidJobOperation, NoSuchJobError
from .jobdata import JobData
from .jobstatus import JobStatus
from .pipeline import later

if TYPE_CHECKING:
    from ..executions import Execution, ExecutionRegistry
    from ..job import Job
    from ..queue import Queue

__all__ = ["JobLinks"]


class JobLinks(JobData):
    """Mixed into `Job`."""

    log: Any

    def _queue(self) -> Queue:
        from ..queue import Queue

        return Queue(
            self.origin,
            connection=self.connection,
            job_class=type(self),
            serializer=self.serializer,
        )

    def _registry(self, kind: str) -> Any:
        from .. import registry

        return getattr(registry, kind)(
            self.origin, connection=self.connection, job_class=type(self), serializer=self.serializer
        )

    @property
    def started_job_registry(self) -> Any:
        return self._registry("StartedJobRegistry")

    @property
    def failed_job_registry(self) -> Any:
        return self._registry("FailedJobRegistry")

    @property
    def finished_job_registry(self) -> Any:
        return self._registry("FinishedJobRegistry")

    @property
    def execution_registry(self) -> ExecutionRegistry:
        from ..executions import ExecutionRegistry

        return ExecutionRegistry(self.id, connection=self.connection)

    def get_executions(self) -> list[Execution]:
        """The runs of this job that are under way."""
        return self.execution_registry.get_executions()

    # -- dependencies -----------------------------------------------------------------------------------------------

    @property
    def _dependency_id(self) -> str | None:
        return self._dependency_ids[0] if self._dependency_ids else None

    @property
    def dependency(self) -> Any:
        """The first job that this one depends on, or None."""
        if not self._dependency_ids:
            return None
        if "_dependency" not in self.__dict__:
            self._dependency = self.fetch(  # type: ignore[attr-defined]
                self._dependency_ids[0], connection=self.connection, serializer=self.serializer
            )
        return self._dependency

    @property
    def dependency_ids(self) -> list[str]:
        """Ids of the jobs that it waits for."""
        return list(self._store.dependencies.get(self.id, ()))

    @property
    def dependent_ids(self) -> list[str]:
        """Ids of the jobs that wait for it."""
        return list(self._store.dependents.get(self.id, ()))

    def fetch_dependencies(self, watch: bool = False, pipeline: Any = None) -> list[Job]:
        """The jobs that it depends on, without those that are gone."""
        if watch and pipeline is not None and self._dependency_ids:
            pipeline.watch(*[self.key_for(job_id) for job_id in self._dependency_ids])  # type: ignore[attr-defined]
        found = self.fetch_many(  # type: ignore[attr-defined]
            self._dependency_ids, connection=self.connection, serializer=self.serializer
        )
        return [job for job in found if job]

    def register_dependency(self, pipeline: Any = None) -> None:
        """Notes on both sides that this job waits, and puts it into the deferred registry."""
        self.log.debug("Job %s registering dependencies: %s", self.id, self._dependency_ids)
        self._registry("DeferredJobRegistry").add(self, pipeline=pipeline, ttl=self.ttl)
        later(pipeline, self._link, list(self._dependency_ids))

    def _link(self, dependency_ids: list[str]) -> None:
        store = self._store
        with store.lock:
            for job_id in dependency_ids:
                store.dependents.setdefault(job_id, {})[self.id] = None
                store.dependencies.setdefault(self.id, {})[job_id] = None

    def dependencies_are_met(
        self,
        parent_job: Any = None,
        pipeline: Any = None,
        exclude_job_id: str | None = None,
        refresh_job_status: bool = True,
    ) -> bool:
        """Whether every job that it waits for is finished (or failed, if that is allowed), or gone.

        `parent_job` is one whose own status says so already; `exclude_job_id` is not looked at.
        """
        store = self._store
        if pipeline is not None and self._dependency_ids:
            pipeline.watch(*[self.key_for(job_id) for job_id in self._dependency_ids])  # type: ignore[attr-defined]
        waiting_for = set(store.dependencies.get(self.id, ()))
        if exclude_job_id:
            waiting_for.discard(exclude_job_id)
            if parent_job and parent_job.id == exclude_job_id:
                parent_job = None
        if parent_job:
            waiting_for.discard(parent_job.id)
            status = parent_job.get_status(refresh=refresh_job_status)
            if status in (JobStatus.CANCELED, JobStatus.STOPPED):
                return False
            if status == JobStatus.FAILED and not self.allow_dependency_failures:
                return False
        good = {JobStatus.FINISHED, JobStatus.FAILED} if self.allow_dependency_failures else {JobStatus.FINISHED}
        records = [store.job(job_id) for job_id in waiting_for]
        return all(record.status in good for record in records if record is not None and record.status)

    # -- leaving ----------------------------------------------------------------------------------------------------

    def _remove_from_registries(self, pipeline: Any = None, remove_from_queue: bool = True) -> None:
        if remove_from_queue:
            self._queue().remove(self, pipeline=pipeline)
        status = self._fetch_status()  # type: ignore[attr-defined]
        if status == JobStatus.STARTED:
            self.started_job_registry.remove_executions(self, pipeline=pipeline)
            return
        kind = {
            JobStatus.FINISHED: "FinishedJobRegistry",
            JobStatus.DEFERRED: "DeferredJobRegistry",
            JobStatus.READY_TO_ENQUEUE: "ReadyJobRegistry",
            JobStatus.SCHEDULED: "ScheduledJobRegistry",
            JobStatus.FAILED: "FailedJobRegistry",
            JobStatus.STOPPED: "FailedJobRegistry",
            JobStatus.CANCELED: "CanceledJobRegistry",
        }.get(status)
        if kind is not None:
            self._registry(kind).remove(self, pipeline=pipeline)

    def cancel(
        self, pipeline: Any = None, enqueue_dependents: bool = False, remove_from_dependencies: bool = False
    ) -> dict[str, list[str]]:
        """Takes the job out of its queue or registry and marks it canceled. One that runs goes on running.

        `enqueue_dependents`: those that wait only for it are queued. Gives their ids by queue.
        """
        if self.is_canceled:  # type: ignore[attr-defined]
            raise InvalidJobOperation(f"Cannot cancel already canceled job: {self.id}")
        if pipeline is not None and self.has_rate_limit:
            raise InvalidJobOperation("Cannot cancel a rate-limited job with a caller-supplied pipeline")
        released: dict[str, list[str]] = {}
        queue = self._queue()
        with self._store.lock:
            if enqueue_dependents:
                released = queue.move_dependents_to_ready(self, exclude_job_id=self.id)
            # Where it is now says its stored status, so that comes before the new one.
            self._remove_from_registries(pipeline=pipeline, remove_from_queue=True)
            self.set_status(JobStatus.CANCELED, pipeline=pipeline)  # type: ignore[attr-defined]
            if remove_from_dependencies:
                later(pipeline, self._unlink, list(self._dependency_ids))
            self._registry("CanceledJobRegistry").add(self, pipeline=pipeline)
        # With a pipeline RQ leaves them ready until a worker's maintenance; threads that start by themselves have none.
        if enqueue_dependents and (pipeline is None or self._store.autorun is not None):
            later(pipeline, queue.enqueue_ready_jobs_by_queue, released)
        if self.has_rate_limit:
            from ..rate_limit import RateLimitRegistry

            RateLimitRegistry.from_job(self).cancel(self.id)
        return released

    def _unlink(self, dependency_ids: Iterable[str]) -> None:
        with self._store.lock:
            for job_id in dependency_ids:
                linked = self._store.dependents.get(job_id)
                if linked:
                    linked.pop(self.id, None)
                    if not linked:
                        del self._store.dependents[job_id]

    @property
    def has_rate_limit(self) -> bool:
        return bool(self.rate_limit_key and self.rate_limit_concurrency)

    def requeue(self, at_front: bool = False) -> Job:
        """Queues a failed job again. InvalidJobOperation if it is not in the failed registry."""
        return self.failed_job_registry.requeue(self, at_front=at_front)  # type: ignore[no-any-return]

    def delete(self, pipeline: Any = None, remove_from_queue: bool = True, delete_dependents: bool = False) -> None:
        """Takes the job, its results and its place in queue and registries away."""
        self._remove_from_registries(pipeline=pipeline, remove_from_queue=remove_from_queue)
        if delete_dependents:
            self.delete_dependents(pipeline=pipeline)
        if not self.has_rate_limit:
            self.execution_registry.delete(job=self, pipeline=pipeline)
        if self.group_id:
            from ..group import Group

            Group.fetch(self.group_id, self.connection).delete_job(self.id, pipeline=pipeline)
        later(pipeline, self._forget)
        if self.has_rate_limit:
            from ..rate_limit import RateLimitRegistry

            RateLimitRegistry.from_job(self).cancel(self.id, pipeline=pipeline)

    def _forget(self) -> None:
        self._store.delete_job(self.id)
        self._store.notify(self.id)

    def delete_dependents(self, pipeline: Any = None) -> None:
        """Deletes the jobs that wait for this one."""
        from ..job import Job

        for job_id in self.dependent_ids:
            try:
                job = Job.fetch(job_id, connection=self.connection, serializer=self.serializer)
                job.delete(pipeline=pipeline, remove_from_queue=False)
            except NoSuchJobError:
                pass
        later(pipeline, self._store.dependents.pop, self.id, None)
