"""What workers answer when they are asked: tasks, settings, figures."""

from __future__ import annotations

import io
from typing import Any

from ..utils.lean import maybe_list, safe_repr
from ..utils.log import get_logger
from ..utils.serialization import jsonify, strtobool
from . import state as worker_state
from .panel import inspect_command, ok
from .request import Request

logger = get_logger("celery.worker.control")

DEFAULT_TASK_INFO_ITEMS = ("exchange", "routing_key", "rate_limit")


def _requests(state: Any) -> Any:
    """All known requests of a worker: ``(what, request)``."""
    from ..runtime.broker import broker_of

    worker, app = state.controller, state.app
    for message, started, _ in list(worker.active.values()):
        yield "active", Request(message, app=app, hostname=worker.hostname).started(started)
    broker = broker_of(app)
    for message in list(broker.scheduled.values()):
        yield "scheduled", Request(message, app=app, hostname=worker.hostname)
    for message in broker.waiting():
        yield "reserved", Request(message, app=app, hostname=worker.hostname)


def _of(state: Any, what: str) -> list[Request]:
    return [request for kind, request in _requests(state) if kind == what]


@inspect_command()
def report(state: Any) -> Any:
    """Information about Celery installation for bug reports."""
    return ok(state.app.bugreport())


@inspect_command(alias="dump_conf", signature="[include_defaults=False]", args=[("with_defaults", strtobool)])
def conf(state: Any, with_defaults: bool = False, **kwargs: Any) -> Any:
    """List configuration."""
    return jsonify(
        state.app.conf.table(with_defaults=with_defaults),
        keyfilter=lambda key: isinstance(key, str) and not key.startswith("__"),
        unknown_type_filter=safe_repr,
    )


@inspect_command(variadic="ids", signature="[id1 [id2 [... [idN]]]]")
def query_task(state: Any, ids: Any, **kwargs: Any) -> Any:
    """Query for task information by id."""
    wanted = set(maybe_list(ids) or ())
    return {request.id: (kind, request.info()) for kind, request in _requests(state) if request.id in wanted}


@inspect_command()
def clock(state: Any, **kwargs: Any) -> Any:
    """Get current logical clock value."""
    return {"clock": state.app.clock.forward()}


@inspect_command(visible=False)
def hello(state: Any, from_node: str, revoked: Any = None, **kwargs: Any) -> Any:
    """Exchange revoked ids with another worker."""
    if from_node == state.hostname:
        return None
    worker_state.revoked.update(list(revoked) if revoked else None)
    worker_state.revoked.purge()
    return {"revoked": list(worker_state.revoked), "clock": state.app.clock.forward()}


@inspect_command(default_timeout=0.2)
def ping(state: Any, **kwargs: Any) -> Any:
    """Ping worker(s)."""
    return ok("pong")


@inspect_command()
def stats(state: Any, **kwargs: Any) -> Any:
    """Request worker statistics/information."""
    return state.controller.stats()


@inspect_command(alias="dump_schedule")
def scheduled(state: Any, **kwargs: Any) -> Any:
    """List of currently scheduled ETA/countdown tasks."""
    return [
        {"eta": request.eta.isoformat() if request.eta else None, "priority": 6, "request": request.info()}
        for request in _of(state, "scheduled")
    ]


@inspect_command(alias="dump_reserved")
def reserved(state: Any, **kwargs: Any) -> Any:
    """List of currently reserved tasks, not including scheduled/active."""
    return [request.info() for request in _of(state, "reserved")]


@inspect_command(alias="dump_active")
def active(state: Any, safe: bool = False, **kwargs: Any) -> Any:
    """List of tasks currently being executed."""
    return [request.info(safe=safe) for request in _of(state, "active")]


@inspect_command(alias="dump_revoked")
def revoked(state: Any, **kwargs: Any) -> Any:
    """List of revoked task-ids."""
    return list(worker_state.revoked)


@inspect_command(alias="dump_tasks", variadic="taskinfoitems", signature="[attr1 [attr2 [... [attrN]]]]")
def registered(state: Any, taskinfoitems: Any = None, builtins: bool = False, **kwargs: Any) -> Any:
    """List of registered tasks."""
    items = [
        item for item in taskinfoitems or DEFAULT_TASK_INFO_ITEMS if isinstance(item, str) and not item.startswith("_")
    ]
    tasks = state.app.tasks

    def describe(task: Any) -> str:
        fields = [f"{item}={getattr(task, item)}" for item in items if getattr(task, item, None) is not None]
        return f"{task.name} [{' '.join(fields)}]" if fields else task.name

    return [describe(tasks[name]) for name in sorted(tasks) if builtins or not name.startswith("celery.")]


@inspect_command()
def active_queues(state: Any) -> Any:
    """List the task queues a worker is currently consuming from."""
    queues = state.app.amqp.queues
    return [dict(queues[name].as_dict(recurse=True)) for name in state.controller.queue_names()]


@inspect_command()
def memsample(state: Any, **kwargs: Any) -> Any:
    """Sample current RSS memory usage."""
    from ..utils.debug import sample_mem

    return sample_mem()


@inspect_command(args=[("samples", int)], signature="[n_samples=10]")
def memdump(state: Any, samples: int = 10, **kwargs: Any) -> Any:
    """Dump statistics of previous memsample requests."""
    from ..utils import debug

    out = io.StringIO()
    debug.memdump(file=out)
    return out.getvalue()
