"""`Job`: one call of a function, with its options, its status and its outcome.

Its data is in `runtime.jobdata`, its relations in `runtime.joblinks`, its outcome in `runtime.joboutcome`, its callbacks
in `runtime.jobruns`; here is how it is made, found, and performed.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from .callbacks import Callback
from .connections import implicit_connection
from .defaults import CALLBACK_TIMEOUT as CALLBACK_TIMEOUT
from .defaults import RQ_KEY_PREFIX
from .exceptions import DeserializationError as DeserializationError
from .exceptions import InvalidJobOperation
from .exceptions import NoSuchJobError as NoSuchJobError
from .runtime.compiling import runnable
from .runtime.jobdata import UNEVALUATED
from .runtime.joboptions import Dependency, Retry
from .runtime.jobruns import JobRuns
from .runtime.jobstatus import JobStatus
from .runtime.passing import arguments_with_results, wanted_results
from .runtime.pipeline import later
from .runtime.records import new_id
from .serializers import resolve_serializer
from .utils import ensure_job_list, import_attribute, now, parse_timeout, resolve_function_reference

if TYPE_CHECKING:
    from .webhook import Webhook

__all__ = [
    "JOB_ID_PATTERN",
    "UNEVALUATED",
    "Callback",
    "Dependency",
    "Job",
    "JobStatus",
    "Retry",
    "cancel_job",
    "get_current_job",
    "parse_job_id",
    "requeue_job",
    "validate_job_id",
]

logger = logging.getLogger("rq.job")

JOB_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]+")


def parse_job_id(job_or_execution_id: str) -> str:
    """The job id of "job" or "job:execution"."""
    return job_or_execution_id.partition(":")[0]


def validate_job_id(job_id: Any) -> None:
    """TypeError or ValueError for what cannot be a job id."""
    if not isinstance(job_id, str):
        raise TypeError(f"Job ID must be a string, not {type(job_id)}")
    if not JOB_ID_PATTERN.fullmatch(job_id):
        raise ValueError("Job ID must only contain letters, numbers, underscores and dashes")


_current_job: ContextVar[Any] = ContextVar("current_job", default=None)


def get_current_job(connection: Any = None, job_class: Any = None) -> Any:
    """The job that is being performed here, or None."""
    if connection:
        warnings.warn("connection argument for get_current_job is deprecated.", DeprecationWarning, stacklevel=2)
    if job_class:
        warnings.warn("job_class argument for get_current_job is deprecated.", DeprecationWarning, stacklevel=2)
    current = _current_job.get()
    if current is None or isinstance(current, Job):
        return current
    return current.current_job()


def cancel_job(job_id: str, connection: Any = None, serializer: Any = None, enqueue_dependents: bool = False) -> None:
    """Cancels the job of that id."""
    Job.fetch(job_id, connection=connection, serializer=serializer).cancel(enqueue_dependents=enqueue_dependents)


def requeue_job(job_id: str, connection: Any = None, serializer: Any = None) -> Job:
    """Queues the failed job of that id again."""
    return Job.fetch(job_id, connection=connection, serializer=serializer).requeue()  # type: ignore[no-any-return]


_SEQUENCES = (list, tuple, type(None))
_MAPPINGS = (dict, type(None))


class Job(JobRuns):
    """Made by `Queue.enqueue`, `Job.create` or `Job.fetch`."""

    redis_job_namespace_prefix = RQ_KEY_PREFIX + ":job:"

    _id: str | None = None
    _status: Any = JobStatus.CREATED
    log = logger

    def __init__(self, id: str | None = None, connection: Any = None, serializer: Any = None) -> None:
        self.connection = implicit_connection() if connection is None else connection
        if id:
            validate_job_id(id)
        self._id = id
        self.created_at = now()
        self.serializer = resolve_serializer(serializer)

    @classmethod
    def create(
        cls,
        func: Any,
        args: Any = None,
        kwargs: dict[str, Any] | None = None,
        connection: Any = None,
        result_ttl: Any = None,
        ttl: Any = None,
        status: Any = None,
        description: str | None = None,
        depends_on: Any = None,
        timeout: Any = None,
        retry: Retry | None = None,
        id: str | None = None,
        origin: str = "",
        meta: dict[str, Any] | None = None,
        failure_ttl: Any = None,
        serializer: Any = None,
        group_id: str | None = None,
        *,
        on_success: Any = None,
        on_failure: Any = None,
        on_stopped: Any = None,
        webhooks: Sequence[Webhook] | None = None,
    ) -> Any:
        """A job that is not stored yet: `save()` and `queue.enqueue_job()` are the caller's."""
        if connection is None and not (isinstance(args, _SEQUENCES) and isinstance(kwargs, _MAPPINGS)):
            raise TypeError("args has to be a list or tuple, kwargs a dict")
        job = cls(connection=connection, serializer=serializer)
        if id is not None:
            job.id = id
        if origin:
            job.origin = origin
        job._instance, job._func_name = resolve_function_reference(func)
        job._args = () if args is None else args
        job._kwargs = {} if kwargs is None else kwargs
        job._set_callbacks(success=on_success, failure=on_failure, stopped=on_stopped)
        if webhooks:
            from .webhook import check_webhooks

            job.webhooks = check_webhooks(webhooks)
        job._describe(description)
        for name, value in (
            ("result_ttl", result_ttl),
            ("failure_ttl", failure_ttl),
            ("ttl", ttl),
            ("timeout", timeout),
        ):
            if value is not None:
                setattr(job, name, parse_timeout(value))
        if meta:
            job.meta = meta
        if group_id is not None:
            job.group_id = group_id
        if retry is not None:
            job.retries_left = retry.max
            job.enqueue_at_front_on_retry = retry.enqueue_at_front
            job.retry_intervals = retry.intervals
        if depends_on is not None:
            job.process_dependencies(depends_on)
        job._status = JobStatus.CREATED if status is None else status
        return job

    def process_dependencies(self, depends_on: Any) -> None:
        """Takes over what `depends_on=` says."""
        ids: list[str] = []
        given: list[tuple[Dependency, list[str]]] = []
        for item in ensure_job_list(depends_on):
            if isinstance(item, Dependency):
                self.enqueue_at_front = self.enqueue_at_front or item.enqueue_at_front
                self.allow_dependency_failures = self.allow_dependency_failures or item.allow_failure
                own = [job.id if isinstance(job, Job) else job for job in item.dependencies]
                given.append((item, own))
                ids.extend(own)
            elif isinstance(item, (Job, str)):
                ids.append(item.id if isinstance(item, Job) else item)
            else:
                raise ValueError(f"depends_on items must be Job objects or string job IDs, got {type(item).__name__}")
        self._dependency_ids = ids
        if any(dependency.pass_results is not None for dependency, _ in given):
            self._pass_results = wanted_results(given, self.kwargs)

    # -- finding ----------------------------------------------------------------------------------------------------

    @classmethod
    def exists(cls, job_id: str, connection: Any = None) -> bool:
        """Whether a job of that id is stored."""
        from .runtime.store import store_of

        return store_of(implicit_connection() if connection is None else connection).job(job_id) is not None

    @classmethod
    def fetch(cls, id: str, connection: Any = None, serializer: Any = None) -> Any:
        """The stored job of that id; NoSuchJobError if there is none."""
        job = cls(parse_job_id(id), connection=connection, serializer=serializer)
        job.refresh()
        return job

    @classmethod
    def fetch_many(cls, job_ids: Iterable[str], connection: Any = None, serializer: Any = None) -> list[Any]:
        """The stored jobs of those ids, None for each that is missing."""
        jobs: list[Any] = []
        for job_id in job_ids:
            job = cls(parse_job_id(job_id), connection=connection, serializer=serializer)
            record = job._store.job(job.id)
            if record is None:
                jobs.append(None)
                continue
            job._load(record)
            jobs.append(job)
        return jobs

    @classmethod
    def key_for(cls, job_id: str) -> str:
        return cls.redis_job_namespace_prefix + job_id

    @classmethod
    def dependents_key_for(cls, job_id: str) -> str:
        return f"{cls.redis_job_namespace_prefix}{job_id}:dependents"

    @property
    def key(self) -> str:
        return self.key_for(self.id)

    @property
    def dependents_key(self) -> str:
        return self.dependents_key_for(self.id)

    @property
    def dependencies_key(self) -> str:
        return f"{self.redis_job_namespace_prefix}:{self.id}:dependencies"

    @property
    def id(self) -> str:
        """The id; a random UUID unless one was given."""
        if self._id is None:
            self._id = new_id()
        return self._id

    @id.setter
    def id(self, value: str) -> None:
        validate_job_id(value)
        self._id = value

    def get_id(self) -> str:
        """Old name of `id`."""
        return self.id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._id!r}, enqueued_at={self.enqueued_at!r})"

    def __str__(self) -> str:
        return f"<{type(self).__name__} {self.id}: {self.description}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def get_position(self) -> int | None:
        """Its place in its queue, from 0; None when it is not in one."""
        return self._queue().get_job_position(self.id) if self.origin else None

    # -- status -----------------------------------------------------------------------------------------------------

    def get_status(self, refresh: bool = True) -> Any:
        """The status, from the store unless `refresh` is off."""
        if refresh:
            self._status = self._fetch_status()
        return self._status

    def _fetch_status(self) -> JobStatus:
        record = self._store.job(self.id)
        if record is None or not record.status:
            raise InvalidJobOperation(f"Failed to retrieve status for job: {self.id}")
        status: Any = record.status
        return status if type(status) is JobStatus else JobStatus(status)

    def set_status(self, status: Any, pipeline: Any = None) -> None:
        """Sets the status here and in the store."""
        self._status = status
        later(pipeline, self._store_status, status)

    def _store_status(self, status: Any) -> None:
        store = self._store
        store.touch_job(self.id).status = status
        store.space.touch(self.key)
        store.notify(self.id)

    def _set_loaded_status(self, status: Any) -> None:
        self._status = JobStatus(status) if status else JobStatus.CREATED

    is_finished = property(lambda self: self.get_status() == JobStatus.FINISHED)
    is_queued = property(lambda self: self.get_status() == JobStatus.QUEUED)
    is_failed = property(lambda self: self.get_status() == JobStatus.FAILED)
    is_started = property(lambda self: self.get_status() == JobStatus.STARTED)
    is_deferred = property(lambda self: self.get_status() == JobStatus.DEFERRED)
    is_canceled = property(lambda self: self.get_status() == JobStatus.CANCELED)
    is_scheduled = property(lambda self: self.get_status() == JobStatus.SCHEDULED)
    is_stopped = property(lambda self: self.get_status() == JobStatus.STOPPED)
    is_ready_to_enqueue = property(lambda self: self.get_status() == JobStatus.READY_TO_ENQUEUE)

    # -- running ----------------------------------------------------------------------------------------------------

    @property
    def func(self) -> Callable[..., Any] | None:
        """The function itself, looked up now."""
        name = self.func_name
        if name is None:
            return None
        if self.instance:
            return getattr(self.instance, name)  # type: ignore[no-any-return]
        return import_attribute(name)  # type: ignore[no-any-return]

    def perform(self) -> Any:
        """Calls the function, as the current job, and gives its result."""
        token = _current_job.set(self)
        try:
            self._result = self._execute()
        finally:
            _current_job.reset(token)
        return self._result

    def _execute(self) -> Any:
        func = self.func
        if not func:
            raise ValueError("Cannot execute job: function is None")
        args, kwargs = arguments_with_results(self) if self._pass_results else (self.args, self.kwargs)
        result = runnable(func)(*args, **kwargs)
        if hasattr(result, "send") and hasattr(result, "throw"):
            from .runtime.coroutines import is_coroutine, run_coroutine

            if is_coroutine(result):
                return run_coroutine(result)
        return result
