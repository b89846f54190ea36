"""`WorkerInfo`: how a worker is known: birth, death, heartbeat, state, counters, commands. Mixed into `BaseWorker`.

What others may look up is kept as RQ keeps it, a hash under the worker's key.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .. import worker_registration
from ..command import PUBSUB_CHANNEL_TEMPLATE, handle_command, parse_payload
from ..defaults import RQ_KEY_PREFIX
from ..utils import as_text, compact, decode_redis_hash, now, utcformat, utcparse
from ..version import VERSION
from .pipeline import later

__all__ = ["WorkerInfo"]


class WorkerInfo:
    """Needs what `BaseWorker.__init__` sets."""

    redis_worker_namespace_prefix = RQ_KEY_PREFIX + ":worker:"
    redis_workers_keys = worker_registration.REDIS_WORKER_KEYS

    name: str
    connection: Any
    queues: list[Any]
    queue_class: Any
    job_class: Any
    serializer: Any
    worker_ttl: int
    log: Any
    executions: dict[str, Any]
    _executions: list[Any]
    _client: Any
    _store: Any
    _state: str
    _is_horse: bool

    @property
    def key(self) -> str:
        return self.redis_worker_namespace_prefix + self.name

    @property
    def pubsub_channel_name(self) -> str:
        return PUBSUB_CHANNEL_TEMPLATE % self.name

    def queue_names(self) -> list[str]:
        """Names of its queues."""
        return [queue.name for queue in self.queues]

    def queue_keys(self) -> list[str]:
        return [queue.key for queue in self.queues]

    @property
    def dequeue_timeout(self) -> int:
        return max(1, self.worker_ttl - 15)

    @property
    def connection_timeout(self) -> int:
        return self.dequeue_timeout + 10

    def get_redis_server_version(self) -> tuple[int, int, int]:
        """The version that is stood in for."""
        return (7, 0, 0)

    @property
    def is_horse(self) -> bool:
        return self._is_horse

    def procline(self, message: str) -> None:
        """Nothing: the process belongs to the application."""

    # -- finding ----------------------------------------------------------------------------------------------------

    @classmethod
    def find_by_key(
        cls, worker_key: str, connection: Any, job_class: Any = None, queue_class: Any = None, serializer: Any = None
    ) -> Any:
        """The worker with that key; None if it is gone."""
        from ..connections import client_of

        prefix = cls.redis_worker_namespace_prefix
        if not worker_key.startswith(prefix):
            raise ValueError(f"Not a valid RQ worker key: {worker_key}")
        client = client_of(connection)
        if not client.exists(worker_key):
            client.srem(cls.redis_workers_keys, worker_key)
            return None
        worker = cls(  # type: ignore[call-arg]
            [],
            worker_key[len(prefix) :],
            connection=connection,
            job_class=job_class,
            queue_class=queue_class,
            prepare_for_work=False,
            serializer=serializer,
        )
        worker.refresh()
        return worker

    @classmethod
    def all(
        cls,
        connection: Any = None,
        job_class: Any = None,
        queue_class: Any = None,
        queue: Any = None,
        serializer: Any = None,
    ) -> list[Any]:
        """The living workers, of a queue or of a connection."""
        connection = cls._known(connection, queue)
        keys = worker_registration.get_keys(queue=queue, connection=connection)
        return compact(
            cls.find_by_key(key, connection, job_class=job_class, queue_class=queue_class, serializer=serializer)
            for key in keys
        )

    @classmethod
    def _known(cls, connection: Any, queue: Any) -> Any:
        from ..connections import implicit_connection
        from .store import store_of

        if queue is not None:
            connection = queue.connection
        connection = implicit_connection() if connection is None else connection
        store = store_of(connection)
        if store.autorun is not None:
            store.autorun.show_workers()
        return connection

    @classmethod
    def all_keys(cls, connection: Any = None, queue: Any = None) -> list[str]:
        """Their keys."""
        connection = cls._known(connection, queue)
        return list(worker_registration.get_keys(queue=queue, connection=connection))

    @classmethod
    def count(cls, connection: Any = None, queue: Any = None) -> int:
        """How many there are."""
        return len(cls.all_keys(connection=connection, queue=queue))

    def refresh(self) -> None:
        """Reads its hash again."""
        raw = self._client.hgetall(self.key)
        if not raw:
            return
        data = decode_redis_hash(raw, decode_values=True)
        self.hostname = data.get("hostname") or None
        self.ip_address = data.get("ip_address") or None
        self.pid = int(data["pid"]) if data.get("pid") else None
        self.version = data.get("version") or VERSION
        self.python_version = data.get("python_version") or ""
        self._state = data.get("state", "?")
        self.last_heartbeat = utcparse(data["last_heartbeat"]) if data.get("last_heartbeat") else None
        self.birth_date = utcparse(data["birth"]) if data.get("birth") else None
        self.failed_job_count = int(data.get("failed_job_count") or 0)
        self.successful_job_count = int(data.get("successful_job_count") or 0)
        self.total_working_time = float(data.get("total_working_time") or 0)
        if data.get("queues"):
            self.queues = [
                self.queue_class(name, connection=self.connection, job_class=self.job_class, serializer=self.serializer)
                for name in data["queues"].split(",")
            ]

    # -- life -------------------------------------------------------------------------------------------------------

    def serialize(self) -> dict[str, Any]:
        """Its hash at birth."""
        assert self.birth_date is not None
        assert self.last_heartbeat is not None
        return {
            "birth": utcformat(self.birth_date),
            "last_heartbeat": utcformat(self.last_heartbeat),
            "queues": ",".join(self.queue_names()),
            "pid": self.pid or 0,
            "hostname": self.hostname or "",
            "ip_address": self.ip_address or "unknown",
            "version": self.version,
            "python_version": self.python_version,
        }

    def register_birth(self) -> None:
        """Makes it known; ValueError when a living worker has its name."""
        self.log.debug("Worker %s: registering birth", self.name)
        client, key = self._client, self.key
        with self._store.lock:
            if client.exists(key) and not client.hexists(key, "death"):
                raise ValueError(f"There exists an active worker named {self.name!r} already")
            client.delete(key)
            self.birth_date = self.last_heartbeat = now()
            client.hset(key, mapping=self.serialize())
            worker_registration.register(self)
            client.expire(key, self.worker_ttl + 60)

    def register_death(self) -> None:
        """Makes its end known."""
        self.log.debug("Worker %s: registering death", self.name)
        with self._store.lock:
            worker_registration.unregister(self)
            self._client.hset(self.key, "death", utcformat(now()))
            self._client.expire(self.key, 60)
            self._client.delete(self.executions_key)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """A sign of life."""
        self.last_heartbeat = now()
        later(pipeline, self._beat, utcformat(self.last_heartbeat), timeout or self.worker_ttl + 60)

    def _beat(self, moment: str, timeout: int) -> None:
        with self._store.lock:
            self._client.hset(self.key, "last_heartbeat", moment)
            self._client.expire(self.key, timeout)
            self._client.expire(self.executions_key, timeout)

    def set_state(self, state: Any, pipeline: Any = None) -> None:
        """Notes what it does."""
        self._state = state
        later(pipeline, self._client.hset, self.key, "state", state)

    def get_state(self) -> Any:
        """What it does."""
        return self._state

    def _old_get_state(self) -> Any:
        import warnings

        warnings.warn("worker.state is deprecated, use worker.get_state() instead.", DeprecationWarning, stacklevel=2)
        return self.get_state()

    def _old_set_state(self, state: Any) -> None:
        import warnings

        warnings.warn("worker.state is deprecated, use worker.set_state() instead.", DeprecationWarning, stacklevel=2)
        self.set_state(state)

    state = property(_old_get_state, _old_set_state)

    def _date(self, field: str) -> datetime | None:
        text = self._client.hget(self.key, field)
        return utcparse(as_text(text)) if text is not None else None

    def set_shutdown_requested_date(self) -> None:
        self._client.hset(self.key, "shutdown_requested_date", utcformat(self._shutdown_requested_date or now()))

    @property
    def shutdown_requested_date(self) -> datetime | None:
        """When it was told to stop."""
        return self._date("shutdown_requested_date")

    @property
    def death_date(self) -> datetime | None:
        """When it ended."""
        return self._date("death")

    _shutdown_requested_date: datetime | None
    hostname: str | None
    ip_address: str | None
    pid: int | None
    version: str
    python_version: str
    last_heartbeat: datetime | None
    birth_date: datetime | None
    failed_job_count: int
    successful_job_count: int
    total_working_time: float

    def increment_failed_job_count(self, pipeline: Any = None) -> None:
        later(pipeline, self._client.hincrby, self.key, "failed_job_count", 1)

    def increment_successful_job_count(self, pipeline: Any = None) -> None:
        later(pipeline, self._client.hincrby, self.key, "successful_job_count", 1)

    def increment_total_working_time(self, job_execution_time: Any, pipeline: Any = None) -> None:
        seconds = job_execution_time.total_seconds()
        later(pipeline, self._client.hincrbyfloat, self.key, "total_working_time", seconds)

    # -- current job ------------------------------------------------------------------------------------------------

    @property
    def executions_key(self) -> str:
        return f"{RQ_KEY_PREFIX}:worker:{self.name}:executions"

    @property
    def execution(self) -> Any:
        """The run that is under way, or None."""
        if self.executions:
            return next(iter(self.executions.values()))
        found = self.get_current_executions()
        return found[0] if found else None

    @execution.setter
    def execution(self, execution: Any) -> None:
        if execution is not None:
            self.executions[execution.id] = execution
            return
        if len(self.executions) > 1:
            raise ValueError(
                "Cannot clear worker.execution when multiple executions are active, remove the entry from "
                "worker.executions instead"
            )
        self.executions.clear()

    @property
    def current_execution_count(self) -> int:
        """How many jobs it runs."""
        return int(self._client.scard(self.executions_key))

    def get_current_executions(self, refresh: bool = False) -> list[Any]:
        """The runs that are under way, as others see them."""
        from ..executions import Execution

        if not refresh and self._executions:
            return self._executions
        found = []
        for member in self._client.smembers(self.executions_key):
            execution = Execution.from_composite_key(as_text(member), connection=self.connection)
            try:
                execution.refresh()
            except ValueError:
                self._client.srem(self.executions_key, member)
                continue
            found.append(execution)
        self._executions = found
        return found

    def get_current_job_id(self) -> str | None:
        """Id of the job that it runs."""
        execution = self.execution
        return execution.job_id if execution else None

    def get_current_job(self) -> Any:
        """The job that it runs."""
        execution = self.execution
        if not execution:
            return None
        if not execution._job:
            execution._job = self.job_class.fetch(execution.job_id, self.connection, self.serializer)
        return execution._job

    # -- commands ---------------------------------------------------------------------------------------------------

    def subscribe(self) -> None:
        """From now on it hears commands; they arrive on the sender's thread."""
        self.log.info("Worker %s: subscribing to channel %s", self.name, self.pubsub_channel_name)
        self._listen()

    def _listen(self) -> None:
        listeners = self._store.listeners.setdefault(self.pubsub_channel_name, [])
        if self._heard not in listeners:
            listeners.append(self._heard)

    def unsubscribe(self) -> None:
        """It hears commands no more."""
        listeners = self._store.listeners.get(self.pubsub_channel_name)
        if listeners and self._heard in listeners:
            self.log.info("Worker %s: unsubscribing from channel %s", self.name, self.pubsub_channel_name)
            listeners.remove(self._heard)
            if not listeners:
                del self._store.listeners[self.pubsub_channel_name]

    def _heard(self, channel: str, message: str) -> None:
        self.handle_payload({"data": message.encode()})

    def handle_payload(self, message: dict[str, Any]) -> None:
        """Does what a message says."""
        self.log.debug("Worker %s: received message: %s", self.name, message)
        handle_command(self, parse_payload(message))
