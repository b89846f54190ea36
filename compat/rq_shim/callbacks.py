"""`Callback`, and the calls of success, failure and stopped callbacks with their time limit."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .defaults import CALLBACK_TIMEOUT
from .timeouts import JobTimeoutException
from .utils import parse_timeout, resolve_function_reference

__all__ = ["Callback", "execute_failure_callback", "execute_stopped_callback", "execute_success_callback"]


class Callback:
    """A function, or its dotted path, with a time limit."""

    def __init__(self, func: str | Callable[..., Any], timeout: Any = None) -> None:
        if not (isinstance(func, str) or inspect.isfunction(func) or inspect.isbuiltin(func)):
            raise ValueError("Callback `func` must be a string or function")
        self.func = func
        self.timeout: Any = parse_timeout(timeout) if timeout else CALLBACK_TIMEOUT

    @property
    def name(self) -> str:
        """The dotted path under which workers find it."""
        return self.func if isinstance(self.func, str) else resolve_function_reference(self.func)[1]


def _call(job: Any, kind: str, callback: Any, timeout: Any, penalty: Any, args: tuple[Any, ...]) -> None:
    if inspect.iscoroutinefunction(callback):
        raise TypeError(f"Coroutine {kind} callbacks are not supported")
    job.log.debug("Job %s: running %s callback...", job.id, kind)
    with penalty(timeout, JobTimeoutException, job_id=job.id):
        callback(job, job.connection, *args)


def execute_success_callback(job: Any, death_penalty_class: Any, result: Any) -> None:
    """Calls the success callback, if there is one; its exceptions pass."""
    callback = job.success_callback
    if callback is not None:
        _call(job, "success", callback, job.success_callback_timeout, death_penalty_class, (result,))


def execute_failure_callback(job: Any, death_penalty_class: Any, *exc_info: Any) -> None:
    """Calls the failure callback, if there is one; its exceptions are logged and pass."""
    callback = job.failure_callback
    if callback is None:
        return
    try:
        _call(job, "failure", callback, job.failure_callback_timeout, death_penalty_class, exc_info)
    except Exception:
        job.log.exception("Job %s: error while executing failure callback", job.id)
        raise


def execute_stopped_callback(job: Any, death_penalty_class: Any) -> None:
    """Calls the stopped callback, if there is one; its exceptions are logged and pass."""
    callback = job.stopped_callback
    if callback is None:
        return
    try:
        _call(job, "stopped", callback, job.stopped_callback_timeout, death_penalty_class, ())
    except Exception:
        job.log.exception("Job %s: error while executing stopped callback", job.id)
        raise
