"""Gives the tests one namespace for two packages: the real ``rq`` and our shim.

``names()`` answers rq's public names whichever side runs; the module that holds each name is the
one users import it from. ``names().module("registry")`` is the module itself, for what must be
looked up by path (loggers, monkeypatching, the content of ``__all__``).

Does not import either package before it is asked, so the suite collects where rq is absent.
"""

from __future__ import annotations

import importlib
import re
from functools import lru_cache
from types import ModuleType
from typing import Any

from tests.conformance.recording import SIDE

PREFIX = "rq" if SIDE == "oracle" else "brokerless.compat.rq_shim"

_PUBLIC: dict[str, tuple[str, ...]] = {
    "": ("Queue", "SimpleWorker", "Worker", "SpawnWorker", "Retry", "Repeat", "Callback", "Webhook", "RateLimit")
    + ("VERSION", "cancel_job", "requeue_job", "get_current_job"),
    "job": ("Job", "JobStatus", "Dependency", "UNEVALUATED", "JOB_ID_PATTERN", "parse_job_id", "validate_job_id"),
    "queue": ("EnqueueData",),
    "registry": ("BaseRegistry", "StartedJobRegistry", "FinishedJobRegistry", "FailedJobRegistry")
    + ("DeferredJobRegistry", "ScheduledJobRegistry", "CanceledJobRegistry", "ReadyJobRegistry", "clean_registries"),
    "worker": ("BaseWorker", "WorkerStatus", "DequeueStrategy", "RoundRobinWorker", "RandomWorker", "HerokuWorker"),
    "exceptions": ("NoSuchJobError", "InvalidJobOperation", "InvalidJobOperationError", "DeserializationError")
    + ("DequeueTimeout", "TimeoutFormatError", "AbandonedJobError", "DuplicateJobError", "NoSuchGroupError")
    + ("SchedulerNotFound", "DuplicateSchedulerError", "StopRequested", "InvalidJobDependency")
    + ("ShutDownImminentException",),
    "timeouts": ("JobTimeoutException", "BaseTimeoutException", "BaseDeathPenalty", "TimerDeathPenalty")
    + ("UnixSignalDeathPenalty", "HorseMonitorTimeoutException", "get_default_death_penalty_class"),
    "results": ("Result",),
    "executions": ("Execution", "ExecutionRegistry"),
    "group": ("Group",),
    "cron": ("CronScheduler", "CronJob", "get_cron_job_ids", "create_cron", "register"),
    "scheduler": ("RQScheduler", "SchedulerStatus"),
    "command": ("send_stop_job_command", "send_shutdown_command", "send_kill_horse_command", "send_command"),
    "suspension": ("suspend", "resume", "is_suspended", "WORKERS_SUSPENDED"),
    "serializers": ("DefaultSerializer", "PickleSerializer", "JSONSerializer", "resolve_serializer"),
    "decorators": ("job",),
    "worker_pool": ("WorkerPool",),
    "rate_limit": ("RateLimitRegistry",),
    "defaults": (),
    "utils": (),
    "worker_registration": (),
}
_HOME = {name: module for module, members in _PUBLIC.items() for name in members}


class Names:
    """rq's names, taken from the package that the side in use stands for."""

    def module(self, name: str = "") -> ModuleType:
        """Return ``rq.<name>`` (or the shim's module of that name); the package itself without a name."""
        return importlib.import_module(f"{PREFIX}.{name}" if name else PREFIX)

    def __getattr__(self, name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(name)
        return getattr(self.module(_HOME[name]), name)

    @property
    def release(self) -> tuple[int, ...]:
        """Return the version of rq whose behaviour is to be expected, as numbers."""
        return tuple(int(part) for part in re.findall(r"\d+", self.VERSION)[:3])


@lru_cache(maxsize=1)
def names() -> Names:
    """Return the namespace of this side."""
    return Names()
