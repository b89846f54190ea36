"""`WorkerRun`: what a worker does with one job, from its start to its stored outcome. Mixed into `BaseWorker`.

`perform_job`, `handle_exception`, `handle_job_success`, `handle_job_failure` and `handle_job_retry` are where add-ons
hang on; they are called as in RQ 3, and work when called as in RQ 2, without `execution`.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from ..callbacks import execute_failure_callback, execute_stopped_callback, execute_success_callback
from ..exceptions import DeserializationError
from ..executions import Execution, cleanup_execution, prepare_execution
from ..job import JobStatus, Retry
from ..job_lifecycle import call_exception_handlers, format_exc_info
from ..logutils import blue, green
from ..rate_limit import release_slot
from ..repeat import Repeat
from ..results import Result
from ..timeouts import JobTimeoutException
from ..utils import now
from .cases import Case, ColdShutDown, HorseKilled
from .workerinfo import WorkerInfo

__all__ = ["WorkerRun"]

KILLED = "Work-horse terminated unexpectedly; waitpid returned 9 (signal 9); "
STOPPED = "Job stopped by user, work-horse terminated."


class WorkerRun(WorkerInfo):
    """Needs what `BaseWorker.__init__` sets."""

    death_penalty_class: Any
    default_result_ttl: int
    log_job_description: bool
    log_result_lifespan: bool
    job_monitoring_interval: int
    disable_default_exception_handler: bool
    _exc_handlers: list[Any]
    _work_horse_killed_handler: Any
    _stopped_job_id: str | None
    _horse_pid: int
    _case: Any

    # -- start ------------------------------------------------------------------------------------------------------

    def prepare_execution(self, job: Any) -> Execution:
        """Makes the run known."""
        return prepare_execution(self, job)

    def cleanup_execution(self, job: Any, pipeline: Any = None, execution: Any = None) -> None:
        """The run is over."""
        cleanup_execution(self, job, pipeline, execution)

    def get_heartbeat_ttl(self, job: Any, working_time: float = 0.0) -> int:
        """For how many seconds a sign of life is good."""
        if job.timeout and job.timeout > 0:
            return int(min(job.timeout - working_time, self.job_monitoring_interval)) + 60
        return self.job_monitoring_interval + 60

    def maintain_heartbeats(self, job: Any, execution: Any = None) -> None:
        """Signs of life for worker, job and run."""
        execution = self.execution if execution is None else execution
        worker_ttl = self.job_monitoring_interval + 60
        with self._store.lock:
            known = self._client.exists(self.key)
            self.heartbeat(worker_ttl)
            if not known and self.birth_date is not None:
                self._client.hset(self.key, mapping=self.serialize())
                self._client.expire(self.key, worker_ttl)
            working = (now() - job.started_at).total_seconds() if job.started_at else 0.0
            ttl = int(self.get_heartbeat_ttl(job, working_time=working))
            execution.heartbeat(job.started_job_registry, ttl)
            job.heartbeat(now(), ttl, xx=True)

    def prepare_job_execution(self, job: Any, remove_from_intermediate_queue: bool = False) -> None:
        """Marks the job started; from here on it does not expire."""
        with self._store.lock:
            ttl = self.get_heartbeat_ttl(job)
            self.heartbeat(ttl)
            job.heartbeat(now(), ttl)
            job.prepare_for_execution(self.name)
            record = self._store.job(job.id)
            if record is not None:
                self._store.persist_job(record)

    def perform_job(self, job: Any, queue: Any, execution: Any = None) -> bool:
        """Performs a job and stores how it ended; True if it finished."""
        execution = self.execution if execution is None else execution
        case = self._case = Case(self, job, queue, execution)
        case.open()
        self._horse_pid = threading.get_ident()
        try:
            self.prepare_job_execution(job)
            job.started_at = now()
            timeout = job.timeout or self.queue_class.DEFAULT_TIMEOUT
            with self.death_penalty_class(timeout, JobTimeoutException, job_id=job.id):
                value = job.perform()
            if not case.claim():
                return False
            self._finalize_success(job, queue, execution, value)
        except ColdShutDown:
            case.claim()
            raise
        except BaseException:
            if case.claim():
                self._finish_failure(job, queue, execution, sys.exc_info())
            return False
        finally:
            case.close()
            if self._case is case:
                self._case = None
                self._horse_pid = 0
        return True

    # -- end --------------------------------------------------------------------------------------------------------

    def handle_execution_ended(self, job: Any, queue: Any, heartbeat_ttl: Any) -> None:
        """The function is through; callbacks come next."""
        job.ended_at = now()
        job.heartbeat(now(), heartbeat_ttl)

    def _finalize_success(self, job: Any, queue: Any, execution: Any, return_value: Any) -> None:
        self.handle_execution_ended(job, queue, job.success_callback_timeout)
        job._result = return_value
        if isinstance(return_value, Retry):
            self._retry_asked(job, queue, return_value, execution)
            return
        job._status = JobStatus.FINISHED
        execute_success_callback(job, self.death_penalty_class, return_value)
        self._call_handler(self.handle_job_success, job=job, queue=queue, execution=execution)
        job.send_webhooks(JobStatus.FINISHED)
        self.log.info("Worker %s: %s: %s (%s)", self.name, green(job.origin), blue("Job OK"), job.id)
        if return_value is not None:
            self.log.debug("Worker %s: result: %r", self.name, return_value)
        if self.log_result_lifespan:
            self._log_lifespan(job)

    def _retry_asked(self, job: Any, queue: Any, retry: Retry, execution: Any) -> None:
        if execution is None:
            execution = Execution("", job.id, self.connection, self.name)
        self._call_handler(self.handle_job_retry, job=job, queue=queue, retry=retry, execution=execution)

    def _call_handler(self, handler: Any, **given: Any) -> None:
        """Calls an overridable step as RQ 3 does; one written for RQ 2 takes no `execution`."""
        given["started_job_registry"] = given["queue"].started_job_registry
        code = getattr(getattr(handler, "__func__", handler), "__code__", None)
        if code is not None and not code.co_flags & 0x08:
            names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            if "execution" not in names:
                given.pop("execution", None)
        handler(**given)

    def _log_lifespan(self, job: Any) -> None:
        ttl = job.get_result_ttl(self.default_result_ttl)
        if ttl == 0:
            self.log.info("Worker %s: job %s result discarded immediately", self.name, job.id)
        elif ttl > 0:
            self.log.info("Worker %s: job %s result is kept for %s seconds", self.name, job.id, ttl)
        else:
            self.log.info("Worker %s: job %s result will never expire, clean up result key manually", self.name, job.id)

    def _finish_failure(self, job: Any, queue: Any, execution: Any, exc_info: Any) -> None:
        """Any way to end other than success: killed, stopped, failed. An exception handler's exception passes."""
        if isinstance(exc_info[1], HorseKilled):
            self._finalize_killed(job, queue, execution)
        else:
            self._finalize_failure(job, queue, execution, exc_info)

    def _finalize_failure(self, job: Any, queue: Any, execution: Any, exc_info: Any) -> None:
        job._status = JobStatus.FAILED
        self.handle_execution_ended(job, queue, job.failure_callback_timeout)
        try:
            execute_failure_callback(job, self.death_penalty_class, *exc_info)
        except BaseException:
            exc_info = sys.exc_info()
        self.handle_exception(job, *exc_info)
        self._call_handler(
            self.handle_job_failure,
            job=job,
            queue=queue,
            exc_string=format_exc_info(exc_info),
            execution=execution,
        )

    def _fell(self, job: Any, queue: Any, execution: Any) -> None:
        """What ends a job raised itself, on a thread that is not the worker's own; the job stays started."""
        self.log.exception("Worker %s: job %s could not be brought to an end", self.name, job.id)

    def handle_exception(self, job: Any, *exc_info: Any) -> None:
        """Logs a failure and calls the exception handlers."""
        extra: dict[str, Any] = {"queue": job.origin, "job_id": job.id}
        try:
            func_name = job.func_name
            extra.update(func=func_name, arguments=job.args, kwargs=job.kwargs)
        except DeserializationError:
            func_name = "<DeserializationError>"
        self.log.error(
            "Worker %s: job %s: exception raised while executing (%s)\n%s",
            self.name,
            job.id,
            func_name,
            format_exc_info(exc_info),
            extra=extra,
        )
        call_exception_handlers(self._exc_handlers, job, *exc_info)

    def handle_job_success(self, job: Any, queue: Any, started_job_registry: Any = None, execution: Any = None) -> None:
        """Stores a success: dependents, counters, status, result, lifetime."""
        execution = self.execution if execution is None else execution
        with self._store.lock:
            ready = queue.move_dependents_to_ready(job)
            self.increment_successful_job_count()
            self.increment_total_working_time(job.ended_at - job.started_at)
            result_ttl = job.get_result_ttl(self.default_result_ttl)
            if result_ttl != 0:
                job._handle_success(
                    result_ttl,
                    worker_name=self.name,
                    execution_id=execution.id if execution else None,
                    execution_started_at=execution.created_at if execution else None,
                    execution_ended_at=job.ended_at,
                )
            if job.repeats_left:
                self.log.info("Worker %s: job %s scheduled to repeat (%s left)", self.name, job.id, job.repeats_left)
                Repeat.schedule(job, queue)
            else:
                self._clean_up_success(job, result_ttl)
            self.cleanup_execution(job, execution=execution)
        queue.enqueue_ready_jobs_by_queue(ready)
        release_slot(job)
        taken = job.ended_at - job.started_at
        what = f"{job.description} job" if self.log_job_description else f"job {job.id}"
        self.log.info("Successfully completed %s in %ss on worker %s", what, taken, self.name)

    def _clean_up_success(self, job: Any, result_ttl: Any) -> None:
        job.cleanup(result_ttl, remove_from_queue=False)
        job._status = JobStatus.FINISHED

    def handle_job_failure(
        self, job: Any, queue: Any, started_job_registry: Any = None, exc_string: str = "", execution: Any = None
    ) -> None:
        """Stores a failure, or has the job tried again."""
        execution = self.execution if execution is None else execution
        with self._store.lock:
            stopped = self._stopped_job_id == job.id
            retry = job.should_retry and not stopped
            if stopped:
                job.set_status(JobStatus.STOPPED)
                self._stopped_job_id = None
            elif not retry:
                job.set_status(JobStatus.FAILED)
            self.cleanup_execution(job, execution=execution)
            if not self.disable_default_exception_handler and not retry:
                job._handle_failure(
                    exc_string,
                    worker_name=self.name,
                    execution_id=execution.id if execution else None,
                    execution_started_at=execution.created_at if execution else None,
                    execution_ended_at=job.ended_at,
                )
            self.increment_failed_job_count()
            if job.started_at and job.ended_at:
                self.increment_total_working_time(job.ended_at - job.started_at)
            if retry:
                job.retry(queue)
        if not retry and not stopped:
            job.send_webhooks(JobStatus.FAILED, exc_string=exc_string)
        if not retry:
            self._enqueue_dependents_safely(queue, job)
        self._release_slot_safely(job)

    def _enqueue_dependents_safely(self, queue: Any, job: Any) -> None:
        try:
            queue.enqueue_dependents(job)
        except Exception:
            self.log.exception("Worker %s: failed to enqueue dependents of job %s", self.name, job.id)

    def _release_slot_safely(self, job: Any) -> None:
        try:
            release_slot(job)
        except Exception:
            self.log.exception("Worker %s: failed to release rate limit slot of job %s", self.name, job.id)

    def handle_job_retry(
        self, job: Any, queue: Any, retry: Retry, started_job_registry: Any = None, execution: Any = None
    ) -> None:
        """The function returned a `Retry`."""
        outcome = {
            "worker_name": self.name,
            "execution_id": execution.id,
            "execution_started_at": execution.created_at,
            "execution_ended_at": job.ended_at,
        }
        with self._store.lock:
            self.increment_failed_job_count()
            self.increment_total_working_time(job.ended_at - job.started_at)
            self.cleanup_execution(job, execution=execution)
            if not job.number_of_retries or job.number_of_retries < retry.max:
                job._handle_retry_result(queue=queue, pipeline=None, retry=retry, **outcome)
                release_slot(job)
                return
            self.log.warning("Worker %s: job %s has exceeded maximum retry attempts (%d)", self.name, job.id, retry.max)
            job.set_status(JobStatus.FAILED)
            job.failed_job_registry.add(job, ttl=job.failure_ttl, exc_string="")
            Result.create_max_retries_exceeded(job, job.failure_ttl, return_value=retry, **outcome)
        job.send_webhooks(JobStatus.FAILED, exc_string="")
        self._enqueue_dependents_safely(queue, job)
        self._release_slot_safely(job)

    # -- killed and stopped -----------------------------------------------------------------------------------------

    @property
    def horse_pid(self) -> int:
        """Something true while a job runs. There is no process to send signals to."""
        return 0

    def kill_horse(self, sig: Any = None) -> None:
        """Ends the job that runs, if any: its function gets an exception."""
        case = self._case
        if case is not None:
            case.interrupt()

    def request_stop_execution(self, execution_id: str) -> None:
        """Stops a run, if it is this worker's."""
        execution = self.executions.get(execution_id)
        if not execution:
            self.log.warning("Not running execution %s, command ignored.", execution_id)
            return
        self._stopped_job_id = execution.job_id
        self.kill_horse()

    def _finalize_killed(self, job: Any, queue: Any, execution: Any) -> None:
        if self._stopped_job_id == job.id:
            self._handle_stopped_job(job, queue, execution)
            return
        job.ended_at = now()
        self.log.warning("Worker %s: job %s failed (%s)", self.name, job.id, KILLED)
        self.handle_work_horse_killed(job, self._horse_pid, 9, None)
        self._call_handler(self.handle_job_failure, job=job, queue=queue, exc_string=KILLED, execution=execution)

    def _handle_stopped_job(self, job: Any, queue: Any, execution: Any = None) -> None:
        self.log.warning("Worker %s: job %s stopped by user, moving job to FailedJobRegistry", self.name, job.id)
        try:
            execute_stopped_callback(job, self.death_penalty_class)
        except Exception:
            self.log.exception("Worker %s: stopped callback for job %s raised", self.name, job.id)
        self._call_handler(self.handle_job_failure, job=job, queue=queue, exc_string=STOPPED, execution=execution)

    def handle_work_horse_killed(self, job: Any, retpid: Any, ret_val: Any, rusage: Any) -> None:
        """Tells that a run ended without a word."""
        self.log.warning("Work horse killed for job %s: retpid=%s, ret_val=%s", job.id, retpid, ret_val)
        if self._work_horse_killed_handler is not None:
            self._work_horse_killed_handler(job, retpid, ret_val, rusage)

    queue_class: Any
