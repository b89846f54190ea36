"""Workers."""

from __future__ import annotations

from ..defaults import DEFAULT_RESULT_TTL
from . import auto as auto
from .base import SHUTDOWN_SIGNAL, BaseWorker, DequeueStrategy, WorkerStatus, _signames, logger, signal_name
from .worker_classes import HerokuWorker, RandomWorker, RoundRobinWorker, SimpleWorker, SpawnWorker, Worker

__all__ = [
    "DEFAULT_RESULT_TTL",
    "SHUTDOWN_SIGNAL",
    "BaseWorker",
    "DequeueStrategy",
    "HerokuWorker",
    "RandomWorker",
    "RoundRobinWorker",
    "SimpleWorker",
    "SpawnWorker",
    "Worker",
    "WorkerStatus",
    "_signames",
    "logger",
    "signal_name",
]
