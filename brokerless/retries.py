"""What a failed attempt means: another one after a while, FAILED, or CANCELLED.

The delay before retry n (0 for the first) is min(60, 0.1·2ⁿ) seconds, times a random factor from 0.5 to 1 so that tasks
which failed together do not come back together. The task keeps its id. Time limits arrive here as errors like others.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from .core import RUNNING, Task
from .errors import CancelInterrupt, TaskCancelledError
from .extra import Extra, extra_of
from .options import TaskOptions

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["backoff", "clear_frames", "decide", "left"]

FIRST_DELAY = 0.1
LONGEST_DELAY = 60.0


def backoff(failures: int) -> float:
    """Seconds to wait after so many earlier failures."""
    import random

    longest = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(failures, 32))
    return longest * random.uniform(0.5, 1.0)


def left(task: Task) -> int:
    """Automatic retries that the task still has."""
    options = task.options
    if not isinstance(options, TaskOptions) or task.cancel_requested:
        return 0
    extra = task.extra
    used = len(extra.errors) if type(extra) is Extra else 0
    return max(0, options.max_retries - used)


def decide(engine: Engine, task: Task, error: BaseException) -> float | bool | None:
    """The answer to the core: seconds until the next attempt, None for FAILED, False for CANCELLED."""
    extra = task.extra
    held = extra.held if type(extra) is Extra else None
    if task.state != RUNNING or (held is not None and held is not error):
        return None  # an attempt whose outcome was decided without it; the core ignores it
    if held is not None:
        extra.held = None
    if isinstance(error, CancelInterrupt) or (isinstance(error, TaskCancelledError) and task.cancel_requested):
        return False
    # Only Exceptions are worth another try: SystemExit and KeyboardInterrupt ask for an end.
    if not isinstance(error, Exception) or engine.closed or left(task) == 0:
        task.add_callback(_clear_after_callbacks)
        return None
    errors = extra_of(task).errors
    errors.append(error)
    clear_frames(error)
    return backoff(len(errors) - 1)


def _clear_after_callbacks(task: Task) -> None:
    if task.error is not None:
        clear_frames(task.error)


def clear_frames(error: BaseException) -> None:
    """Lets go of the local variables in the tracebacks of `error` and what led to it; line numbers stay."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        todo += (one.__cause__, one.__context__)
