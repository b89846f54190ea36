"""The task option ``compile_to_c`` (ours, not Celery's): the body of a task as C, where it qualifies.

What qualifies, and that no result ever changes, is the business of ``brokerless.compiler``.
"""

from __future__ import annotations

import logging
from typing import Any

__all__ = ("refuse_bound",)

logger = logging.getLogger("brokerless.compiler")


def refuse_bound(fun: Any, mode: Any) -> None:
    """Warn, or raise for "require": a bound task's function gets the task, which C cannot see."""
    from ....compiler import CompilationError

    reason = f"{fun.__qualname__} cannot be compiled: with bind=True its first argument is the task; drop bind or compile_to_c"
    if mode == "require":
        raise CompilationError(reason)
    logger.warning("%s", reason)
