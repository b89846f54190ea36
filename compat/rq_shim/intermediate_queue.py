"""`IntermediateQueue`: where RQ keeps a job between queue and start. Nothing gets into it here by itself."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from .connections import client_of
from .utils import as_text, now

__all__ = ["IntermediateQueue"]


class IntermediateQueue:
    """A list beside a queue."""

    def __init__(self, queue_key: str, connection: Any) -> None:
        self.queue_key = queue_key
        self.key = self.get_intermediate_queue_key(queue_key)
        self.connection = connection
        self._client = client_of(connection)

    @classmethod
    def get_intermediate_queue_key(cls, queue_key: str) -> str:
        return f"{queue_key}:intermediate"

    def get_first_seen_key(self, job_id: str) -> str:
        return f"{self.key}:first_seen:{job_id}"

    def set_first_seen(self, job_id: str) -> bool:
        """Notes when a job was first seen here; True the first time."""
        return bool(self._client.set(self.get_first_seen_key(job_id), now().timestamp(), nx=True, ex=3600 * 24))

    def get_first_seen(self, job_id: str) -> datetime | None:
        """When that was."""
        stamp = self._client.get(self.get_first_seen_key(job_id))
        return datetime.fromtimestamp(float(stamp), tz=timezone.utc) if stamp else None

    def should_be_cleaned_up(self, job_id: str) -> bool:
        """Whether that was more than a minute ago."""
        seen = self.get_first_seen(job_id)
        return seen is not None and now() - seen > timedelta(minutes=1)

    def get_job_ids(self) -> list[str]:
        return [as_text(job_id) for job_id in self._client.lrange(self.key, 0, -1)]

    def remove(self, job_id: str) -> None:
        self._client.lrem(self.key, 1, job_id)

    def cleanup(self, worker: Any, queue: Any) -> None:
        """Fails jobs that have been here for more than a minute."""
        for job_id in self.get_job_ids():
            job = queue.fetch_job(job_id)
            if job_id in queue.started_job_registry:
                continue
            if job is None:
                self.remove(job_id)
            elif not self.set_first_seen(job_id) and self.should_be_cleaned_up(job_id):
                worker.handle_job_failure(job, queue, exc_string="Job was stuck in intermediate queue.")
                self.remove(job_id)
