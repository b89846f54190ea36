"""`BaseWorker`: the loop that takes jobs and has them performed.

What happens to one job is in `runtime.workerrun`, between jobs in `runtime.workerupkeep`, at a stop in
`runtime.workerend`; how a worker is known to others is in `runtime.workerinfo`. A worker here is an object and not a
process: `work()` runs jobs on the thread that calls it, whichever that is, and leaves signal handlers as they were.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import sys
import time
import warnings
from collections.abc import Callable
from datetime import datetime
from random import shuffle
from typing import Any

from ..connections import client_of, implicit_connection
from ..defaults import (
    DEFAULT_JOB_MONITORING_INTERVAL,
    DEFAULT_LOGGING_DATE_FORMAT,
    DEFAULT_LOGGING_FORMAT,
    DEFAULT_MAINTENANCE_TASK_INTERVAL,
    DEFAULT_RESULT_TTL,
    DEFAULT_WORKER_TTL,
)
from ..exceptions import DequeueTimeout, StopRequested
from ..job import Job
from ..logutils import blue, green, setup_loghandlers
from ..queue import Queue
from ..runtime.records import new_hex
from ..runtime.workerend import WorkerEnd
from ..runtime.workerrun import WorkerRun
from ..runtime.workerupkeep import WAIT, WorkerUpkeep
from ..runtime.workerwords import SHUTDOWN_SIGNAL, DequeueStrategy, WorkerStatus, _signames, signal_name
from ..serializers import resolve_serializer
from ..suspension import is_suspended
from ..timeouts import get_default_death_penalty_class
from ..utils import ensure_job_list, get_connection_from_queues, import_job_class, import_queue_class
from ..version import VERSION

__all__ = ["SHUTDOWN_SIGNAL", "BaseWorker", "DequeueStrategy", "WorkerStatus", "_signames", "logger", "signal_name"]

logger = logging.getLogger("rq.worker")
if logger.level == logging.NOTSET:
    logger.setLevel(logging.INFO)


class BaseWorker(WorkerRun, WorkerUpkeep, WorkerEnd):
    """Takes jobs of its queues, first queue first, and performs them one after the other."""

    death_penalty_class: Any = get_default_death_penalty_class()
    queue_class: Any = Queue
    job_class: Any = Job
    log_result_lifespan = True
    log_job_description = True
    exponential_backoff_factor = 2.0
    max_connection_wait_time = 60.0

    def __init__(
        self,
        queues: Any,
        name: str | None = None,
        default_result_ttl: int = DEFAULT_RESULT_TTL,
        connection: Any = None,
        exception_handlers: Any = None,
        maintenance_interval: int = DEFAULT_MAINTENANCE_TASK_INTERVAL,
        default_worker_ttl: int | None = None,
        worker_ttl: int | None = None,
        job_class: Any = None,
        queue_class: Any = None,
        log_job_description: bool = True,
        job_monitoring_interval: int = DEFAULT_JOB_MONITORING_INTERVAL,
        disable_default_exception_handler: bool = False,
        prepare_for_work: bool = True,
        serializer: Any = None,
        work_horse_killed_handler: Callable[..., Any] | None = None,
    ) -> None:
        self.default_result_ttl = default_result_ttl
        if default_worker_ttl and not worker_ttl:
            warnings.warn("default_worker_ttl is deprecated, use worker_ttl.", DeprecationWarning, stacklevel=2)
        self.worker_ttl = worker_ttl or default_worker_ttl or DEFAULT_WORKER_TTL
        self.job_monitoring_interval = job_monitoring_interval
        self.maintenance_interval = maintenance_interval
        given = ensure_job_list(queues)
        if connection is None:
            connection = get_connection_from_queues(given)
        if connection is None:
            connection = implicit_connection()
        self.connection = self._set_connection(connection)
        self._client = client_of(connection)
        self._store = self._client._store
        self.redis_server_version: Any = None
        if job_class:
            self.job_class = import_job_class(job_class) if isinstance(job_class, str) else job_class
        if queue_class:
            self.queue_class = import_queue_class(queue_class) if isinstance(queue_class, str) else queue_class
        self.version: str = VERSION
        self.python_version: str = sys.version
        self._serializer_arg = serializer
        self.serializer = resolve_serializer(serializer)
        self.executions: dict[str, Any] = {}
        self._executions: list[Any] = []
        self.queues: list[Any] = [self._queue_of(item) for item in given]
        self.name: str = name or new_hex()
        self.validate_queues()
        self._ordered_queues = self.queues[:]
        self._exc_handlers: list[Callable[..., Any]] = []
        self._work_horse_killed_handler = work_horse_killed_handler
        self._shutdown_requested_date: datetime | None = None
        self._state: str = "starting"
        self._is_horse = False
        self._horse_pid = 0
        self._stop_requested = False
        self._stopped_job_id: str | None = None
        self._case: Any = None
        self._signals: dict[int, Any] = {}
        self.log = logger
        self.log_job_description = log_job_description
        self.last_cleaned_at: datetime | None = None
        self.successful_job_count = 0
        self.failed_job_count = 0
        self.total_working_time = 0.0
        self.birth_date: datetime | None = None
        self.last_heartbeat: datetime | None = None
        self.scheduler: Any = None
        self.pubsub: Any = None
        self.pubsub_thread: Any = None
        self._dequeue_strategy: Any = DequeueStrategy.DEFAULT
        self.disable_default_exception_handler = disable_default_exception_handler
        self.hostname: str | None = socket.gethostname() if prepare_for_work else None
        self.pid: int | None = os.getpid() if prepare_for_work else None
        self.ip_address = "unknown"
        for handler in exception_handlers if isinstance(exception_handlers, (list, tuple)) else [exception_handlers]:
            if handler is not None:
                self.push_exc_handler(handler)

    def _queue_of(self, item: Any) -> Any:
        if not isinstance(item, str):
            return item
        return self.queue_class(
            name=item,
            connection=self.connection,
            job_class=self.job_class,
            serializer=self.serializer,
            death_penalty_class=self.death_penalty_class,
        )

    def _set_connection(self, connection: Any) -> Any:
        pool = getattr(connection, "connection_pool", None)
        options = getattr(pool, "connection_kwargs", None)
        if isinstance(options, dict):
            timeout = options.get("socket_timeout")
            if timeout is None or timeout < self.connection_timeout:
                options["socket_timeout"] = self.connection_timeout
        return connection

    def validate_queues(self) -> None:
        """TypeError for what is not a queue."""
        for queue in self.queues:
            if not isinstance(queue, self.queue_class):
                raise TypeError(f"{queue} is not of type {self.queue_class} or string types")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, self.__class__):
            raise TypeError("Cannot compare workers to other types (of workers)")
        return self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def push_exc_handler(self, handler_func: Callable[..., Any]) -> None:
        """Adds a function that is called after failures."""
        self._exc_handlers.append(handler_func)

    def pop_exc_handler(self) -> Callable[..., Any]:
        """Takes the last one away."""
        return self._exc_handlers.pop()

    # -- the loop ---------------------------------------------------------------------------------------------------

    def work(
        self,
        burst: bool = False,
        logging_level: str | None = None,
        date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: str = DEFAULT_LOGGING_FORMAT,
        max_jobs: int | None = None,
        max_idle_time: int | None = None,
        with_scheduler: bool = False,
        dequeue_strategy: Any = DequeueStrategy.DEFAULT,
    ) -> bool:
        """Performs jobs until it is told to stop, or (`burst`) until there are none. True if there was one."""
        self.bootstrap(logging_level, date_format, log_format)
        self._dequeue_strategy = dequeue_strategy
        completed = 0
        if with_scheduler:
            self._start_scheduler(burst, logging_level, date_format, log_format)
        self._install_signal_handlers()
        try:
            while True:
                try:
                    self.check_for_suspension(burst)
                    if self.should_run_maintenance_tasks:
                        self.run_maintenance_tasks()
                    if self._stop_requested:
                        self.log.info("Worker %s: stopping on request", self.name)
                        break
                    found = self.dequeue_job_and_maintain_ttl(None if burst else self.dequeue_timeout, max_idle_time)
                    if found is None:
                        if burst:
                            self.log.info("Worker %s: done, quitting", self.name)
                        elif max_idle_time is not None:
                            self.log.info("Worker %s: idle for %d seconds, quitting", self.name, max_idle_time)
                        break
                    self.execute_job(*found)
                    self.heartbeat()
                    completed += 1
                    if max_jobs is not None and completed >= max_jobs:
                        self.log.info("Worker %s: finished executing %d jobs, quitting", self.name, completed)
                        break
                except StopRequested:
                    break
                except SystemExit:
                    raise
                except BaseException:
                    self.log.error("Worker %s: found an unhandled exception, quitting...", self.name, exc_info=True)
                    break
        finally:
            self._restore_signal_handlers()
            self.teardown()
        return bool(completed)

    def bootstrap(
        self,
        logging_level: str | None = "INFO",
        date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: str = DEFAULT_LOGGING_FORMAT,
    ) -> None:
        """What comes before the first job."""
        setup_loghandlers(logging_level, date_format, log_format, name="rq.worker")
        setup_loghandlers(logging_level, date_format, log_format, name="rq.job")
        self.register_birth()
        self.log.info("Worker %s: started with PID %d, version %s", self.name, os.getpid(), VERSION)
        self.subscribe()
        self.set_state(WorkerStatus.STARTED)
        self.log.info("*** Listening on %s...", green(", ".join(self.queue_names())))

    def execute_job(self, job: Any, queue: Any) -> None:
        """Has one job performed."""
        raise NotImplementedError

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Any, Any] | None:
        """The next job and its queue; None when there is none (no timeout) or the idle time is over."""
        self.set_state(WorkerStatus.IDLE)
        self.procline("Listening on " + ",".join(self.queue_names()))
        result = None
        idle_since = time.monotonic()
        while True:
            self.heartbeat()
            if self.should_run_maintenance_tasks:
                self.run_maintenance_tasks()
            try:
                result = self._dequeue(timeout, max_idle_time, idle_since)
                break
            except DequeueTimeout:
                if max_idle_time is not None and math.ceil(max_idle_time - (time.monotonic() - idle_since)) <= 0:
                    break
        self.heartbeat()
        return result

    def _dequeue(self, timeout: int | None, max_idle_time: int | None, idle_since: float) -> Any:
        """One wait of `timeout` seconds, in pieces, so that a stop is seen."""
        left: float | None = timeout
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            if end is not None:
                left = end - time.monotonic()
                if max_idle_time is not None:
                    left = min(left, max_idle_time - (time.monotonic() - idle_since))
                if left <= 0:
                    raise DequeueTimeout(timeout, self.queue_keys())
            try:
                found = self.queue_class.dequeue_any(
                    self._ordered_queues,
                    None if left is None else min(left, WAIT),
                    connection=self.connection,
                    job_class=self.job_class,
                    serializer=self.serializer,
                    death_penalty_class=self.death_penalty_class,
                )
            except DequeueTimeout:
                if self._stop_requested or is_suspended(self.connection):
                    self._look_up()
                continue
            if found is not None:
                self._dequeued(*found)
            return found

    def _look_up(self) -> None:
        if self._stop_requested:
            raise StopRequested
        self.check_for_suspension(False)

    def _dequeued(self, job: Any, queue: Any) -> None:
        self.reorder_queues(reference_queue=queue)
        if self.log_job_description:
            self.log.info("Worker %s: %s: %s (%s)", self.name, green(queue.name), blue(str(_text_of(job))), job.id)
        else:
            self.log.info("Worker %s: %s: %s", self.name, green(queue.name), job.id)

    def reorder_queues(self, reference_queue: Any) -> None:
        """In which order queues are asked next, after a job of this one."""
        strategy = self._dequeue_strategy or DequeueStrategy.DEFAULT
        if strategy not in ("default", "random", "round_robin"):
            raise ValueError(f"Dequeue strategy {strategy} is not allowed. Use `default`, `random` or `round_robin`.")
        if strategy == DequeueStrategy.ROUND_ROBIN:
            place = self._ordered_queues.index(reference_queue) + 1
            self._ordered_queues = self._ordered_queues[place:] + self._ordered_queues[:place]
        elif strategy == DequeueStrategy.RANDOM:
            shuffle(self._ordered_queues)


def _text_of(job: Any) -> Any:
    from ..exceptions import DeserializationError

    try:
        return job.description
    except DeserializationError:
        return "<DeserializationError>"
