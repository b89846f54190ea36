"""`QueueMany`: many jobs in one call. Mixed into `Queue`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..job import JobStatus
from .enqueuedata import EnqueueData
from .pipeline import later
from .queueinfo import QueueInfo

__all__ = ["QueueMany"]


class QueueMany(QueueInfo):
    """Needs what `Queue` defines."""

    _register: Any
    _enqueue_job: Any
    create_job: Any

    prepare_data = EnqueueData

    def _create_one(self, data: EnqueueData, status: JobStatus, group_id: str | None) -> Any:
        options = data._asdict()
        del options["at_front"]
        return self.create_job(status=status, group_id=group_id, **options)

    def enqueue_many(
        self, job_datas: Iterable[EnqueueData], pipeline: Any = None, group_id: str | None = None
    ) -> list[Any]:
        """Queues many jobs. Gives those without dependencies first, then the waiting, then the ones that need not."""
        free: list[EnqueueData] = []
        bound: list[EnqueueData] = []
        seen: set[str] = set()
        for data in job_datas:
            if data.job_id is not None:
                if data.job_id in seen:
                    raise ValueError(f"Job ID '{data.job_id}' appears more than once in enqueue_many()")
                seen.add(data.job_id)
            (bound if data.depends_on else free).append(data)
        later(pipeline, self._register)
        jobs = [
            self._enqueue_job(
                self._create_one(data, JobStatus.QUEUED, group_id), pipeline=pipeline, at_front=data.at_front
            )
            for data in free
        ]
        unmet: list[Any] = []
        met: list[Any] = []
        if bound:
            with self._store.lock:
                for data in bound:
                    job = self._create_one(data, JobStatus.DEFERRED, group_id)
                    job.save(pipeline=pipeline)
                    job.register_dependency(pipeline=pipeline)
                    if self._ready(job):
                        front = bool(job.enqueue_at_front or data.at_front)
                        met.append(self._enqueue_job(job, pipeline=pipeline, at_front=front))
                    else:
                        job.cleanup(ttl=job.ttl, pipeline=pipeline)
                        unmet.append(job)
        return jobs + unmet + met

    def _ready(self, job: Any) -> bool:
        """Whether the jobs it waits for have ended well, whatever has been noted about them so far."""
        good = {JobStatus.FINISHED, JobStatus.FAILED} if job.allow_dependency_failures else {JobStatus.FINISHED}
        records = [self._store.job(job_id) for job_id in job._dependency_ids]
        return all(record.status in good for record in records if record is not None and record.status)
