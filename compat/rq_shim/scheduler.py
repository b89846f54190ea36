"""`RQScheduler`: queues scheduled jobs when they are due. A thread here, not a process.

Queues that start by themselves have a scheduler of their own (`runtime.autorun`), which needs none of this.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import Any

from .connections import client_of, parse_connection
from .defaults import (
    DEFAULT_LOGGING_DATE_FORMAT,
    DEFAULT_LOGGING_FORMAT,
    DEFAULT_SCHEDULER_FALLBACK_PERIOD,
    RQ_KEY_PREFIX,
)
from .exceptions import SchedulerNotFound
from .logutils import setup_loghandlers
from .queue import Queue
from .registry import ScheduledJobRegistry
from .runtime.pipeline import later
from .runtime.records import new_hex
from .serializers import resolve_serializer
from .utils import as_text, current_timestamp, decode_redis_hash, now, parse_names, utcformat, utcparse

__all__ = ["RQScheduler", "SchedulerStatus", "enqueue_due", "run"]

SCHEDULER_KEY_TEMPLATE = RQ_KEY_PREFIX + ":scheduler:%s"
SCHEDULER_LOCKING_KEY_TEMPLATE = RQ_KEY_PREFIX + ":scheduler-lock:%s"


class SchedulerStatus(str, Enum):
    """What a scheduler does."""

    STARTED = "started"
    WORKING = "working"
    STOPPED = "stopped"


def enqueue_due(queue: Any, job_ids: list[str], registry: Any = None) -> None:
    """Moves jobs from the scheduled registry into their queue."""
    if registry is None:
        registry = ScheduledJobRegistry(queue=queue)
    jobs = queue.job_class.fetch_many(job_ids, connection=queue.connection, serializer=queue.serializer)
    with queue._store.lock:
        for job_id, job in zip(job_ids, jobs, strict=True):
            registry.remove(job_id)
            if job is None:
                continue
            front = job.should_enqueue_at_front()
            if job.has_rate_limit:
                queue._enqueue_rate_limited_job(job, at_front=front)
            else:
                queue._enqueue_job(job, at_front=front)


class RQScheduler:
    """Looks after the scheduled jobs of some queues, once each `interval` seconds."""

    Status = SchedulerStatus

    def __init__(
        self,
        queues: Any,
        connection: Any,
        interval: float = 1,
        logging_level: Any = logging.INFO,
        date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: str = DEFAULT_LOGGING_FORMAT,
        serializer: Any = None,
        name: str | None = None,
    ) -> None:
        self._queue_names = set(parse_names(queues))
        self._acquired_locks: set[str] = set()
        self._scheduled_job_registries: list[ScheduledJobRegistry] = []
        self.lock_acquisition_time: datetime | None = None
        self._connection_class, self._pool_class, self._pool_kwargs = parse_connection(connection)
        self._connection = connection
        self.serializer = resolve_serializer(serializer)
        self.name: str = name or new_hex()
        self.hostname: str = socket.gethostname()
        self.created_at: datetime = now()
        self.pid: int = 0
        self.last_heartbeat: datetime | None = None
        self.interval = interval
        self._stop = threading.Event()
        self._status = SchedulerStatus.STOPPED
        self._process: threading.Thread | None = None
        self.log = logging.getLogger("rq.scheduler")
        setup_loghandlers(level=logging_level, name="rq.scheduler", log_format=log_format, date_format=date_format)

    @property
    def connection(self) -> Any:
        return self._connection

    @property
    def _client(self) -> Any:
        return client_of(self._connection)

    @property
    def acquired_locks(self) -> set[str]:
        """Names of the queues that it looks after."""
        return self._acquired_locks

    @property
    def status(self) -> SchedulerStatus:
        return self._status

    @property
    def key(self) -> str:
        return SCHEDULER_KEY_TEMPLATE % self.name

    @property
    def _stop_requested(self) -> bool:
        return self._stop.is_set()

    @property
    def should_reacquire_locks(self) -> bool:
        """Whether it is time to ask again for queues that somebody else looks after."""
        if self._queue_names == self.acquired_locks:
            return False
        if not self.lock_acquisition_time:
            return True
        waited = (datetime.now() - self.lock_acquisition_time).total_seconds()
        return waited > DEFAULT_SCHEDULER_FALLBACK_PERIOD

    @classmethod
    def get_locking_key(cls, name: str) -> str:
        return SCHEDULER_LOCKING_KEY_TEMPLATE % name

    def acquire_locks(self, auto_start: bool = False) -> set[str]:
        """Takes over the queues that nobody looks after; gives all that are its own."""
        mine = set()
        client = self._client
        for name in self._queue_names:
            key = self.get_locking_key(name)
            if client.set(key, self.name, nx=True, ex=int(self.interval) + 60):
                self.log.info("Acquired scheduler lock for %s", name)
                mine.add(name)
            elif as_text(client.get(key) or "") == self.name:
                client.expire(key, int(self.interval) + 60)
                mine.add(name)
        self._scheduled_job_registries = []
        self._acquired_locks = mine
        self.lock_acquisition_time = datetime.now()
        if mine and auto_start and not self.is_alive():
            self.start()
        return mine

    def release_locks(self) -> None:
        """Gives its queues away."""
        for name in self._acquired_locks:
            key = self.get_locking_key(name)
            if as_text(self._client.get(key) or "") == self.name:
                self._client.delete(key)
        self._acquired_locks = set()

    def prepare_registries(self, queue_names: Iterable[str] | None = None) -> None:
        """Finds the registries to look at."""
        self._scheduled_job_registries = [
            ScheduledJobRegistry(name, connection=self.connection, serializer=self.serializer)
            for name in queue_names or self._acquired_locks
        ]

    def enqueue_scheduled_jobs(self) -> None:
        """Queues what is due."""
        self._status = SchedulerStatus.WORKING
        if not self._scheduled_job_registries and self._acquired_locks:
            self.prepare_registries()
        for registry in self._scheduled_job_registries:
            job_ids = registry.get_jobs_to_schedule(current_timestamp())
            if job_ids:
                queue = Queue(registry.name, connection=self.connection, serializer=self.serializer)
                enqueue_due(queue, job_ids, registry)
        self._status = SchedulerStatus.STARTED

    # -- how it is known --------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Its hash."""
        assert self.last_heartbeat is not None
        return {
            "name": self.name,
            "hostname": self.hostname,
            "pid": str(self.pid),
            "queues": ",".join(self._queue_names),
            "created_at": utcformat(self.created_at),
            "last_heartbeat": utcformat(self.last_heartbeat),
        }

    def restore(self, raw_data: dict[Any, Any]) -> None:
        """Takes over a stored hash."""
        read = decode_redis_hash(raw_data, decode_values=True)
        self.name = read["name"]
        self.hostname = read["hostname"]
        self.pid = int(read["pid"])
        self._queue_names = set(read["queues"].split(",")) if read.get("queues") else set()
        self.created_at = utcparse(read["created_at"])
        self.last_heartbeat = utcparse(read["last_heartbeat"]) if read.get("last_heartbeat") else None

    def save(self, pipeline: Any = None) -> None:
        """Stores its hash for as long as it is alive."""
        later(pipeline, self._client.hset, self.key, mapping=self.to_dict())
        later(pipeline, self._client.expire, self.key, int(self.interval) + 60)

    def register_birth(self) -> None:
        """Makes it known."""
        self.pid = os.getpid()
        self.last_heartbeat = now()
        self.save()

    def register_death(self) -> bool:
        """Makes its end known."""
        return bool(self._client.delete(self.key))

    @classmethod
    def fetch(cls, name: str, connection: Any) -> RQScheduler:
        """The scheduler of that name."""
        raw = client_of(connection).hgetall(SCHEDULER_KEY_TEMPLATE % name)
        if not raw:
            raise SchedulerNotFound(f"Scheduler with name '{name}' not found")
        scheduler = cls([], connection=connection, name=name)
        scheduler.restore(raw)
        return scheduler

    def heartbeat(self) -> None:
        """A sign of life, for itself and its locks."""
        self.last_heartbeat = now()
        client = self._client
        client.hset(self.key, "last_heartbeat", utcformat(self.last_heartbeat))
        client.expire(self.key, int(self.interval) + 60)
        lost = set()
        for name in sorted(self._acquired_locks):
            key = self.get_locking_key(name)
            owner = client.get(key)
            if owner is None:
                client.set(key, self.name, ex=int(self.interval) + 60)
                self.log.warning("Scheduler lock for %s had expired; re-acquired", name)
            elif as_text(owner) != self.name:
                lost.add(name)
            else:
                client.expire(key, int(self.interval) + 60)
        if lost:
            names = ", ".join(sorted(lost))
            self.log.warning("Scheduler locks for %s were taken over by another scheduler", names)
            self._acquired_locks -= lost
            self._scheduled_job_registries = []

    # -- its thread -------------------------------------------------------------------------------------------------

    def start(self) -> threading.Thread:
        """Starts its thread."""
        self._status = SchedulerStatus.STARTED
        self._stop.clear()
        self._process = threading.Thread(target=run, args=(self,), name="brokerless-rq-scheduler", daemon=True)
        self._process.start()
        return self._process

    def is_alive(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def join(self, timeout: float | None = None) -> None:
        """Waits for its thread."""
        if self._process is not None and self._process is not threading.current_thread():
            self._process.join(timeout)

    def request_stop(self, signum: Any = None, frame: Any = None) -> None:
        """Its thread ends soon."""
        self._stop.set()

    def stop(self) -> None:
        """Gives everything away."""
        self.log.info("Scheduler stopping, releasing locks for %s...", ", ".join(self._acquired_locks))
        self.release_locks()
        self._status = SchedulerStatus.STOPPED
        self.register_death()

    def work(self) -> None:
        """What its thread does."""
        self.register_birth()
        while not self._stop.is_set():
            if self.should_reacquire_locks:
                self.acquire_locks()
            self.heartbeat()
            self.enqueue_scheduled_jobs()
            self._stop.wait(self.interval)
        self.stop()


def run(scheduler: RQScheduler) -> None:
    """Runs a scheduler until it is told to stop."""
    scheduler.log.info("Scheduler for %s started with PID %s", ", ".join(scheduler._queue_names), os.getpid())
    try:
        scheduler.work()
    except BaseException:
        scheduler.log.exception("Scheduler [PID %s] raised an exception", os.getpid())
        raise
    scheduler.log.info("Scheduler with PID %d has stopped", os.getpid())
