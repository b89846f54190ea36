"""`StartedJobRegistry`: runs under way, and what becomes of those whose worker is silent."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..callbacks import execute_failure_callback
from ..defaults import FORMAT_KEY_PREFIX
from ..exceptions import AbandonedJobError, NoSuchJobError
from ..job_lifecycle import call_exception_handlers, record_job_failure
from ..rate_limit import release_slot
from ..utils import current_timestamp, now, parse_composite_key
from .jobstatus import JobStatus
from .pipeline import later
from .registrybase import BaseRegistry
from .scored import ScoredSet

if TYPE_CHECKING:
    from ..executions import Execution

__all__ = ["StartedJobRegistry"]

logger = logging.getLogger("rq.registry")


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
                reason = f"Moved to FailedJobRegistry, due to {AbandonedJobError.__name__}, at {now()}"
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
