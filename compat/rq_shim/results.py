"""`Result`: how one run of a job ended."""

from __future__ import annotations

from datetime import datetime, timezone
from enum import Enum
from typing import Any

from .defaults import RQ_KEY_PREFIX, UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from .runtime.records import ResultRecord, is_plain
from .runtime.store import store_of
from .serializers import DefaultSerializer, resolve_serializer
from .utils import now

__all__ = ["Result", "get_key"]


def get_key(job_id: str) -> str:
    """The key that RQ has for a job's results."""
    return f"{RQ_KEY_PREFIX}:results:{job_id}"


class Result:
    """Made by `Result.create…`, found by `Result.all` and `Result.fetch_latest`; newest first."""

    class Type(Enum):
        """How it ended."""

        SUCCESSFUL = 1
        FAILED = 2
        STOPPED = 3
        RETRIED = 4
        MAX_RETRIES_EXCEEDED = 5

    def __init__(
        self,
        job_id: str,
        type: Type,
        connection: Any,
        id: str | None = None,
        created_at: datetime | None = None,
        return_value: Any = None,
        exc_string: str | None = None,
        worker_name: str = "",
        serializer: Any = None,
        execution_id: str | None = None,
        execution_started_at: datetime | None = None,
        execution_ended_at: datetime | None = None,
    ) -> None:
        self.return_value = return_value
        self.exc_string = exc_string
        self.type = type
        self.created_at = created_at or now()
        self.serializer = resolve_serializer(serializer)
        self.connection = connection
        self.job_id = job_id
        self.id = id
        self.worker_name = worker_name
        self.execution_id = execution_id
        self.execution_started_at = execution_started_at
        self.execution_ended_at = execution_ended_at

    def __repr__(self) -> str:
        return f"Result(id={self.id}, type={self.Type(self.type).name})"

    def __eq__(self, other: Any) -> bool:
        return bool(self.id == getattr(other, "id", None)) and hasattr(other, "id")

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return bool(self.id)

    @classmethod
    def create(
        cls, job: Any, type: Type, ttl: Any, return_value: Any = None, exc_string: str | None = None,
        worker_name: str = "", pipeline: Any = None, execution_id: str | None = None,
        execution_started_at: datetime | None = None, execution_ended_at: datetime | None = None,
    ) -> Result:  # fmt: skip
        """Stores a result; all of the job's results end `ttl` seconds from now."""
        result = cls(
            job.id, type, job.connection, return_value=return_value, exc_string=exc_string, worker_name=worker_name,
            serializer=job.serializer, execution_id=execution_id, execution_started_at=execution_started_at,
            execution_ended_at=execution_ended_at,
        )  # fmt: skip
        result.save(ttl=ttl, pipeline=pipeline)
        return result

    @classmethod
    def create_failure(
        cls, job: Any, ttl: Any, exc_string: str, worker_name: str = "", pipeline: Any = None, **execution: Any
    ) -> Result:
        """Stores a failure."""
        return cls.create(job, cls.Type.FAILED, ttl, None, exc_string, worker_name, pipeline, **execution)

    @classmethod
    def create_retried(
        cls, job: Any, ttl: Any, return_value: Any, worker_name: str = "", execution_id: str | None = None,
        execution_started_at: datetime | None = None, execution_ended_at: datetime | None = None, pipeline: Any = None,
    ) -> Result:  # fmt: skip
        """Stores that the function asked for another run."""
        return cls.create(
            job, cls.Type.RETRIED, ttl, return_value, None, worker_name, pipeline, execution_id, execution_started_at,
            execution_ended_at,
        )  # fmt: skip

    @classmethod
    def create_max_retries_exceeded(
        cls, job: Any, ttl: Any, return_value: Any, worker_name: str = "", execution_id: str | None = None,
        execution_started_at: datetime | None = None, execution_ended_at: datetime | None = None, pipeline: Any = None,
    ) -> Result:  # fmt: skip
        """Stores that the function asked for one run too many."""
        return cls.create(
            job, cls.Type.MAX_RETRIES_EXCEEDED, ttl, return_value, None, worker_name, pipeline, execution_id,
            execution_started_at, execution_ended_at,
        )  # fmt: skip

    @classmethod
    def all(cls, job: Any, serializer: Any = None) -> list[Result]:
        """A job's results, newest first."""
        entries = store_of(job.connection).results(job.id)
        return [cls._of(job, entry, serializer) for entry in reversed(entries)]

    @classmethod
    def count(cls, job: Any) -> int:
        """How many there are."""
        return len(store_of(job.connection).results(job.id))

    @classmethod
    def delete_all(cls, job: Any) -> None:
        """Deletes them."""
        store_of(job.connection).delete_results(job.id)

    @classmethod
    def fetch(cls, job: Any, serializer: Any = None) -> Result | None:
        """Nothing, as in RQ."""
        return None

    @classmethod
    def fetch_latest(cls, job: Any, serializer: Any = None, timeout: float = 0) -> Result | None:
        """The newest one; with a timeout, waits so many seconds for the first."""
        store = store_of(job.connection)
        entries = store.results(job.id)
        if not entries and timeout:
            store.wait(job.id, lambda: bool(store.results(job.id)), timeout)
            entries = store.results(job.id)
        return cls._of(job, entries[-1], serializer) if entries else None

    @classmethod
    def _of(cls, job: Any, fields: tuple[Any, ...], serializer: Any) -> Result:
        entry = ResultRecord._make(fields)
        serializer = resolve_serializer(serializer)
        value = entry.value
        if entry.packed:
            value = serializer.loads(value)
        return cls(
            job.id,
            cls.Type(entry.type),
            job.connection,
            id=entry.id,
            created_at=datetime.fromtimestamp(entry.ms / 1000, tz=timezone.utc),
            return_value=value,
            exc_string=entry.exc_string,
            worker_name=entry.worker_name,
            serializer=serializer,
            execution_id=entry.execution_id,
            execution_started_at=entry.started_at,
            execution_ended_at=entry.ended_at,
        )

    @classmethod
    def get_key(cls, job_id: str) -> str:
        return get_key(job_id)

    def save(self, ttl: Any, pipeline: Any = None) -> str | None:
        """Stores it; -1: for good."""
        from .runtime.pipeline import later

        value, packed = self.return_value, False
        if not (self.serializer is DefaultSerializer and is_plain((value,))):
            packed = value is not None
            if packed:
                value = self._packed(value)
        entry = ResultRecord(
            self.type.value,
            value,
            packed,
            self.exc_string,
            self.worker_name or "",
            self.execution_id,
            self.execution_started_at,
            self.execution_ended_at,
        )
        answer = later(pipeline, store_of(self.connection).add_result, self.job_id, entry, ttl)
        if pipeline is None:
            self.id = answer
        return self.id

    def _packed(self, value: Any) -> bytes:
        try:
            return self.serializer.dumps(value)
        except Exception:
            return self.serializer.dumps(UNSERIALIZABLE_RETURN_VALUE_PAYLOAD)

    def serialize(self) -> dict[str, Any]:
        """The result as RQ's stream entry."""
        import zlib
        from base64 import b64encode

        data: dict[str, Any] = {"type": self.type.value, "worker_name": self.worker_name}
        if self.exc_string is not None:
            data["exc_string"] = b64encode(zlib.compress(self.exc_string.encode())).decode()
        if self.return_value is not None:
            data["return_value"] = b64encode(self._packed(self.return_value)).decode()
        if self.execution_id:
            data["execution_id"] = self.execution_id
        for name in ("execution_started_at", "execution_ended_at"):
            moment = getattr(self, name)
            if moment:
                data[name] = moment.timestamp()
        return data
