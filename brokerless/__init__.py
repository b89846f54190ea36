"""Background tasks inside the process that uses them: no broker, no worker process to start.

    from brokerless import BackgroundTasks

    tasks = BackgroundTasks()
    handle = tasks.add_task(print, "hello")
    handle.wait()

Importing this starts nothing.
"""

from __future__ import annotations

import logging

from .chains import Chain, Parallel
from .clocks import ManualClock
from .context import TaskContext, current_task
from .core import CORE
from .decorators import TaskFunction
from .engine import Engine, default_engine
from .errors import (
    BrokerlessError,
    CancelInterrupt,
    EngineShutdown,
    QueueFull,
    SoftTimeLimitExceeded,
    TaskCancelledError,
    TaskExecutionError,
    TaskInterrupt,
    TaskStateError,
    TaskTimeoutError,
    TimeLimitExceeded,
    TimeLimitInterrupt,
)
from .extra import Progress
from .handle import TaskResult
from .model import EngineStats, MemoryStats, TaskPriority, TaskStatus, WorkerStats
from .options import TaskOptions
from .tasks import BackgroundTasks

__version__ = "0.1.0"

__all__ = [
    "CORE",
    "BackgroundTasks",
    "BrokerlessError",
    "CancelInterrupt",
    "Chain",
    "Engine",
    "EngineShutdown",
    "EngineStats",
    "ManualClock",
    "MemoryStats",
    "Parallel",
    "Progress",
    "QueueFull",
    "SoftTimeLimitExceeded",
    "TaskCancelledError",
    "TaskContext",
    "TaskExecutionError",
    "TaskFunction",
    "TaskInterrupt",
    "TaskOptions",
    "TaskPriority",
    "TaskResult",
    "TaskStateError",
    "TaskStatus",
    "TaskTimeoutError",
    "TimeLimitExceeded",
    "TimeLimitInterrupt",
    "WorkerStats",
    "__version__",
    "current_task",
    "default_engine",
]

logging.getLogger("brokerless").addHandler(logging.NullHandler())
