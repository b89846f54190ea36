"""The short cut of `Queue.enqueue`: a plain function with plain arguments on an ordinary queue.

It does what the chain of methods would do, in one step, and only while nothing of that chain is overridden in a
subclass or patched on a class or object. `lane` is how a priority reaches the push at the end of the long way.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter, itemgetter
from types import FunctionType
from typing import Any

from ..serializers import DefaultSerializer
from . import clock
from .lines import LANES, NORMAL
from .records import PLAIN, JobRecord, new_id
from .store import store_of

__all__ = [
    "enqueue",
    "is_ordinary",
    "lane",
    "lane_of",
    "originals_performing",
    "performing",
    "priority_for",
    "remember_originals",
]

_lanes = threading.local()

QUEUE_CHAIN = ("enqueue_call", "create_job", "enqueue_job", "_enqueue_job", "_persist_job", "push_job_id", "parse_args")
JOB_CHAIN = ("create", "__init__")
PERFORM_CHAIN = ("perform", "_execute", "func", "_handle_success")
INHERITED = "save"
"""The part of the chain that `Job` has from a base: it is there itself only when somebody has put it there."""

_queue_class: Any = None
_job_class: Any = None
_queued: Any = None
_queue_names: Any = None
_job_names: Any = None
"""Live views of the names that the two classes define."""
_queue_chain: Any = None
_job_chain: Any = None
_perform_chain: Any = None
_of_queue = itemgetter(*QUEUE_CHAIN)
_of_job = itemgetter(*JOB_CHAIN)
performing = attrgetter(*PERFORM_CHAIN)
"""What a worker calls of a job, as the class has it now."""


def remember_originals(queue_class: Any, job_class: Any, queued: Any) -> None:
    """Called once, when the classes are complete: notes what the chain consists of."""
    global _queue_class, _job_class, _queued, _queue_names, _job_names, _queue_chain, _job_chain, _perform_chain
    _queue_class = queue_class
    _job_class = job_class
    _queued = queued
    _queue_names = queue_class.__dict__
    _job_names = job_class.__dict__
    _queue_chain = _of_queue(_queue_names)
    _job_chain = _of_job(_job_names)
    _perform_chain = performing(job_class)


def originals_performing() -> Any:
    """What `performing` gave when the class was complete: before anybody could patch it."""
    return _perform_chain


def is_ordinary(queue: Any) -> bool:
    """Whether the long way would do nothing else for this queue."""
    if type(queue) is not _queue_class or queue.serializer is not DefaultSerializer or not queue._is_async:
        return False
    mine = queue.__dict__
    return (
        len(mine) <= 11
        and "job_class" not in mine
        and _of_queue(_queue_names) == _queue_chain
        and _of_job(_job_names) == _job_chain
        and INHERITED not in _job_names
        and _queue_names["job_class"] is _job_class
    )


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
    key = queue._key
    connection = queue.connection
    try:
        store = connection._brokerless_store
    except AttributeError:
        store = store_of(connection)
    line = store.lines.get(key) or store.line(key)
    engine = line.engine
    if engine.closed:
        return None
    name = f"{module}.{func.__qualname__}"
    job_id = new_id()
    now = clock.now()
    timeout = queue._default_timeout
    origin = queue.name

    record = store.jobs[job_id] = JobRecord(job_id, origin, _queued, name, args, now, timeout)
    if key not in store.registered or (queue._autostart and not line.worked):
        queue._register()
    try:
        record.task = engine.enqueue(
            line.run, (job_id,), queue=line.index, lane=NORMAL, keep=False, context=False, limit=line.limit
        )
    except BaseException:
        store.jobs.pop(job_id, None)
        raise
    if not line.watched:
        line.watch()

    # Attribute by attribute: a look at __dict__ would cost a dictionary for each job.
    job = _job_class.__new__(_job_class)
    job.connection = connection
    job._id = job_id
    job.created_at = job.enqueued_at = now
    job.serializer = DefaultSerializer
    job.origin = origin
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
