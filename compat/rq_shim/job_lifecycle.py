"""Steps in a job's life that workers, queues and registries share."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from typing import Any

from .job import JobStatus

__all__ = ["call_exception_handlers", "format_exc_info", "record_job_failure"]


def call_exception_handlers(handlers: Iterable[Callable[..., Any]], job: Any, *exc_info: Any) -> None:
    """Calls them in order; one that answers something false other than None ends the chain."""
    for handler in handlers:
        answer = handler(job, *exc_info)
        if answer is not None and not answer:
            break


_PACKAGE = __name__.rpartition(".")[0]


def format_exc_info(exc_info: Any) -> str:
    """The traceback as text; RQ's own exceptions by the names that programs look for."""
    text = "".join(traceback.format_exception(*exc_info))
    return text.replace(f"{_PACKAGE}.exceptions.", "rq.exceptions.").replace(f"{_PACKAGE}.timeouts.", "rq.timeouts.")


def record_job_failure(job: Any, exc_string: str, pipeline: Any = None) -> None:
    """Marks a job failed and stores why."""
    job.set_status(JobStatus.FAILED, pipeline=pipeline)
    job._handle_failure(exc_string, pipeline)
