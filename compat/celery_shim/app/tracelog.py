"""What is logged about the outcome of a task: texts and levels as in Celery, on its logger ``celery.app.trace``."""

from __future__ import annotations

import logging
import sys
from typing import Any, NamedTuple

from ..exceptions import Ignore, Reject
from ..utils.lean import safe_repr, safe_str
from ..utils.log import get_logger
from ..utils.serialization import get_pickled_exception

logger = get_logger("celery.app.trace")

LOG_RECEIVED = "Task %(name)s[%(id)s] received"
LOG_SUCCESS = "Task %(name)s[%(id)s] succeeded in %(runtime)ss: %(return_value)s"
LOG_FAILURE = "Task %(name)s[%(id)s] %(description)s: %(exc)s"
LOG_INTERNAL_ERROR = LOG_FAILURE
LOG_IGNORED = "Task %(name)s[%(id)s] %(description)s"
LOG_REJECTED = "Task %(name)s[%(id)s] %(exc)s"
LOG_RETRY = "Task %(name)s[%(id)s] retry: %(exc)s"


class log_policy_t(NamedTuple):
    """How an outcome is logged."""

    format: str
    description: str
    severity: int
    traceback: int
    mail: int


log_policy_reject = log_policy_t(LOG_REJECTED, "rejected", logging.WARN, 1, 1)
log_policy_ignore = log_policy_t(LOG_IGNORED, "ignored", logging.INFO, 0, 0)
log_policy_internal = log_policy_t(LOG_INTERNAL_ERROR, "INTERNAL ERROR", logging.CRITICAL, 1, 1)
log_policy_expected = log_policy_t(LOG_FAILURE, "raised expected", logging.INFO, 0, 0)
log_policy_unexpected = log_policy_t(LOG_FAILURE, "raised unexpected", logging.ERROR, 1, 1)


def info(fmt: str, context: dict[str, Any]) -> None:
    logger.info(fmt, context, extra={"data": context})


def get_task_name(request: Any, default: str) -> str:
    """The task's name, or the one that the call wants to have in logs."""
    return getattr(request, "shadow", None) or default


def get_log_policy(task: Any, einfo: Any, exc: Any) -> log_policy_t:
    if isinstance(exc, Reject):
        return log_policy_reject
    if isinstance(exc, Ignore):
        return log_policy_ignore
    if einfo.internal:
        return log_policy_internal
    if task.throws and isinstance(exc, task.throws):
        return log_policy_expected
    return log_policy_unexpected


def log_error(task: Any, req: Any, einfo: Any) -> None:
    """Log an outcome other than success."""
    from billiard.einfo import ExceptionWithTraceback

    exc = get_pickled_exception(einfo.exception)
    if isinstance(exc, ExceptionWithTraceback):
        exc = exc.exc
    einfo.exception = exc
    policy = get_log_policy(task, einfo, exc)
    context = {
        "hostname": req.hostname,
        "id": req.id,
        "name": get_task_name(req, task.name),
        "exc": safe_repr(exc),
        "traceback": safe_str(einfo.traceback),
        "args": req.get("argsrepr") or safe_repr(req.args),
        "kwargs": req.get("kwargsrepr") or safe_repr(req.kwargs),
        "description": policy.description,
        "internal": einfo.internal,
    }
    exc_info = einfo.exc_info if policy.traceback else None
    logger.log(policy.severity, policy.format, context, exc_info=exc_info, extra={"data": context})


def traceback_clear(exc: Any = None) -> None:
    """Let go of the locals of all frames that an exception went through."""
    tb = getattr(exc, "__traceback__", None) if exc is not None else sys.exc_info()[2]
    while tb is not None:
        try:
            tb.tb_frame.clear()
        except RuntimeError:
            pass  # still running
        tb = tb.tb_next
