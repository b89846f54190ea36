"""RQ without Redis: the names of RQ 3, over an engine inside this process.

    from brokerless.compat.rq_shim import Queue

    job = Queue().enqueue(fetch, "https://example.org")
    job.wait(5)
    job.return_value()

Jobs start by themselves in threads of this process. With `BROKERLESS_AUTOSTART=0`, or `Queue(autostart=False)`, they
wait for `Worker([...]).work(burst=True)`, as in RQ. A `connection=` only says which store is meant; nothing is
contacted.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .callbacks import Callback
from .connections import Connection, get_current_connection, pop_connection, push_connection, use_connection
from .job import Retry, cancel_job, get_current_job, requeue_job
from .queue import Queue
from .rate_limit import RateLimit
from .repeat import Repeat
from .runtime.autorun import configure as configure
from .version import VERSION
from .webhook import Webhook

if TYPE_CHECKING:
    from .worker import SimpleWorker, SpawnWorker, Worker

__version__ = VERSION

__all__ = [
    "Callback",
    "Connection",
    "Queue",
    "RateLimit",
    "Repeat",
    "Retry",
    "SimpleWorker",
    "SpawnWorker",
    "Webhook",
    "Worker",
    "cancel_job",
    "get_current_connection",
    "get_current_job",
    "pop_connection",
    "push_connection",
    "requeue_job",
    "use_connection",
]


def __getattr__(name: str) -> Any:
    # Most programs only enqueue: workers, and modules that are used as attributes, are imported when they are named.
    if name in ("SimpleWorker", "SpawnWorker", "Worker"):
        value = getattr(importlib.import_module(f"{__name__}.worker"), name)
    elif name in _MODULES:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


_MODULES = frozenset(
    {"command", "decorators", "exceptions", "registry", "results", "scheduler", "suspension", "worker"}
)
