"""`Execution`: one run of a job that is under way, and the registry of a job's runs."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import Any

from .connections import client_of
from .defaults import FORMAT_KEY_PREFIX, RQ_KEY_PREFIX
from .job import Job
from .registry import BaseRegistry, StartedJobRegistry
from .runtime.pipeline import later
from .runtime.records import new_hex
from .utils import as_text, current_timestamp, now, parse_composite_key

__all__ = ["Execution", "ExecutionRegistry", "cleanup_execution", "prepare_execution"]

logger = logging.getLogger("rq.worker")

WORKER_EXECUTIONS_KEY_TEMPLATE = FORMAT_KEY_PREFIX + ":worker:{0}:executions"


class Execution:
    """Made when a worker starts a job, gone when it ends."""

    def __init__(self, id: str, job_id: str, connection: Any, worker_name: str = "") -> None:
        self.id = id
        self.job_id = job_id
        self.connection = connection
        self.worker_name = worker_name
        self.created_at = self.last_heartbeat = now()
        self._job: Any = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Execution) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def _client(self) -> Any:
        return client_of(self.connection)

    @property
    def key(self) -> str:
        return f"{RQ_KEY_PREFIX}:execution:{self.composite_key}"

    @property
    def job(self) -> Any:
        """The job that runs."""
        if self._job is None:
            self._job = Job.fetch(id=self.job_id, connection=self.connection)
        return self._job

    @property
    def composite_key(self) -> str:
        return f"{self.job_id}:{self.id}"

    @property
    def worker_executions_key(self) -> str:
        return WORKER_EXECUTIONS_KEY_TEMPLATE.format(self.worker_name)

    @classmethod
    def from_composite_key(cls, composite_key: str, connection: Any) -> Execution:
        """The execution that "job:execution" names, not read yet."""
        job_id, execution_id = parse_composite_key(composite_key)
        return cls(id=execution_id, job_id=job_id, connection=connection)

    @classmethod
    def fetch(cls, id: str, job_id: str, connection: Any) -> Execution:
        """The stored execution; ValueError if there is none."""
        execution = cls(id=id, job_id=job_id, connection=connection)
        execution.refresh()
        return execution

    def refresh(self) -> None:
        """Reads it again."""
        data = self._client.hgetall(self.key)
        if not data:
            raise ValueError(f"Execution {self.id} not found in Redis")
        self.restore(data)

    def restore(self, data: dict[Any, Any]) -> None:
        """Takes over a stored hash."""
        read = {as_text(key): as_text(value) for key, value in data.items()}
        self.job_id = read.get("job_id") or self.job_id
        self.created_at = datetime.fromtimestamp(float(read["created_at"]), tz=timezone.utc)
        self.last_heartbeat = datetime.fromtimestamp(float(read["last_heartbeat"]), tz=timezone.utc)
        self.worker_name = read.get("worker_name", "")

    @classmethod
    def create(cls, job: Any, ttl: int, pipeline: Any = None, worker_name: str = "") -> Execution:
        """Stores a new run of a job, for `ttl` seconds unless it gives signs of life."""
        execution = cls(id=new_hex(), job_id=job.id, connection=job.connection, worker_name=worker_name)
        execution._job = job
        execution.save(ttl=ttl, pipeline=pipeline)
        ExecutionRegistry(job.id, connection=job.connection).add(execution=execution, ttl=ttl, pipeline=pipeline)
        job.started_job_registry.add_execution(execution, pipeline=pipeline, ttl=ttl, xx=False)
        if worker_name:
            later(pipeline, execution._client.sadd, execution.worker_executions_key, execution.composite_key)
            later(pipeline, execution._client.expire, execution.worker_executions_key, ttl + 60)
        return execution

    def save(self, ttl: int, pipeline: Any = None) -> None:
        """Stores it for `ttl` seconds."""
        later(pipeline, self._client.hset, self.key, mapping=self.serialize())
        later(pipeline, self._client.expire, self.key, ttl)

    def delete(self, job: Any, pipeline: Any = None) -> None:
        """The run is over."""
        later(pipeline, self._client.delete, self.key)
        job.started_job_registry.remove_execution(execution=self, pipeline=pipeline)
        ExecutionRegistry(self.job_id, connection=self.connection).remove(execution=self, pipeline=pipeline)
        if self.worker_name:
            later(pipeline, self._client.srem, self.worker_executions_key, self.composite_key)

    def serialize(self) -> dict[str, Any]:
        """The execution as RQ's hash."""
        return {
            "id": self.id,
            "job_id": self.job_id,
            "created_at": self.created_at.timestamp(),
            "last_heartbeat": self.last_heartbeat.timestamp(),
            "worker_name": self.worker_name,
        }

    def heartbeat(self, started_job_registry: StartedJobRegistry, ttl: int, pipeline: Any = None) -> None:
        """A sign of life: it is good for another `ttl` seconds."""
        self.last_heartbeat = now()
        later(pipeline, self._client.hset, self.key, "last_heartbeat", self.last_heartbeat.timestamp())
        later(pipeline, self._client.expire, self.key, ttl)
        started_job_registry.add_execution(self, ttl=ttl, pipeline=pipeline, xx=True)
        ExecutionRegistry(self.job_id, connection=self.connection).add(self, ttl=ttl, pipeline=pipeline, xx=True)


class ExecutionRegistry(BaseRegistry):
    """The runs of one job."""

    key_template = FORMAT_KEY_PREFIX + ":executions:{0}"

    def __init__(self, job_id: str, connection: Any) -> None:
        self.connection = connection
        self.job_id = job_id
        self.key = self.key_template.format(job_id)

    def _shown(self) -> None:
        if self._store.autorun is not None:
            self._store.autorun.show_runs()

    def cleanup(self, timestamp: float | None = None, exception_handlers: Any = None) -> None:
        self._shown()
        self._remove_due(timestamp)

    def add(self, execution: Execution, ttl: int, pipeline: Any = None, xx: bool = False) -> Any:  # type: ignore[override]
        later(pipeline, self._set, execution.id, current_timestamp() + ttl + 60, xx)
        later(pipeline, client_of(self.connection).expire, self.key, ttl + 60)

    def remove(self, execution: Execution, pipeline: Any = None) -> Any:  # type: ignore[override]
        return later(pipeline, self._gone, execution.id)

    def _gone(self, execution_id: str) -> int:
        store = self._store
        with store.lock:
            removed = self._discard(execution_id)
            if not len(self._scored):
                store.space.forget(self.key)
        return removed

    def get_execution_ids(self, start: int = 0, end: int = -1) -> list[str]:
        """Ids of the runs."""
        self.cleanup()
        return self._members(start, end)

    def get_executions(self, start: int = 0, end: int = -1) -> list[Execution]:
        """The runs."""
        return [
            Execution.fetch(id=execution_id, job_id=self.job_id, connection=self.connection)
            for execution_id in self.get_execution_ids(start, end)
        ]

    def delete(self, job: Any, pipeline: Any = None) -> None:
        """Deletes them all."""
        for execution in self.get_executions():
            execution.delete(pipeline=pipeline, job=job)
        later(pipeline, client_of(self.connection).delete, self.key)


def prepare_execution(worker: Any, job: Any) -> Execution:
    """A worker starts a job."""
    from .worker.base import WorkerStatus

    with worker._store.lock:
        execution = Execution.create(job, worker.get_heartbeat_ttl(job), worker_name=worker.name)
        worker.executions[execution.id] = execution
        worker.set_state(WorkerStatus.BUSY)
    return execution


def cleanup_execution(worker: Any, job: Any, pipeline: Any = None, execution: Execution | None = None) -> None:
    """A worker is through with a job."""
    logger.debug("Cleaning up execution of job %s", job.id)
    if execution is not None:
        execution.delete(job=job, pipeline=pipeline)
        worker.executions.pop(execution.id, None)
