"""`AutoWorker`: the worker that stands for one thread of the engine, for jobs that start by themselves.

It is a `Worker` like any other to who looks, and to who patches the methods of workers; it is entered into the registry
of workers only when somebody looks.
"""

from __future__ import annotations

import logging
import os
import threading
from operator import attrgetter
from typing import Any

from ..exceptions import NoSuchJobError
from ..executions import Execution
from ..job import Job
from ..logutils import blue, green
from ..runtime.fast import originals_performing, performing
from ..runtime.records import new_hex
from ..utils import current_timestamp
from .base import WorkerStatus
from .worker_classes import Worker

__all__ = ["AutoWorker", "originals_hold"]

_numbers = iter(range(1, 1_000_000_000))

WORKER_CHAIN = ("perform_job", "execute_job", "prepare_job_execution", "prepare_execution", "handle_job_success")


class AutoWorker(Worker):
    """Made by the thread it stands for."""

    def __init__(self, run: Any, queue: Any) -> None:
        self._run = run
        number = next(_numbers)
        super().__init__([queue], name=f"thread-{os.getpid()}-{number}-{new_hex()[:6]}", connection=queue.connection)
        self.thread_id = threading.get_ident()
        self.done = 0
        """Jobs that went the short way, not counted in the hash yet."""
        self.busy = 0.0
        self._entered = False

    def show(self) -> None:
        """Enters it into the registry of workers, with what it has done."""
        autorun = self._store.autorun
        if autorun is not None:
            self.queues = list(autorun.kinds.values())
        with self._store.lock:
            if not self._entered:
                self._entered = True
                self.register_birth()
                self._listen()
            done, self.done = self.done, 0
            busy, self.busy = self.busy, 0.0
            if done:
                self._client.hincrby(self.key, "successful_job_count", done)
                self._client.hincrbyfloat(self.key, "total_working_time", busy)
            self.heartbeat()
            self.set_state(WorkerStatus.BUSY if self._run.busy else WorkerStatus.IDLE)

    def kill_horse(self, sig: Any = None) -> None:
        """Ends the job that runs, whichever way it went."""
        if self._case is not None or not self._run.interrupt():
            super().kill_horse(sig)
        else:
            self.log.info("Worker %s: killed horse pid %s", self.name, self.thread_id)

    @property
    def horse_pid(self) -> int:
        return self.thread_id if self._run.busy else 0

    def run(self, queue: Any, job_id: str) -> None:
        """Has a job performed, through all the methods of a worker."""
        if not self._entered:
            self.show()
        try:
            job = queue.job_class.fetch(job_id, connection=queue.connection, serializer=queue.serializer)
        except NoSuchJobError:
            return
        try:
            if self.log.isEnabledFor(logging.INFO):
                text = f"{blue(str(job.description))} ({job.id})" if self.log_job_description else job.id
                self.log.info("Worker %s: %s: %s", self.name, green(queue.name), text)
            self.execute_job(job, queue)
        except BaseException:
            self.log.exception("Worker %s: job %s could not be brought to an end", self.name, job_id)

    def enter(self, record: Any, job: Any) -> Execution:
        """Makes a run known that began the short way."""
        execution = Execution(new_hex(), record.id, self.connection, self.name)
        execution._job = job
        execution.created_at = execution.last_heartbeat = record.started_at
        ttl = self.get_heartbeat_ttl(job)
        execution.save(ttl)
        job.execution_registry.add(execution, ttl=ttl)
        started = self._store.space.scored(job.started_job_registry.key)
        started.set(execution.composite_key, current_timestamp() + ttl)
        self._client.sadd(self.executions_key, execution.composite_key)
        self.executions[execution.id] = execution
        return execution


_of_worker = attrgetter(*WORKER_CHAIN)
# This module is loaded with its package, so before anybody has a class of workers to patch; jobs are there earlier.
_worker_chain = _of_worker(AutoWorker)
_job_chain = originals_performing()


def originals_hold() -> bool:
    """Whether nobody has patched the methods that the short way leaves out."""
    return bool(_of_worker(AutoWorker) == _worker_chain and performing(Job) == _job_chain)
