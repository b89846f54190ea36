"""`WorkerPool`: several workers at once, here threads of this process."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple

from .connections import parse_connection
from .defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT
from .job import Job
from .logutils import setup_loghandlers
from .queue import Queue
from .runtime.records import new_hex
from .serializers import DefaultSerializer
from .utils import parse_names
from .worker import Worker

__all__ = ["WorkerData", "WorkerPool", "run_worker"]

LOOK = 0.1


class WorkerThread(threading.Thread):
    """A worker's thread; has what is asked of a process in RQ."""

    worker: Any = None

    @property
    def pid(self) -> int:
        return os.getpid()


class WorkerData(NamedTuple):
    """One worker of a pool."""

    name: str
    pid: int
    process: Any


class WorkerPool:
    """Keeps `num_workers` workers alive while it runs."""

    class Status(Enum):
        """What the pool does."""

        IDLE = 1
        STARTED = 2
        STOPPED = 3

    def __init__(
        self,
        queues: Iterable[Any],
        connection: Any,
        num_workers: int = 1,
        worker_class: Any = Worker,
        serializer: Any = DefaultSerializer,
        job_class: Any = Job,
        queue_class: Any = Queue,
        exception_handlers: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self.num_workers = num_workers
        self.log = logging.getLogger("rq.worker_pool")
        self._queue_names = parse_names(queues)
        self.connection = connection
        self.name = new_hex()
        self._burst = True
        self._sleep: float = 0
        self.status = self.Status.IDLE
        self.worker_class = worker_class
        self.serializer = serializer
        self.job_class = job_class
        self.queue_class = queue_class
        self.exception_handlers = exception_handlers
        self.worker_dict: dict[str, WorkerData] = {}
        self._connection_class, self._pool_class, self._pool_kwargs = parse_connection(connection)

    @property
    def queues(self) -> list[Any]:
        """Its queues."""
        return [self.queue_class(name, connection=self.connection) for name in self._queue_names]

    @property
    def number_of_active_workers(self) -> int:
        """How many workers are alive."""
        return len(self.worker_dict)

    def _install_signal_handlers(self) -> dict[int, Any]:
        if threading.current_thread() is not threading.main_thread():
            return {}
        return {number: signal.signal(number, self.request_stop) for number in (signal.SIGINT, signal.SIGTERM)}

    def request_stop(self, signum: Any = None, frame: Any = None) -> None:
        """The workers end after their jobs, and the pool with them."""
        self.log.info("Received SIGINT/SIGTERM, shutting down...")
        self.status = self.Status.STOPPED
        self.stop_workers()

    def all_workers_have_stopped(self) -> bool:
        """Whether none is alive."""
        self.reap_workers()
        return self.number_of_active_workers == 0

    def reap_workers(self) -> None:
        """Forgets those that have ended."""
        for data in list(self.worker_dict.values()):
            data.process.join(LOOK / 10)
            if not data.process.is_alive():
                self.handle_dead_worker(data)

    def handle_dead_worker(self, worker_data: WorkerData) -> None:
        """A worker has ended."""
        self.log.info("Worker %s with pid %d is dead", worker_data.name, worker_data.pid)
        self.worker_dict.pop(worker_data.name, None)

    def check_workers(self, respawn: bool = True) -> None:
        """Starts others for those that have ended."""
        self.reap_workers()
        if respawn and self.status != self.Status.STOPPED:
            for _ in range(self.num_workers - len(self.worker_dict)):
                self.start_worker(burst=self._burst, _sleep=self._sleep)

    def get_worker_process(self, name: str, burst: bool, _sleep: float = 0, logging_level: str = "INFO") -> Any:
        """A thread for one worker, not started."""
        thread = WorkerThread(name=f"Worker {name} (WorkerPool {self.name})", daemon=True)

        def main() -> None:
            run_worker(
                name,
                self._queue_names,
                self._connection_class,
                self._pool_class,
                self._pool_kwargs,
                worker_class=self.worker_class,
                serializer=self.serializer,
                job_class=self.job_class,
                queue_class=self.queue_class,
                exception_handlers=self.exception_handlers,
                burst=burst,
                logging_level=logging_level,
                _sleep=_sleep,
                _connection=self.connection,
                _thread=thread,
            )

        thread.run = main  # type: ignore[method-assign]
        return thread

    def start_worker(
        self, count: int | None = None, burst: bool = True, _sleep: float = 0, logging_level: str = "INFO"
    ) -> None:
        """Starts one worker."""
        name = new_hex()
        process = self.get_worker_process(name, burst=burst, _sleep=_sleep, logging_level=logging_level)
        process.start()
        self.worker_dict[name] = WorkerData(name=name, pid=process.pid, process=process)

    def start_workers(self, burst: bool = True, _sleep: float = 0, logging_level: str = "INFO") -> None:
        """Starts all workers."""
        for number in range(self.num_workers):
            self.start_worker(number + 1, burst=burst, _sleep=_sleep, logging_level=logging_level)

    def stop_worker(self, worker_data: WorkerData, sig: Any = signal.SIGINT) -> None:
        """Tells a worker to end after its job."""
        worker = getattr(worker_data.process, "worker", None)
        if worker is not None:
            worker.request_warm_stop()
            self.log.info("Sent shutdown command to worker with %s", worker_data.pid)

    def stop_workers(self) -> None:
        """Tells all workers to end."""
        self.log.info("Sending stop signal to %s workers", len(self.worker_dict))
        for data in list(self.worker_dict.values()):
            self.stop_worker(data)

    def start(self, burst: bool = False, logging_level: str = "INFO") -> None:
        """Runs the pool until it is told to stop, or (`burst`) until there are no jobs."""
        self._burst = burst
        setup_loghandlers(logging_level, DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT, name="rq.worker_pool")
        self.log.info("Starting worker pool %s with pid %d...", self.name, os.getpid())
        self.status = self.Status.STARTED
        self.start_workers(burst=burst, logging_level=logging_level)
        before = self._install_signal_handlers()
        try:
            while True:
                if self.status == self.Status.STOPPED:
                    if self.all_workers_have_stopped():
                        break
                else:
                    self.check_workers(respawn=not burst)
                    if burst and self.number_of_active_workers == 0:
                        break
                time.sleep(LOOK)
            self.log.info("All workers stopped, exiting...")
        finally:
            for number, handler in (before or {}).items():
                signal.signal(number, handler)


def run_worker(
    worker_name: str,
    queue_names: Iterable[str],
    connection_class: Any,
    connection_pool_class: Any,
    connection_pool_kwargs: dict[str, Any],
    worker_class: Any = Worker,
    serializer: Any = DefaultSerializer,
    job_class: Any = Job,
    queue_class: Any = Queue,
    exception_handlers: Any = None,
    burst: bool = True,
    logging_level: str = "INFO",
    _sleep: float = 0,
    _connection: Any = None,
    _thread: Any = None,
) -> None:
    """Runs one worker of a pool."""
    from .connections import ConnectionPool, Redis

    connection = _connection
    if connection is None:
        connection = Redis(
            connection_pool=ConnectionPool(connection_class=connection_pool_class, **connection_pool_kwargs)
        )
    worker = worker_class(
        [queue_class(name, connection=connection) for name in queue_names],
        name=worker_name,
        connection=connection,
        serializer=serializer,
        job_class=job_class,
        queue_class=queue_class,
        exception_handlers=exception_handlers,
    )
    if _thread is not None:
        _thread.worker = worker
    worker.log.info("Starting worker started with PID %s", os.getpid())
    time.sleep(_sleep)
    worker.work(burst=burst, with_scheduler=True, logging_level=logging_level)
