"""States, errors and the thread's current task: the names that every part of the pure core shares.

It holds no logic beyond looking up the current task.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .lanes import Worker
    from .task import Task

DELAYED, QUEUED, RUNNING, COMPLETED, FAILED, CANCELLED = range(6)

STATE_NAMES = ("DELAYED", "QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")

# Keywords of add_task() that are options of the engine and never reach the function.
OPTION_NAMES = frozenset(
    (
        "priority",
        "delay_ms",
        "max_retries",
        "timeout_ms",
        "expires_ms",
        "compile_to_c",
        "tags",
        "metadata",
        "retry_stuck",
        "schedule",
    )
)

NEVER = float("inf")


class QueueFull(Exception):
    """A bounded lane has no room."""


class Closed(Exception):
    """The engine accepts no more work."""


class _Deferred:
    __slots__ = ()

    def __repr__(self) -> str:
        return "DEFERRED"

    def __reduce__(self) -> str:
        return "DEFERRED"


DEFERRED: Any = _Deferred()


class _Errors:
    """The classes that are raised: the public ones, once the package has registered them."""

    queue_full: type[Exception] = QueueFull
    closed: type[Exception] = Closed


errors = _Errors()


def set_errors(
    *,
    QueueFull: type[Exception] | None = None,
    EngineShutdown: type[Exception] | None = None,
) -> None:
    """Register the public exception classes that the core raises from now on."""
    if QueueFull is not None:
        errors.queue_full = QueueFull
    if EngineShutdown is not None:
        errors.closed = EngineShutdown


def memory_stats() -> dict[str, Any]:
    """Where the memory comes from: the interpreter, which counts nothing for us."""
    return {"allocator": "python", "has_jemalloc": False, "in_use": 0, "jemalloc_allocated": 0}


class ThreadState(threading.local):
    """What this thread is doing for an engine."""

    worker: Worker | None = None
    task: Task | None = None


local = ThreadState()


def current() -> Task | None:
    """The task that the calling thread runs, if any."""
    return local.task


def checkpoint() -> None:
    """Entering any Python function delivers a pending asynchronous exception.

    Called first in a critical section that a task can reach: an interrupt is only ever sent by a thread that holds
    the lock, so what is still pending when the lock was taken lands here, before anything was changed.
    """
