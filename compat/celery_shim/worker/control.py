"""Sends commands to the workers of an app and collects their answers; the names that programs import.

The commands are in ``inspecting`` and ``commands``. Users add their own with ``control_command``.
"""

from __future__ import annotations

from typing import Any

from ..exceptions import WorkerShutdown
from ..runtime.isolation import isolate
from ..utils.lean import maybe_list, safe_repr
from ..utils.log import get_logger
from . import state as worker_state
from .commands import (  # noqa: F401 - names that other packages import from here
    _mark_revoked,
    _remember_stamps,
    add_consumer,
    autoscale,
    cancel_consumer,
    disable_events,
    election,
    enable_events,
    heartbeat,
    pool_grow,
    pool_restart,
    pool_shrink,
    rate_limit,
    revoke,
    revoke_by_stamped_headers,
    shutdown,
    terminate,
    time_limit,
)
from .inspecting import (  # noqa: F401
    DEFAULT_TASK_INFO_ITEMS,
    active,
    active_queues,
    clock,
    conf,
    hello,
    memdump,
    memsample,
    ping,
    query_task,
    registered,
    report,
    reserved,
    revoked,
    scheduled,
    stats,
)
from .panel import ControlState, Panel, control_command, controller_info_t, inspect_command, nok, ok  # noqa: F401

__all__ = ("Panel", "control_command", "dispatch", "inspect_command")

logger = get_logger("celery.worker.control")


def dispatch(
    app: Any,
    command: str,
    arguments: dict[str, Any],
    destination: Any = None,
    reply: bool = False,
    limit: int | None = None,
    callback: Any = None,
    pattern: str | None = None,
    matcher: Any = None,
) -> Any:
    """Run a command on the workers of an app."""
    from ..runtime.broker import broker_of

    if hasattr(app, "_get_current_object"):
        app = app._get_current_object()
    chosen = maybe_list(destination)
    replies = []
    broker = broker_of(app)
    broker.ensure_worker(app)
    workers = list(broker.workers)
    if not workers and command in ("revoke", "terminate"):
        # over a broker nobody would hear it; here the next worker is in this process too, and must know
        ids = set(maybe_list(arguments["task_id"]) or [])
        worker_state.revoked.update(ids)
        _mark_revoked(app, ids, set())
    elif not workers and command == "revoke_by_stamped_headers":
        _remember_stamps(arguments["headers"])
    for worker in workers:
        if chosen and worker.hostname not in chosen:
            continue
        if pattern and not _matches(worker.hostname, pattern, matcher):
            continue
        answer = {worker.hostname: _answer(worker, command, arguments)}
        if callback is not None and reply:
            callback(answer)
        replies.append(answer)
        if limit and len(replies) >= limit:
            break
    for beat in list(broker.beats):
        if (chosen and beat.hostname not in chosen) or (pattern and not _matches(beat.hostname, pattern, matcher)):
            continue
        said = beat.answer(command, arguments)
        if said is not None:
            replies.append({beat.hostname: said})
    return replies if reply else None


def _matches(name: str, pattern: str, matcher: Any) -> bool:
    from kombu.matcher import match

    return bool(match(name.encode(), pattern.encode(), matcher or "glob"))


def _answer(worker: Any, command: str, arguments: dict[str, Any]) -> Any:
    try:
        handler = Panel.data[command]
    except KeyError as exc:
        logger.error("No such control command: %s", command)
        return nok(repr(exc))
    try:
        # as data, as it would have travelled
        return isolate(handler(ControlState(worker), **arguments))
    except WorkerShutdown:
        worker.request_stop()
        return None
    except Exception as exc:
        logger.exception("Error running control command: %r", exc)
        return nok(safe_repr(exc))
