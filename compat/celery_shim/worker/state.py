"""What the workers of this process have seen: running, finished and revoked tasks.

One process, one state: all workers here share it, as all threads of a Celery worker do.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from ..exceptions import WorkerShutdown, WorkerTerminate
from ..platforms import SYSTEM
from ..utils.collections import LimitedSet

__all__ = (
    "SOFTWARE_INFO",
    "active_requests",
    "maybe_shutdown",
    "reserved_requests",
    "revoked",
    "task_accepted",
    "task_ready",
    "task_reserved",
    "total_count",
)

SOFTWARE_INFO = {"sw_ident": "py-celery", "sw_ver": "5.7.0", "sw_sys": SYSTEM}

REVOKES_MAX = int(os.environ.get("CELERY_WORKER_REVOKES_MAX", 50000))
REVOKE_EXPIRES = float(os.environ.get("CELERY_WORKER_REVOKE_EXPIRES", 10800))
SUCCESSFUL_MAX = int(os.environ.get("CELERY_WORKER_SUCCESSFUL_MAX", 1000))
SUCCESSFUL_EXPIRES = float(os.environ.get("CELERY_WORKER_SUCCESSFUL_EXPIRES", 10800))

requests: dict[str, Any] = {}
#: Requests by id: taken from a queue but not running, running.
reserved_requests: dict[str, Any] = {}
active_requests: dict[str, Any] = {}
#: Tasks that were begun, by name.
total_count: Counter[str] = Counter()


class _Sum:
    """All of them, in the place where Celery has a list of one number; added up when somebody looks."""

    def __getitem__(self, index: int) -> int:
        return (sum(total_count.values()),)[index]

    def __len__(self) -> int:
        return 1


all_total_count = _Sum()
revoked = LimitedSet(maxlen=REVOKES_MAX, expires=REVOKE_EXPIRES)
revoked_stamps: dict[str, Any] = {}
successful_requests = LimitedSet(maxlen=SUCCESSFUL_MAX, expires=SUCCESSFUL_EXPIRES)

#: None: go on. An exit code: stop warmly, or at once.
should_stop: Any = None
should_terminate: Any = None


def reset_state() -> None:
    for known in (requests, reserved_requests, active_requests, total_count, revoked, revoked_stamps):
        known.clear()


def maybe_shutdown() -> None:
    """Raise what stops the worker, if it should stop."""
    if should_terminate is not None and should_terminate is not False:
        raise WorkerTerminate(should_terminate)
    if should_stop is not None and should_stop is not False:
        raise WorkerShutdown(should_stop)


def task_reserved(request: Any) -> None:
    reserved_requests[request.id] = request


def task_accepted(request: Any) -> None:
    reserved_requests.pop(request.id, None)
    active_requests[request.id] = request


def task_ready(request: Any, successful: bool = False) -> None:
    if successful:
        successful_requests.add(request.id)
    active_requests.pop(request.id, None)
    reserved_requests.pop(request.id, None)
