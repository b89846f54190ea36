"""`Queue`: a named queue of jobs; every form of enqueue, and what a queue can be asked.

The order is kept by the engine's queue of the same name (`runtime.lines`). The chain `enqueue → enqueue_call →
create_job → enqueue_job` is always walked when any of it is overridden or patched; `runtime.fast` takes a short cut
otherwise.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import total_ordering
from typing import TYPE_CHECKING, Any

from .callbacks import Callback as Callback
from .connections import implicit_connection
from .defaults import RQ_KEY_PREFIX
from .dependency import Dependency as Dependency
from .exceptions import DequeueTimeout as DequeueTimeout
from .exceptions import DuplicateJobError
from .exceptions import NoSuchJobError as NoSuchJobError
from .job import Job, JobStatus
from .logutils import blue, green
from .repeat import Repeat as Repeat
from .runtime import autorun, fast
from .runtime.enqueuedata import EnqueueArgs, EnqueueData
from .runtime.lines import NORMAL
from .runtime.pipeline import later
from .runtime.queuemany import QueueMany
from .runtime.queuetaking import QueueTaking
from .runtime.queuewaiting import QueueWaiting
from .runtime.store import Store, store_of
from .serializers import resolve_serializer
from .timeouts import UnixSignalDeathPenalty
from .utils import import_attribute, now, parse_timeout

if TYPE_CHECKING:
    from .job import Retry

__all__ = ["EnqueueArgs", "EnqueueData", "Queue"]

logger = logging.getLogger("rq.queue")

_NEVER_PASSED = frozenset({"func", "at_front", "pipeline", "unique", "args", "kwargs"})
_CREATE = tuple(name for name in EnqueueArgs._fields if name not in _NEVER_PASSED)


@total_ordering
class Queue(QueueTaking, QueueMany, QueueWaiting):
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


fast.remember_originals(Queue, Job, JobStatus.QUEUED)
