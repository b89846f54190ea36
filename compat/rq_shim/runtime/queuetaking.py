"""`QueueTaking`: how jobs get out of a queue: taken for a worker, or run here and now. Mixed into `Queue`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from ..callbacks import execute_failure_callback, execute_success_callback
from ..connections import client_of, implicit_connection
from ..defaults import DEFAULT_RESULT_TTL
from ..exceptions import DequeueTimeout, NoSuchJobError
from ..job import JobStatus
from ..job_lifecycle import format_exc_info, record_job_failure
from ..utils import backend_class, now
from .lines import Line, pop_first
from .queueinfo import QueueInfo
from .store import store_of

__all__ = ["QueueTaking"]


class QueueTaking(QueueInfo):
    """Needs what `Queue` defines."""

    death_penalty_class: Any

    @classmethod
    def dequeue_any(
        cls,
        queues: Iterable[Any],
        timeout: int | None,
        connection: Any = None,
        job_class: Any = None,
        serializer: Any = None,
        death_penalty_class: Any = None,
    ) -> tuple[Any, Any] | None:
        """(job, queue) of the first job in the first queue that has one.

        `timeout` None: None at once if there is none; else waits so many seconds and raises DequeueTimeout.
        """
        asked = list(queues)
        if not asked and timeout is None:
            return None
        connection = (asked[0].connection if asked else implicit_connection()) if connection is None else connection
        while True:
            taken = cls.lpop([queue.key for queue in asked], timeout, connection=connection)
            if taken is None:
                return None
            found = cls._fetch_dequeued_job(connection, *taken, job_class, serializer, death_penalty_class)
            if found is not None:
                return found

    @classmethod
    def _fetch_dequeued_job(
        cls,
        connection: Any,
        queue_key: str,
        job_id: str,
        job_class: Any = None,
        serializer: Any = None,
        death_penalty_class: Any = None,
    ) -> tuple[Any, Any] | None:
        kind = backend_class(cls, "job_class", override=job_class)
        queue = cls.from_queue_key(
            queue_key,
            connection=connection,
            job_class=kind,
            serializer=serializer,
            death_penalty_class=death_penalty_class,
        )
        try:
            return kind.fetch(job_id, connection=connection, serializer=serializer), queue
        except NoSuchJobError:
            return None
        except Exception as error:
            error.job_id = job_id  # type: ignore[attr-defined]
            error.queue = queue  # type: ignore[attr-defined]
            raise

    def pop_job_id(self) -> str | None:
        """Takes the first job id out of the queue."""
        line: Line = self._store.line(self._key)
        return line.pop()

    @classmethod
    def lpop(cls, queue_keys: Sequence[str], timeout: int | None, connection: Any = None) -> tuple[str, str] | None:
        """(queue key, job id) of the first one; see `dequeue_any` for the timeout."""
        if timeout == 0:
            raise ValueError("RQ does not support indefinite timeouts. Please pick a timeout value > 0")
        store = store_of(implicit_connection() if connection is None else connection)
        lines = [store.line(key) for key in queue_keys]
        line, job_id = pop_first(lines, timeout or 0)
        if line is None or job_id is None:
            if timeout is not None:
                raise DequeueTimeout(timeout, queue_keys)
            return None
        return line.key, job_id

    # -- run here ---------------------------------------------------------------------------------------------------

    def run_sync(self, job: Any) -> Any:
        """Runs a job here and now, with its callbacks."""
        # Only here, not in the store: to others a sync job stays queued until it has ended.
        with client_of(self.connection).pipeline() as unused:
            job.prepare_for_execution("sync", unused)
        try:
            job = self.run_job(job)
        except BaseException:
            exc_string = format_exc_info(sys.exc_info())
            with self._store.lock:
                record_job_failure(job, exc_string)
            execute_failure_callback(job, self.death_penalty_class, *sys.exc_info())
            job.send_webhooks(JobStatus.FAILED, exc_string=exc_string)
        else:
            execute_success_callback(job, self.death_penalty_class, job._result)
            job.send_webhooks(JobStatus.FINISHED)
        return job

    def run_job(self, job: Any) -> Any:
        """Performs a job and stores its result."""
        job.perform()
        job.ended_at = now()
        result_ttl = job.get_result_ttl(default_ttl=DEFAULT_RESULT_TTL)
        with self._store.lock:
            job._handle_success(result_ttl=result_ttl, worker_name="")
            job.cleanup(result_ttl)
        return job
