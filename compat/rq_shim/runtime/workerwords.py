"""The words that workers are described with: states, strategies, names of signals. Public as `worker.WorkerStatus` …"""

from __future__ import annotations

import signal
from enum import Enum

__all__ = ["SHUTDOWN_SIGNAL", "DequeueStrategy", "WorkerStatus", "signal_name"]

SHUTDOWN_SIGNAL = getattr(signal, "SIGKILL", signal.SIGTERM)
_signames = {getattr(signal, name): name for name in dir(signal) if name.startswith("SIG") and "_" not in name}


def signal_name(signum: int) -> str:
    """Name of a signal."""
    try:
        return signal.Signals(signum).name
    except (KeyError, ValueError):
        return "SIG_UNKNOWN"


class DequeueStrategy(str, Enum):
    """In which order queues are asked."""

    DEFAULT = "default"
    ROUND_ROBIN = "round_robin"
    RANDOM = "random"


class WorkerStatus(str, Enum):
    """What a worker does."""

    STARTED = "started"
    SUSPENDED = "suspended"
    BUSY = "busy"
    IDLE = "idle"
