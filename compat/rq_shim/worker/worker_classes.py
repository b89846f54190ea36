"""The kinds of worker. All of them run jobs on the thread that calls `work()`; their names say what they do in RQ."""

from __future__ import annotations

from random import shuffle
from typing import Any

from ..defaults import DEFAULT_WORKER_TTL
from ..utils import now
from .base import SHUTDOWN_SIGNAL, BaseWorker, WorkerStatus

__all__ = ["HerokuWorker", "RandomWorker", "RoundRobinWorker", "SimpleWorker", "SpawnWorker", "Worker"]


class Worker(BaseWorker):
    """RQ's forking worker. Here a job that is killed is one whose function gets an exception."""

    @property
    def horse_pid(self) -> int:
        return self._horse_pid

    def kill_horse(self, sig: Any = SHUTDOWN_SIGNAL) -> None:
        pid = self.horse_pid
        super().kill_horse(sig)
        self.log.info("Worker %s: killed horse pid %s", self.name, pid)

    def execute_job(self, job: Any, queue: Any) -> None:
        """Has one job performed."""
        execution = self.prepare_execution(job)
        try:
            self._perform(job, queue, execution)
        except Exception:
            self._fell(job, queue, execution)
        self.set_state(WorkerStatus.IDLE)

    def _fell(self, job: Any, queue: Any, execution: Any) -> None:
        """What ends a job raised itself: in RQ its process would have ended with an error."""
        self.log.exception("Worker %s: performing job %s raised", self.name, job.id)
        self.executions.pop(execution.id, None)
        record = self._store.job(job.id)
        if record is None or record.status in ("finished", "failed", "queued", "scheduled"):
            return
        job.ended_at = now()
        reason = "Work-horse terminated unexpectedly; waitpid returned 256; "
        self.log.warning("Worker %s: job %s failed (%s)", self.name, job.id, reason)
        self.handle_work_horse_killed(job, self._horse_pid, 256, None)
        self._call_handler(self.handle_job_failure, job=job, queue=queue, exc_string=reason, execution=execution)

    def _perform(self, job: Any, queue: Any, execution: Any) -> None:
        perform = self.perform_job
        code = getattr(getattr(perform, "__func__", perform), "__code__", None)
        if code is not None and not code.co_flags & 0x04 and code.co_argcount <= 3:
            perform(job, queue)  # written for RQ 2
        else:
            perform(job, queue, execution)
        self.executions.pop(execution.id, None)


class SpawnWorker(Worker):
    """RQ's worker with a fresh process for each job; here the same as `Worker`."""


class SimpleWorker(BaseWorker):
    """RQ's worker without a child process."""

    _perform: Any = Worker._perform

    def execute_job(self, job: Any, queue: Any) -> None:
        """Has one job performed."""
        execution = self.prepare_execution(job)
        self._perform(job, queue, execution)
        self.set_state(WorkerStatus.IDLE)

    def get_heartbeat_ttl(self, job: Any, working_time: float = 0.0) -> int:
        if job.timeout == -1:
            return DEFAULT_WORKER_TTL
        return int(job.timeout or DEFAULT_WORKER_TTL) + 60


class HerokuWorker(Worker):
    """RQ's worker for Heroku's way to shut down; here the same as `Worker`."""

    imminent_shutdown_delay = 6
    frame_properties = ["f_code", "f_lasti", "f_lineno", "f_locals", "f_trace"]


class RoundRobinWorker(Worker):
    """Asks the queue that it took from last at last."""

    def reorder_queues(self, reference_queue: Any) -> None:
        place = self._ordered_queues.index(reference_queue) + 1
        self._ordered_queues = self._ordered_queues[place:] + self._ordered_queues[:place]


class RandomWorker(Worker):
    """Asks queues in random order."""

    def reorder_queues(self, reference_queue: Any) -> None:
        shuffle(self._ordered_queues)
