"""Background tasks inside the process that uses them: no broker, no worker process to start.

    from brokerless import BackgroundTasks

    tasks = BackgroundTasks()
    handle = tasks.add_task(print, "hello")
    handle.wait()

Importing this starts nothing, and loads a name's module when the name is used: the shims import this package too.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from .executor import TaskExecutor, TaskFuture
    from .extra import Progress
    from .handle import TaskResult
    from .model import EngineStats, MemoryStats, TaskPriority, TaskStatus, WorkerStats
    from .options import TaskOptions
    from .schedules import Schedule
    from .signals import install_signal_handlers
    from .subscriptions import Subscription, TaskEvent
    from .tasks import BackgroundTasks
    from .timetables import cron, every
    from .webapps import enable_background_tasks

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
    "Schedule",
    "SoftTimeLimitExceeded",
    "Subscription",
    "TaskCancelledError",
    "TaskContext",
    "TaskEvent",
    "TaskExecutionError",
    "TaskExecutor",
    "TaskFunction",
    "TaskFuture",
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
    "cron",
    "current_task",
    "default_engine",
    "enable_background_tasks",
    "every",
    "install_signal_handlers",
]

logging.getLogger("brokerless").addHandler(logging.NullHandler())

_NAMES = {
    "chains": ("Chain", "Parallel"),
    "clocks": ("ManualClock",),
    "context": ("TaskContext", "current_task"),
    "core": ("CORE",),
    "decorators": ("TaskFunction",),
    "engine": ("Engine", "default_engine"),
    "errors": (
        "BrokerlessError",
        "CancelInterrupt",
        "EngineShutdown",
        "QueueFull",
        "SoftTimeLimitExceeded",
        "TaskCancelledError",
        "TaskExecutionError",
        "TaskInterrupt",
        "TaskStateError",
        "TaskTimeoutError",
        "TimeLimitExceeded",
        "TimeLimitInterrupt",
    ),
    "executor": ("TaskExecutor", "TaskFuture"),
    "extra": ("Progress",),
    "handle": ("TaskResult",),
    "model": ("EngineStats", "MemoryStats", "TaskPriority", "TaskStatus", "WorkerStats"),
    "options": ("TaskOptions",),
    "signals": ("install_signal_handlers",),
    "schedules": ("Schedule",),
    "subscriptions": ("Subscription", "TaskEvent"),
    "tasks": ("BackgroundTasks",),
    "timetables": ("cron", "every"),
    "webapps": ("enable_background_tasks",),
}
_ORIGINS = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _ORIGINS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{module}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
