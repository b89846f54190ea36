"""The short cut of `Queue.enqueue`: a plain function with plain arguments on an ordinary queue.

It does what the chain of methods would do, in one step, and only while nothing of that chain is overridden in a
subclass or patched on a class or object. `lane` is how a priority reaches the push at the end of the long way.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

from ..serializers import DefaultSerializer
from . import clock
from .lines import LANES, NORMAL
from .records import PLAIN, JobRecord, new_id
from .store import store_of

__all__ = ["enqueue", "is_ordinary", "lane", "lane_of", "priority_for", "remember_originals"]

_lanes = threading.local()

_queue_class: Any = None
_job_class: Any = None
_queue_methods: tuple[tuple[str, Any], ...] = ()
_job_methods: tuple[tuple[str, Any], ...] = ()
_queued: Any = None

QUEUE_CHAIN = ("enqueue_call", "create_job", "enqueue_job", "_enqueue_job", "_persist_job", "push_job_id", "parse_args")
JOB_CHAIN = ("create", "__init__", "save")


def remember_originals(queue_class: Any, job_class: Any, queued: Any) -> None:
    """Called once, when the classes are complete: notes what the chain consists of."""
    global _queue_class, _job_class, _queue_methods, _job_methods, _queued
    _queue_class = queue_class
    _job_class = job_class
    _queued = queued
    _queue_methods = tuple((name, queue_class.__dict__[name]) for name in QUEUE_CHAIN)
    _job_methods = tuple((name, _raw(job_class, name)) for name in JOB_CHAIN)


def _raw(kind: Any, name: str) -> Any:
    for base in kind.__mro__:
        if name in base.__dict__:
            return base.__dict__[name]
    raise AttributeError(name)


def is_ordinary(queue: Any) -> bool:
    """Whether the long way would do nothing else for this queue."""
    if type(queue) is not _queue_class or queue.serializer is not DefaultSerializer or not queue._is_async:
        return False
    mine = queue.__dict__
    if len(mine) > 11 or "job_class" in mine:
        return False
    kind = _queue_class.__dict__
    for name, original in _queue_methods:
        if kind[name] is not original:
            return False
    kind = _job_class.__dict__
    for name, original in _job_methods:
        if kind.get(name, original) is not original:
            return False
    return _queue_class.job_class is _job_class


def enqueue(queue: Any, func: Any, args: tuple[Any, ...]) -> Any:
    """The job, queued; None if the long way has to be taken."""
    if type(func) is not FunctionType or not is_ordinary(queue):
        return None
    for arg in args:
        if type(arg) not in PLAIN:
            return None
    module = func.__module__
    if module == "__main__":
        return None
    store = store_of(queue.connection)
    line = store.line(queue._key)
    if line.engine.closed:
        return None
    name = f"{module}.{func.__qualname__}"
    job_id = new_id()
    now = clock.now()
    timeout = queue._default_timeout

    record = JobRecord(job_id)
    record.origin = queue.name
    record.status = _queued
    record.payload = name
    record.args = args
    record.created_at = now
    record.enqueued_at = now
    record.timeout = timeout
    store.jobs[job_id] = record
    if queue._key not in store.registered or (queue._autostart and not line.worked):
        queue._register()
    try:
        record.task = line.engine.enqueue(
            line.run, (job_id,), queue=line.index, lane=NORMAL, keep=False, context=False, limit=line.limit
        )
    except BaseException:
        store.jobs.pop(job_id, None)
        raise
    if not line.watched:
        line.watch()

    # Attribute by attribute: a look at __dict__ would cost a dictionary for each job.
    job = _job_class.__new__(_job_class)
    job.connection = queue.connection
    job._id = job_id
    job.created_at = job.enqueued_at = now
    job.serializer = DefaultSerializer
    job.origin = queue.name
    job._instance = None
    job._func_name = name
    job._args = args
    job._describes_itself = True
    job.timeout = timeout
    job._status = _queued
    return job


def priority_for(func: Any, kwargs: dict[str, Any]) -> int | None:
    """Takes a `priority=` out of the keywords that is meant for the queue: one that the function does not take."""
    priority = kwargs.get("priority")
    if type(priority) is not int or not 0 <= priority < LANES or not callable(func):
        return None
    import inspect

    try:
        parameters = inspect.signature(func).parameters.values()
    except (TypeError, ValueError):
        return None
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD or parameter.name == "priority":
            return None
    del kwargs["priority"]
    return priority


@contextmanager
def lane(queue: Any, number: int) -> Iterator[None]:
    """What this thread pushes to this queue inside the block goes to that lane."""
    before = getattr(_lanes, "of", None)
    _lanes.of = (queue.key, number)
    try:
        yield
    finally:
        _lanes.of = before


def lane_of(queue: Any) -> int:
    """The lane for a push to this queue now."""
    chosen = getattr(_lanes, "of", None)
    return chosen[1] if chosen is not None and chosen[0] == queue.key else NORMAL
