"""`JobOutcome`: how a run ends: results, return value, waiting, retries, lifetimes."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..utils import now
from .joblinks import JobLinks
from .joboptions import Retry
from .jobstatus import JobStatus
from .pipeline import later

if TYPE_CHECKING:
    from ..queue import Queue
    from ..results import Result

__all__ = ["JobFailed", "JobOutcome"]

OVER = frozenset({"finished", "failed", "stopped", "canceled"})


class JobFailed(Exception):
    """What `await job` raises for a job that did not finish; `status` and `exc_string` say how it ended."""

    def __init__(self, job_id: str, status: str, exc_string: str | None) -> None:
        super().__init__(
            f"job {job_id} is {status}" + (f": {exc_string.strip().splitlines()[-1]}" if exc_string else "")
        )
        self.job_id = job_id
        self.status = status
        self.exc_string = exc_string


class JobOutcome(JobLinks):
    """Mixed into `Job`."""

    # -- results ----------------------------------------------------------------------------------------------------

    def results(self) -> list[Result]:
        """The results that are kept, newest first."""
        from ..results import Result

        return Result.all(self, serializer=self.serializer)

    def latest_result(self, timeout: int = 0) -> Result | None:
        """The newest result; with a timeout, waits so many seconds for one."""
        from ..results import Result

        return Result.fetch_latest(self, serializer=self.serializer, timeout=timeout)

    def _latest(self, refresh: bool = False) -> Any:
        if refresh:
            self._cached_result = None
        if not self._cached_result:
            self._cached_result = self.latest_result()
        return self._cached_result

    def return_value(self, refresh: bool = False) -> Any:
        """What the function returned; None while there is nothing, and after a failure. Read once, unless `refresh`."""
        latest = self._latest(refresh)
        if latest and latest.type == latest.Type.SUCCESSFUL:
            return latest.return_value
        return None

    @property
    def result(self) -> Any:
        """Old name of `return_value()`."""
        warnings.warn("job.result is deprecated, use job.return_value instead.", DeprecationWarning, stacklevel=2)
        latest = self._latest()
        if latest and latest.type == latest.Type.SUCCESSFUL:
            return latest.return_value
        return self._result

    @property
    def exc_info(self) -> str | None:
        """Old name of `latest_result().exc_string`."""
        warnings.warn("job.exc_info is deprecated, use job.latest_result() instead.", DeprecationWarning, stacklevel=2)
        latest = self._latest()
        if latest and latest.type == latest.Type.FAILED:
            return latest.exc_string  # type: ignore[no-any-return]
        return self._exc_info

    # -- waiting (not in RQ) ----------------------------------------------------------------------------------------

    def _over(self) -> bool:
        record = self._store.job(self.id)
        return record is None or record.status in OVER

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the job is finished, failed, stopped, canceled or gone, at most `timeout` seconds."""
        store = self._store
        record = store.jobs.get(self.id)
        if record is not None and record.status not in OVER and not self._over():
            return store.wait(self.id, self._over, timeout)
        with store.lock:
            return True  # whoever has just set the status has now also written the result and the registries

    def __await__(self) -> Generator[Any, None, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        import asyncio

        loop = asyncio.get_running_loop()
        store = self._store
        while True:
            done = loop.create_future()

            def wake(future: Any = done) -> None:
                loop.call_soon_threadsafe(lambda: future.done() or future.set_result(None))

            with store.lock:
                if self._over():
                    break
                store.waiters.setdefault(self.id, []).append(wake)
            await done
        record = store.job(self.id)
        if record is None or record.status == "finished":
            return self.return_value(refresh=True)
        latest = self.latest_result()
        raise JobFailed(
            self.id, str(getattr(record.status, "value", record.status)), latest.exc_string if latest else None
        )

    # -- lifetimes --------------------------------------------------------------------------------------------------

    def get_ttl(self, default_ttl: int | None = None) -> int | None:
        """How long the job may wait in its queue."""
        return default_ttl if self.ttl is None else self.ttl

    def get_result_ttl(self, default_ttl: int | None = None) -> Any:
        """How long the job is kept when it has finished."""
        return default_ttl if self.result_ttl is None else self.result_ttl

    def cleanup(self, ttl: int | None = None, pipeline: Any = None, remove_from_queue: bool = True) -> None:
        """Ends the job in `ttl` seconds; 0: now, negative or None: it stays."""
        if ttl == 0:
            self.delete(pipeline=pipeline, remove_from_queue=remove_from_queue)
        elif ttl is not None and ttl > 0:
            later(pipeline, self._expire, ttl)

    def _expire(self, ttl: float) -> None:
        record = self._store.job(self.id)
        if record is not None:
            self._store.expire_job(record, ttl)

    # -- the end of a run -------------------------------------------------------------------------------------------

    def send_webhooks(self, status: Any, *, exc_string: str | None = None) -> None:
        """Calls the webhooks that are meant for this end of the job."""
        for webhook in self.webhooks:
            if webhook.job_status == status:
                self.log.debug("Job %s: sending %s webhook to %s", self.id, webhook.job_status, webhook.url)
                webhook.send(self, exc_string=exc_string)

    def _handle_success(
        self,
        result_ttl: int,
        pipeline: Any = None,
        worker_name: str = "",
        execution_id: str | None = None,
        execution_started_at: datetime | None = None,
        execution_ended_at: datetime | None = None,
    ) -> None:
        from ..results import Result

        self.log.debug("Job %s: handling success...", self.id)
        self.set_status(JobStatus.FINISHED, pipeline=pipeline)  # type: ignore[attr-defined]
        # The user's meta is written by the user.
        self.save(pipeline=pipeline, include_meta=False, include_result=False)
        Result.create(
            self,
            Result.Type.SUCCESSFUL,
            result_ttl,
            return_value=self._result,
            worker_name=worker_name,
            pipeline=pipeline,
            execution_id=execution_id,
            execution_started_at=execution_started_at,
            execution_ended_at=execution_ended_at,
        )
        if result_ttl != 0:
            self.finished_job_registry.add(self, result_ttl, pipeline)

    def _handle_failure(
        self,
        exc_string: str,
        pipeline: Any = None,
        worker_name: str = "",
        execution_id: str | None = None,
        execution_started_at: datetime | None = None,
        execution_ended_at: datetime | None = None,
    ) -> None:
        from ..results import Result

        self.failed_job_registry.add(self, ttl=self.failure_ttl, exc_string=exc_string, pipeline=pipeline)
        Result.create_failure(
            self,
            self.failure_ttl,
            exc_string=exc_string,
            worker_name=worker_name,
            pipeline=pipeline,
            execution_id=execution_id,
            execution_started_at=execution_started_at,
            execution_ended_at=execution_ended_at,
        )

    def _handle_retry_result(
        self,
        queue: Queue,
        pipeline: Any,
        retry: Retry,
        execution_id: str | None = None,
        execution_started_at: datetime | None = None,
        execution_ended_at: datetime | None = None,
        worker_name: str = "",
    ) -> None:
        """The function returned a `Retry`: another run, now or later."""
        from ..results import Result

        Result.create_retried(
            self,
            self.failure_ttl,
            return_value=retry,
            worker_name=worker_name,
            pipeline=pipeline,
            execution_id=execution_id,
            execution_started_at=execution_started_at,
            execution_ended_at=execution_ended_at,
        )
        interval = Retry.get_interval(self.number_of_retries or 0, retry.intervals)
        self.number_of_retries = (self.number_of_retries or 0) + 1
        self.enqueue_at_front_on_retry = self.enqueue_at_front_on_retry or retry.enqueue_at_front
        self._again(queue, pipeline, interval, retry.max - self.number_of_retries)

    def _again(self, queue: Queue, pipeline: Any, interval: float, left: int) -> None:
        if interval:
            moment = now() + timedelta(seconds=interval)
            self.set_status(JobStatus.SCHEDULED)  # type: ignore[attr-defined]
            queue.schedule_job(self, moment, pipeline=pipeline)
            self.log.info("Job %s: scheduled for retry at %s, %s remaining", self.id, moment, left)
        else:
            queue._enqueue_job(self, pipeline=pipeline, at_front=self.enqueue_at_front_on_retry)
            self.log.info("Job %s: enqueued for retry, %s remaining", self.id, left)

    @property
    def should_retry(self) -> bool:
        """Whether a failure is followed by another attempt."""
        return self.retries_left is not None and self.retries_left > 0

    def get_retry_interval(self) -> int:
        """Seconds until the next attempt: counted from the end of the list, the first value for all before."""
        if self.retry_intervals is None:
            return 0
        assert self.retries_left
        return self.retry_intervals[max(len(self.retry_intervals) - self.retries_left, 0)]

    def retry(self, queue: Queue, pipeline: Any = None) -> None:
        """Another attempt after a failure, now or later."""
        interval = self.get_retry_interval()
        assert self.retries_left
        self.retries_left -= 1
        self._again(queue, pipeline, interval, self.retries_left)
