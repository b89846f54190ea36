"""The engine's core in pure Python: the same `Engine` and `Task` as the native one, for machines without a compiler.

It is also the model that the property tests run beside the native core. One lock guards everything, so each
rule is written once, in the plainest way; nothing here knows what the Python half puts on top (retries' policy,
time limits' policy, chains, shims). What differs from the native core: no ring, so no overflow or conflict
is ever counted, and an interrupt that arrives in the last instants of an attempt is caught by layers of
`try` instead of being cleared in C.

engine.py the type; submit.py, work.py, keeper.py, inquiry.py its four sides over base.py and ends.py; task.py the
handle; lanes.py, timers.py, figures.py the structures; values.py copies and ids; frames.py where threads are; states.py
the names that all share.
"""

from __future__ import annotations

from .engine import Engine
from .frames import current_frames
from .states import (
    CANCELLED,
    COMPLETED,
    DEFERRED,
    DELAYED,
    FAILED,
    OPTION_NAMES,
    QUEUED,
    RUNNING,
    Closed,
    QueueFull,
    current,
    memory_stats,
    set_errors,
)
from .task import Task
from .values import Ids, copy_arguments, copy_plain

__all__ = [
    "CANCELLED",
    "COMPLETED",
    "DEFERRED",
    "DELAYED",
    "FAILED",
    "OPTION_NAMES",
    "QUEUED",
    "RUNNING",
    "Closed",
    "Engine",
    "Ids",
    "QueueFull",
    "Task",
    "copy_arguments",
    "copy_plain",
    "current",
    "current_frames",
    "memory_stats",
    "set_errors",
]
