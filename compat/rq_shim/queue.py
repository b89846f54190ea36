"""`Queue`: a named queue of jobs; every form of enqueue, and what a queue can be asked.

The order is kept by the engine's queue of the same name (`runtime.lines`). The chain `enqueue → enqueue_call →
create_job → enqueue_job` is always walked when any of it is overridden or patched; `runtime.fast` takes a short cut
otherwise.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import total_ordering
from typing import TYPE_CHECKING, Any, NamedTuple

from .callbacks import execute_failure_callback, execute_success_callback
from .connections import client_of, implicit_connection
from .defaults import DEFAULT_RESULT_TTL, RQ_KEY_PREFIX
from .exceptions import DequeueTimeout, DuplicateJobError, NoSuchJobError
from .job import Job, JobStatus
from .job_lifecycle import format_exc_info, record_job_failure
from .logutils import blue, green
from .runtime import autorun, fast
from .runtime.lines import NORMAL, pop_first
from .runtime.pipeline import later
from .runtime.queueinfo import QueueInfo
from .runtime.store import Store, store_of
from .serializers import resolve_serializer
from .timeouts import UnixSignalDeathPenalty
from .utils import backend_class, import_attribute, now, parse_timeout

if TYPE_CHECKING:
    from .job import Retry

__all__ = ["EnqueueArgs", "EnqueueData", "Queue"]

logger = logging.getLogger("rq.queue")


class EnqueueData(NamedTuple):
    """One job of `enqueue_many`; made by `Queue.prepare_data`."""

    func: Any
    args: Any
    kwargs: Any
    timeout: Any
    result_ttl: Any
    ttl: Any
    failure_ttl: Any
    description: Any
    depends_on: Any
    job_id: Any
    at_front: bool
    meta: Any
    retry: Any
    on_success: Any
    on_failure: Any
    on_stopped: Any
    repeat: Any
    webhooks: Any


class EnqueueArgs(NamedTuple):
    """What `Queue.parse_args` finds."""

    func: Any
    timeout: Any
    description: Any
    result_ttl: Any
    ttl: Any
    failure_ttl: Any
    depends_on: Any
    job_id: Any
    at_front: Any
    meta: Any
    retry: Any
    repeat: Any
    on_success: Any
    on_failure: Any
    on_stopped: Any
    rate_limit: Any
    pipeline: Any
    unique: Any
    args: Any
    kwargs: Any
    webhooks: Any


_NEVER_PASSED = frozenset({"func", "at_front", "pipeline", "unique", "args", "kwargs"})
_CREATE = tuple(name for name in EnqueueArgs._fields if name not in _NEVER_PASSED)


@total_ordering
class Queue(QueueInfo):
    """Two queues of one name on one connection are the same queue.

    Not in RQ: `autostart` (None: as `BROKERLESS_AUTOSTART` says) chooses whether threads of this process work on it by
    themselves; `max_length` bounds the jobs that may wait, an enqueue beyond raises `brokerless.errors.QueueFull`.
    """

    job_class: Any = Job
    death_penalty_class: Any = UnixSignalDeathPenalty
    DEFAULT_TIMEOUT: int = 180
    redis_queue_namespace_prefix: str = RQ_KEY_PREFIX + ":queue:"
    redis_queues_keys: str = RQ_KEY_PREFIX + ":queues"

    def __init__(
        self,
        name: str = "default",
        connection: Any = None,
        default_timeout: Any = None,
        is_async: bool = True,
        job_class: Any = None,
        serializer: Any = None,
        death_penalty_class: Any = UnixSignalDeathPenalty,
        *,
        autostart: bool | None = None,
        max_length: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.connection = implicit_connection() if connection is None else connection
        self.name = name
        self._key = f"{self.redis_queue_namespace_prefix}{name}"
        self._default_timeout = parse_timeout(default_timeout) or self.DEFAULT_TIMEOUT
        self._is_async = is_async
        self.log = logger
        if "async" in kwargs:
            self._is_async = kwargs["async"]
            warnings.warn("The `async` keyword is deprecated. Use `is_async` instead", DeprecationWarning, stacklevel=2)
        if job_class is not None:
            self.job_class = import_attribute(job_class) if isinstance(job_class, str) else job_class
        self.death_penalty_class = death_penalty_class
        self.serializer = resolve_serializer(serializer)
        self.redis_server_version: Any = None
        self._autostart = autorun.wanted(self._store, self._key, autostart)
        self._max_length = max_length
        if max_length is not None:
            self._store.line(self._key).limit = max_length

    @property
    def _store(self) -> Store:
        return store_of(self.connection)

    def _register(self) -> None:
        """From its first job on a queue is known to `Queue.all`, and is worked on if that is wanted."""
        store = self._store
        store.registered[self._key] = None
        if self._autostart:
            autorun.work_on(store, self)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Queue]:
        yield self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Queue):
            raise TypeError("Cannot compare queues to other objects")
        return self.name == other.name

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Queue):
            raise TypeError("Cannot compare queues to other objects")
        return self.name < other.name

    def __hash__(self) -> int:
        return hash(self.name)

    # -- enqueue ----------------------------------------------------------------------------------------------------

    def create_job(
        self,
        func: Any,
        args: Any = None,
        kwargs: Any = None,
        timeout: Any = None,
        result_ttl: Any = None,
        ttl: Any = None,
        failure_ttl: Any = None,
        description: str | None = None,
        depends_on: Any = None,
        job_id: str | None = None,
        meta: Any = None,
        status: JobStatus = JobStatus.QUEUED,
        retry: Retry | None = None,
        repeat: Any = None,
        *,
        on_success: Any = None,
        on_failure: Any = None,
        on_stopped: Any = None,
        webhooks: Any = None,
        group_id: str | None = None,
        rate_limit: Any = None,
    ) -> Any:
        """A job of this queue that is not stored yet."""
        timeout = parse_timeout(timeout)
        if timeout is None:
            timeout = self._default_timeout
        elif timeout == 0:
            raise ValueError("0 timeout is not allowed. Use -1 for infinite timeout")
        ttl = parse_timeout(ttl)
        if ttl is not None and ttl <= 0:
            raise ValueError("Job ttl must be greater than 0")
        job = self.job_class.create(
            func,
            args=args,
            kwargs=kwargs,
            connection=self.connection,
            result_ttl=parse_timeout(result_ttl),
            ttl=ttl,
            failure_ttl=parse_timeout(failure_ttl),
            status=status,
            description=description,
            depends_on=depends_on,
            timeout=timeout,
            id=job_id,
            origin=self.name,
            meta=meta,
            serializer=self.serializer,
            on_success=on_success,
            on_failure=on_failure,
            on_stopped=on_stopped,
            webhooks=webhooks,
            group_id=group_id,
        )
        if retry:
            job.retries_left = retry.max
            job.retry_intervals = retry.intervals
            job.enqueue_at_front_on_retry = retry.enqueue_at_front
        if repeat:
            job.repeats_left = repeat.times
            job.repeat_intervals = repeat.intervals
        if rate_limit:
            job.rate_limit_key = rate_limit.key
            job.rate_limit_concurrency = rate_limit.concurrency
        return job

    @classmethod
    def parse_args(cls, f: Any, *args: Any, **kwargs: Any) -> EnqueueArgs:
        """The options among the keywords of `enqueue`, and what is left for the function."""
        if not isinstance(f, str) and f.__module__ == "__main__":
            raise ValueError("Functions from the __main__ module cannot be processed by workers")
        pop = kwargs.pop
        found = {
            "timeout": pop("job_timeout", None),
            "at_front": pop("at_front", False),
            "unique": pop("unique", False),
        }
        for name in EnqueueArgs._fields:
            if name not in found and name not in ("func", "args", "kwargs"):
                found[name] = pop(name, None)
        if "args" in kwargs or "kwargs" in kwargs:
            assert args == (), "Extra positional arguments cannot be used when using explicit args and kwargs"
            args, kwargs = pop("args", None), pop("kwargs", None)
        return EnqueueArgs(f, args=args, kwargs=kwargs, **found)

    def enqueue(self, f: Any, *args: Any, **kwargs: Any) -> Any:
        """Queues `f(*args, **kwargs)`; RQ's options are taken out of the keywords first. Gives the job.

        Not in RQ: `priority=` (0 first, 2 as all others, 3 last) inside this queue, for functions that take no argument
        of that name.
        """
        if not kwargs:
            job = fast.enqueue(self, f, args)
            if job is not None:
                return job
        priority = fast.priority_for(f, kwargs) if "priority" in kwargs and "args" not in kwargs else None
        given = Queue.parse_args(f, *args, **kwargs)._asdict()
        if priority is None:
            return self.enqueue_call(**given)
        with fast.lane(self, priority):
            return self.enqueue_call(**given)

    def enqueue_call(
        self,
        func: Any,
        args: Any = None,
        kwargs: Any = None,
        timeout: Any = None,
        result_ttl: Any = None,
        ttl: Any = None,
        failure_ttl: Any = None,
        description: str | None = None,
        depends_on: Any = None,
        job_id: str | None = None,
        at_front: bool = False,
        meta: Any = None,
        retry: Any = None,
        repeat: Any = None,
        on_success: Any = None,
        on_failure: Any = None,
        on_stopped: Any = None,
        rate_limit: Any = None,
        pipeline: Any = None,
        unique: bool = False,
        webhooks: Any = None,
    ) -> Any:
        """Queues a call given by its parts."""
        if unique and not job_id:
            raise ValueError("unique=True requires an explicit job_id")
        job = self.create_job(
            func,
            args=args,
            kwargs=kwargs,
            result_ttl=result_ttl,
            ttl=ttl,
            failure_ttl=failure_ttl,
            description=description,
            depends_on=depends_on,
            job_id=job_id,
            meta=meta,
            status=JobStatus.QUEUED,
            timeout=timeout,
            retry=retry,
            repeat=repeat,
            on_success=on_success,
            on_failure=on_failure,
            on_stopped=on_stopped,
            rate_limit=rate_limit,
            webhooks=webhooks,
        )
        return self.enqueue_job(job, pipeline=pipeline, at_front=at_front, unique=unique)

    def enqueue_job(self, job: Any, pipeline: Any = None, at_front: bool = False, unique: bool = False) -> Any:
        """Queues a job, or defers it if it has to wait for others."""
        self._check_rate_limit_namespace(job)
        if unique and not job._id:
            raise ValueError("unique=True requires an explicit job_id")
        if unique and job._dependency_ids:
            raise ValueError("unique=True is not supported with job dependencies")
        if job.has_rate_limit:
            if unique:
                raise ValueError("unique=True is not supported with rate-limited jobs")
            if not self._is_async:
                raise ValueError("rate_limit is not supported on synchronous queues (is_async=False)")
            if pipeline is not None:
                raise ValueError("rate-limited jobs cannot be enqueued with a pipeline")
        job.origin = self.name
        with self._store.lock:
            job = self.setup_dependencies(job, pipeline=pipeline)
            later(pipeline, self._register)
            if job.get_status(refresh=False) == JobStatus.DEFERRED:
                return job
            if job.has_rate_limit:
                return self._enqueue_rate_limited_job(job, pipeline=pipeline, at_front=at_front)
            if self._is_async:
                return self._enqueue_job(job, pipeline=pipeline, at_front=at_front, unique=unique)
        return self._enqueue_job(job, pipeline=pipeline, at_front=at_front, unique=unique)

    def setup_dependencies(self, job: Any, pipeline: Any = None) -> Any:
        """Defers the job if one that it waits for has not ended well yet."""
        if not job._dependency_ids:
            return job
        good = {JobStatus.FINISHED}
        if job.allow_dependency_failures:
            good.add(JobStatus.FAILED)
        with self._store.lock:
            for dependency in job.fetch_dependencies():
                if dependency.get_status(refresh=False) not in good:
                    job.set_status(JobStatus.DEFERRED, pipeline=pipeline)
                    job.register_dependency(pipeline=pipeline)
                    job.save(pipeline=pipeline)
                    job.cleanup(ttl=job.ttl, pipeline=pipeline)
                    break
        return job

    def _check_rate_limit_namespace(self, job: Any) -> None:
        if job.has_rate_limit and (
            job.redis_job_namespace_prefix != Job.redis_job_namespace_prefix
            or self.redis_queue_namespace_prefix != Queue.redis_queue_namespace_prefix
        ):
            raise ValueError("rate_limit is not supported with custom job or queue key prefixes")

    def _enqueue_rate_limited_job(self, job: Any, pipeline: Any = None, at_front: bool = False) -> Any:
        from .rate_limit import RateLimitRegistry

        job.origin = self.name
        if job.timeout is None:
            job.timeout = self._default_timeout
        registry = RateLimitRegistry.from_job(job)
        job._status = JobStatus.RATE_LIMITED
        if at_front:
            job.enqueue_at_front = True
        registry.register(job.rate_limit_concurrency, pipeline)
        job.save(pipeline=pipeline)
        job.cleanup(ttl=job.ttl, pipeline=pipeline)
        registry.add_to_rate_limited(job.id, pipeline)
        enqueued_at = now()
        promoted = registry.acquire_and_enqueue(job.rate_limit_concurrency, enqueued_at=enqueued_at, pipeline=pipeline)
        if job.id in promoted:
            job._status = JobStatus.QUEUED
            job.enqueued_at = enqueued_at
        return job

    def _enqueue_job(self, job: Any, pipeline: Any = None, at_front: bool = False, unique: bool = False) -> Any:
        if self._is_async:
            return self._enqueue_async_job(job, pipeline=pipeline, at_front=at_front, unique=unique)
        return self._enqueue_sync_job(job, pipeline=pipeline, unique=unique)

    def _prepare_for_queue(self, job: Any) -> None:
        job.origin = self.name
        job.enqueued_at = now()
        if job.timeout is None:
            job.timeout = self._default_timeout
        job._status = JobStatus.QUEUED

    def _persist_job(self, job: Any, pipeline: Any = None, status: JobStatus = JobStatus.QUEUED) -> None:
        job.set_status(status, pipeline=pipeline)
        job.save(pipeline=pipeline)
        job.cleanup(ttl=job.ttl, pipeline=pipeline)

    def _store_for_queue(self, job: Any, pipeline: Any, unique: bool) -> None:
        deferred = job.get_status(refresh=False) == JobStatus.DEFERRED
        self._prepare_for_queue(job)
        if unique:
            # Checked here and now, also with a pipeline: the caller has to learn of it.
            pipeline = None
            if self._store.job(job.id) is not None:
                raise DuplicateJobError(f"Job with ID '{job.id}' already exists")
        if deferred:
            self.deferred_job_registry.remove(job, pipeline=pipeline)
        self._persist_job(job, pipeline)

    def _enqueue_async_job(self, job: Any, pipeline: Any = None, at_front: bool = False, unique: bool = False) -> Any:
        self.log.debug("Enqueueing job %s to queue %s (at_front=%s)", job.id, self.name, at_front)
        with self._store.lock:
            self._store_for_queue(job, pipeline, unique)
            try:
                self.push_job_id(job.id, pipeline=None if unique else pipeline, at_front=at_front)
            except Exception:
                # No room, or the engine has ended: a job that nothing will ever run must not be left behind.
                self._store.delete_job(job.id)
                raise
        return job

    def _enqueue_sync_job(self, job: Any, pipeline: Any = None, unique: bool = False) -> Any:
        self.log.debug("Enqueueing job %s to queue %s (sync execution)", job.id, self.name)
        with self._store.lock:
            # The job runs here and now, so a pipeline has nothing to put off.
            self._store_for_queue(job, None, unique)
        return self.run_sync(job)

    def push_job_id(self, job_id: str, pipeline: Any = None, at_front: bool = False) -> None:
        """Puts a job id into the queue, at its end or front. Stored or not is not asked."""
        later(pipeline, self._push, job_id, at_front, fast.lane_of(self))
        self.log.debug("Pushed job %s into %s", blue(job_id), green(self.name))

    def _push(self, job_id: str, at_front: bool, lane: int = NORMAL) -> int:
        line = self._store.line(self._key)
        if self._autostart and self._key not in self._store.registered:
            self._register()
        line.push(job_id, front=at_front, lane=lane)
        return line.count()

    # -- run here ---------------------------------------------------------------------------------------------------

    def run_sync(self, job: Any) -> Any:
        """Runs a job here and now, with its callbacks."""
        # Only here, not in the store: to others a sync job stays queued until it has ended.
        with client_of(self.connection).pipeline() as unused:
            job.prepare_for_execution("sync", unused)
        try:
            job = self.run_job(job)
        except BaseException:
            exc_string = format_exc_info(sys.exc_info())
            with self._store.lock:
                record_job_failure(job, exc_string)
            execute_failure_callback(job, self.death_penalty_class, *sys.exc_info())
            job.send_webhooks(JobStatus.FAILED, exc_string=exc_string)
        else:
            execute_success_callback(job, self.death_penalty_class, job._result)
            job.send_webhooks(JobStatus.FINISHED)
        return job

    def run_job(self, job: Any) -> Any:
        """Performs a job and stores its result."""
        job.perform()
        job.ended_at = now()
        result_ttl = job.get_result_ttl(default_ttl=DEFAULT_RESULT_TTL)
        with self._store.lock:
            job._handle_success(result_ttl=result_ttl, worker_name="")
            job.cleanup(result_ttl)
        return job

    # -- many -------------------------------------------------------------------------------------------------------

    @staticmethod
    def prepare_data(
        func: Any,
        args: Any = None,
        kwargs: Any = None,
        timeout: Any = None,
        result_ttl: Any = None,
        ttl: Any = None,
        failure_ttl: Any = None,
        description: str | None = None,
        depends_on: Any = None,
        job_id: str | None = None,
        at_front: bool = False,
        meta: Any = None,
        retry: Any = None,
        on_success: Any = None,
        on_failure: Any = None,
        on_stopped: Any = None,
        repeat: Any = None,
        webhooks: Any = None,
    ) -> EnqueueData:
        """One job of `enqueue_many`."""
        return EnqueueData(
            func, args, kwargs, timeout, result_ttl, ttl, failure_ttl, description, depends_on, job_id, at_front, meta,
            retry, on_success, on_failure, on_stopped, repeat, webhooks,
        )  # fmt: skip

    def _create_one(self, data: EnqueueData, status: JobStatus, group_id: str | None) -> Any:
        options = data._asdict()
        del options["at_front"]
        return self.create_job(status=status, group_id=group_id, **options)

    def enqueue_many(
        self, job_datas: Iterable[EnqueueData], pipeline: Any = None, group_id: str | None = None
    ) -> list[Any]:
        """Queues many jobs. Gives those without dependencies first, then the waiting, then the ones that need not."""
        free: list[EnqueueData] = []
        bound: list[EnqueueData] = []
        seen: set[str] = set()
        for data in job_datas:
            if data.job_id is not None:
                if data.job_id in seen:
                    raise ValueError(f"Job ID '{data.job_id}' appears more than once in enqueue_many()")
                seen.add(data.job_id)
            (bound if data.depends_on else free).append(data)
        later(pipeline, self._register)
        jobs = [
            self._enqueue_job(
                self._create_one(data, JobStatus.QUEUED, group_id), pipeline=pipeline, at_front=data.at_front
            )
            for data in free
        ]
        unmet: list[Any] = []
        met: list[Any] = []
        if bound:
            with self._store.lock:
                for data in bound:
                    job = self._create_one(data, JobStatus.DEFERRED, group_id)
                    job.save(pipeline=pipeline)
                    job.register_dependency(pipeline=pipeline)
                    if self._ready(job):
                        front = bool(job.enqueue_at_front or data.at_front)
                        met.append(self._enqueue_job(job, pipeline=pipeline, at_front=front))
                    else:
                        job.cleanup(ttl=job.ttl, pipeline=pipeline)
                        unmet.append(job)
        return jobs + unmet + met

    def _ready(self, job: Any) -> bool:
        """Whether the jobs it waits for have ended well, whatever has been noted about them so far."""
        good = {JobStatus.FINISHED, JobStatus.FAILED} if job.allow_dependency_failures else {JobStatus.FINISHED}
        records = [self._store.job(job_id) for job_id in job._dependency_ids]
        return all(record.status in good for record in records if record is not None and record.status)

    # -- later ------------------------------------------------------------------------------------------------------

    def enqueue_at(self, datetime: datetime, f: Any, *args: Any, **kwargs: Any) -> Any:
        """Queues a call at a time; a naive one is local time."""
        given = Queue.parse_args(f, *args, **kwargs)
        options = {name: getattr(given, name) for name in _CREATE}
        job = self.create_job(f, status=JobStatus.SCHEDULED, args=given.args, kwargs=given.kwargs, **options)
        if given.at_front:
            job.enqueue_at_front = True
        return self.schedule_job(job, datetime, pipeline=given.pipeline, unique=given.unique)

    def enqueue_in(self, time_delta: timedelta, func: Any, *args: Any, **kwargs: Any) -> Any:
        """Queues a call after a time."""
        return self.enqueue_at(now() + time_delta, func, *args, **kwargs)

    def schedule_job(self, job: Any, datetime: datetime, pipeline: Any = None, unique: bool = False) -> Any:
        """Puts a job into the scheduled registry."""
        from .registry import ScheduledJobRegistry

        self._check_rate_limit_namespace(job)
        if unique and not job._id:
            raise ValueError("unique=True requires an explicit job_id")
        with self._store.lock:
            if unique:
                pipeline = None
                if self._store.job(job.id) is not None:
                    raise DuplicateJobError(f"Job with ID '{job.id}' already exists")
            later(pipeline, self._register)
            self._persist_job(job, pipeline, status=JobStatus.SCHEDULED)
            ScheduledJobRegistry(queue=self).schedule(job, datetime, pipeline=pipeline)
        return job

    # -- dependents -------------------------------------------------------------------------------------------------

    def move_dependents_to_ready(
        self,
        job: Any,
        pipeline: Any = None,
        exclude_job_id: str | None = None,
        refresh_job_status: bool = True,
    ) -> dict[str, list[str]]:
        """Marks the dependents ready that wait for nothing else. Gives their ids by queue."""
        from .registry import ReadyJobRegistry

        ready: dict[str, list[str]] = {}
        store = self._store
        with store.lock:
            waiting = list(store.dependents.get(job.id, ()))
            if not waiting:
                return ready
            found = self.job_class.fetch_many(waiting, connection=self.connection, serializer=self.serializer)
            released = []
            for dependent in found:
                if (
                    dependent is not None
                    and dependent.dependencies_are_met(
                        parent_job=job, exclude_job_id=exclude_job_id, refresh_job_status=refresh_job_status
                    )
                    and dependent.get_status(refresh=False) != JobStatus.CANCELED
                ):
                    released.append(dependent)
                    ready.setdefault(dependent.origin, []).append(dependent.id)
            for name, ids in ready.items():
                registry = ReadyJobRegistry(
                    name=name, connection=self.connection, job_class=self.job_class, serializer=self.serializer
                )
                registry.register_jobs([dependent for dependent in released if dependent.id in ids])
            linked = store.dependents.get(job.id, {})
            for dependent in released:
                linked.pop(dependent.id, None)
            if not linked:
                store.dependents.pop(job.id, None)
        return ready

    def enqueue_ready_jobs_by_queue(self, job_ids_by_queue_name: dict[str, list[str]]) -> None:
        """Queues the jobs that were marked ready, each on its own queue."""
        for name, ids in job_ids_by_queue_name.items():
            try:
                target = type(self)(
                    name=name, connection=self.connection, job_class=self.job_class, serializer=self.serializer
                )
                target._autostart = self._autostart
                target._is_async = self._is_async
                target.ready_job_registry.enqueue_jobs(ids)
            except Exception:
                self.log.exception(
                    "Failed to drain ready dependents for queue %s; leaving for ReadyJobRegistry.cleanup()", name
                )

    def enqueue_dependents(
        self, job: Any, pipeline: Any = None, exclude_job_id: str | None = None, refresh_job_status: bool = True
    ) -> dict[str, list[str]]:
        """Queues the dependents that wait for nothing else."""
        ready = self.move_dependents_to_ready(job, exclude_job_id=exclude_job_id, refresh_job_status=refresh_job_status)
        self.enqueue_ready_jobs_by_queue(ready)
        return ready

    # -- taking -----------------------------------------------------------------------------------------------------

    @classmethod
    def dequeue_any(
        cls,
        queues: Iterable[Any],
        timeout: int | None,
        connection: Any = None,
        job_class: Any = None,
        serializer: Any = None,
        death_penalty_class: Any = None,
    ) -> tuple[Any, Any] | None:
        """(job, queue) of the first job in the first queue that has one.

        `timeout` None: None at once if there is none; else waits so many seconds and raises DequeueTimeout.
        """
        if timeout == 0:
            raise ValueError("RQ does not support indefinite timeouts. Please pick a timeout value > 0")
        asked = list(queues)
        connection = (asked[0].connection if asked else implicit_connection()) if connection is None else connection
        store = store_of(connection)
        lines = [store.line(queue.key) for queue in asked]
        while True:
            line, job_id = pop_first(lines[0].engine, lines, timeout or 0) if lines else (None, None)
            if line is None or job_id is None:
                if timeout is not None:
                    raise DequeueTimeout(timeout, [queue.key for queue in asked])
                return None
            found = cls._fetch_dequeued_job(connection, line.key, job_id, job_class, serializer, death_penalty_class)
            if found is not None:
                return found

    @classmethod
    def _fetch_dequeued_job(
        cls,
        connection: Any,
        queue_key: str,
        job_id: str,
        job_class: Any = None,
        serializer: Any = None,
        death_penalty_class: Any = None,
    ) -> tuple[Any, Any] | None:
        kind = backend_class(cls, "job_class", override=job_class)
        queue = cls.from_queue_key(
            queue_key,
            connection=connection,
            job_class=kind,
            serializer=serializer,
            death_penalty_class=death_penalty_class,
        )
        try:
            return kind.fetch(job_id, connection=connection, serializer=serializer), queue
        except NoSuchJobError:
            return None
        except Exception as error:
            error.job_id = job_id  # type: ignore[attr-defined]
            error.queue = queue  # type: ignore[attr-defined]
            raise

    def pop_job_id(self) -> str | None:
        """Takes the first job id out of the queue."""
        return self._store.line(self._key).pop()

    @classmethod
    def lpop(cls, queue_keys: Sequence[str], timeout: int | None, connection: Any = None) -> tuple[str, str] | None:
        """(queue key, job id) of the first one; see `dequeue_any` for the timeout."""
        if timeout == 0:
            raise ValueError("RQ does not support indefinite timeouts. Please pick a timeout value > 0")
        store = store_of(implicit_connection() if connection is None else connection)
        lines = [store.line(key) for key in queue_keys]
        line, job_id = pop_first(lines[0].engine, lines, timeout or 0)
        if line is None or job_id is None:
            if timeout is not None:
                raise DequeueTimeout(timeout, queue_keys)
            return None
        return line.key, job_id


fast.remember_originals(Queue, Job, JobStatus.QUEUED)
