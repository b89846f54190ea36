"""`WorkerUpkeep`: what a worker does between jobs: registries, scheduler, suspension. Mixed into `BaseWorker`."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from ..defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT
from ..exceptions import StopRequested
from ..suspension import is_suspended
from ..utils import now
from .workerinfo import WorkerInfo
from .workerwords import WorkerStatus

__all__ = ["WAIT", "WorkerUpkeep"]

WAIT = 0.25
"""Longest wait in one go for a job; a worker that is told to stop looks up that often."""


class WorkerUpkeep(WorkerInfo):
    """Needs what `BaseWorker.__init__` sets."""

    maintenance_interval: int
    last_cleaned_at: datetime | None
    _exc_handlers: list[Any]
    _stop_requested: bool

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """Whether registries are to be cleaned now."""
        if self.last_cleaned_at is None:
            return True
        return now() - self.last_cleaned_at > timedelta(seconds=self.maintenance_interval)

    def run_maintenance_tasks(self) -> None:
        """Cleans registries."""
        if self.last_cleaned_at and self.scheduler and not self.scheduler.is_alive():
            self.scheduler.acquire_locks(auto_start=True)
        self.clean_registries()
        self.clean_group_registries()

    def clean_registries(self) -> None:
        """Takes out of the queues' registries what has ended."""
        from ..registry import clean_registries
        from ..worker_registration import clean_worker_registry

        for queue in self.queues:
            if queue.acquire_maintenance_lock():
                self.log.info("Worker %s: cleaning registries for queue: %s", self.name, queue.name)
                clean_registries(queue, self._exc_handlers)
                clean_worker_registry(queue)
                queue.release_maintenance_lock()
        self.last_cleaned_at = now()

    def clean_group_registries(self) -> None:
        """Takes out of groups what has ended."""
        from ..group import Group

        if Group.acquire_maintenance_lock(self.connection, max(int(self.maintenance_interval) - 1, 1)):
            self.log.info("Worker %s: cleaning group registries", self.name)
            Group.clean_registries(connection=self.connection)

    def _start_scheduler(
        self,
        burst: bool = False,
        logging_level: str | None = "INFO",
        date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: str = DEFAULT_LOGGING_FORMAT,
    ) -> None:
        from ..scheduler import RQScheduler

        self.scheduler = RQScheduler(
            self.queues,
            connection=self.connection,
            logging_level=logging_level if logging_level is not None else self.log.level,
            date_format=date_format,
            log_format=log_format,
            serializer=self.serializer,
        )
        self.scheduler.acquire_locks()
        if not self.scheduler.acquired_locks:
            return
        if not burst:
            self.scheduler.start()
            return
        try:
            self.scheduler.register_birth()
            self.scheduler.enqueue_scheduled_jobs()
        finally:
            self.scheduler.release_locks()
            self.scheduler.register_death()

    def stop_scheduler(self) -> None:
        """Ends the scheduler that came with this worker."""
        self.scheduler.request_stop()
        self.scheduler.join()

    def check_for_suspension(self, burst: bool) -> None:
        """Waits while workers are suspended; a burst worker ends instead."""
        before = None
        told = False
        while not self._stop_requested and is_suspended(self.connection, self):
            if burst:
                self.log.info("Worker %s: suspended in burst mode, exiting", self.name)
                self.log.info("Worker %s: note: there could still be unfinished jobs on the queue", self.name)
                raise StopRequested
            if not told:
                self.log.info("Worker %s: suspended, run `rq resume` to resume", self.name)
                before = self.get_state()
                self.set_state(WorkerStatus.SUSPENDED)
                told = True
            time.sleep(WAIT)
        if before:
            self.set_state(before)
