"""What workers do when they are told to: revoke, limit, grow, read other queues, stop."""

from __future__ import annotations

from typing import Any

from .. import states
from ..exceptions import WorkerShutdown
from ..platforms import signals as _signals
from ..utils.lean import maybe_list
from ..utils.log import get_logger
from ..utils.time import rate
from . import state as worker_state
from .inspecting import _of
from .panel import control_command, nok, ok

logger = get_logger("celery.worker.control")


@control_command(variadic="task_id", signature="[id1 [id2 [... [idN]]]]")
def revoke(state: Any, task_id: Any, terminate: bool = False, signal: Any = None, **kwargs: Any) -> Any:
    """Revoke task by task id (or list of ids)."""
    ids = set(maybe_list(task_id) or [])
    worker_state.revoked.update(ids)
    running = {id for id in ids if id in state.controller.active}
    _mark_revoked(state.app, ids, running)
    if not terminate:
        logger.info("Tasks flagged as revoked: %s", ", ".join(map(str, ids)))
        return ok(f"tasks {ids} flagged as revoked")
    signum = _signals.signum(signal or "SIGTERM")
    for id in running:
        logger.info("Terminating %s (%s)", id, signum)
        state.controller.interrupt(id, signum)
    return ok(f"terminate: {', '.join(running)}" if running else "terminate: tasks unknown")


def _mark_revoked(app: Any, ids: Any, running: Any) -> None:
    """Store REVOKED for what has not started: who waits for the result need not wait for its turn."""
    backend = app.backend
    for id in ids:
        if id in running:
            continue
        try:
            if backend.get_state(id) in (states.PENDING, states.RECEIVED, states.RETRY, states.REJECTED):
                backend.mark_as_revoked(id, reason="revoked", store_result=True)
        except Exception as exc:
            logger.warning("Failed to mark task %s as revoked in backend: %s", id, exc)


def _remember_stamps(headers: Any) -> dict[str, Any]:
    if isinstance(headers, list):
        headers = dict(header.split("=", 1) for header in headers)
    known = worker_state.revoked_stamps
    for name, stamps in headers.items():
        known[name] = [*(maybe_list(known.get(name)) or ()), *(maybe_list(stamps) or ())]
    return headers


@control_command(variadic="headers", signature="[key1=value1 [key2=value2 [... [keyN=valueN]]]]")
def revoke_by_stamped_headers(
    state: Any, headers: Any, terminate: bool = False, signal: Any = None, **kwargs: Any
) -> Any:
    """Revoke task by header (or list of headers)."""
    headers = _remember_stamps(headers)
    if not terminate:
        return ok(f"headers {headers} flagged as revoked, but not terminated")
    signum = _signals.signum(signal or "SIGTERM")
    hit: dict[str, set[Any]] = {}
    for request in _of(state, "active"):
        stamps = request.get("stamps") or {}
        for name, wanted in headers.items():
            common = set(maybe_list(stamps.get(name)) or ()) & set(maybe_list(wanted) or ())
            if common:
                hit.setdefault(name, set()).update(common)
                state.controller.interrupt(request.id, signum)
    return ok(f"headers {hit} revoked" if hit else f"headers {headers} were not terminated")


@control_command(variadic="task_id", args=[("signal", str)], signature="<signal> [id1 [id2 [... [idN]]]]")
def terminate(state: Any, signal: Any, task_id: Any, **kwargs: Any) -> Any:
    """Terminate task by task id (or list of ids)."""
    return revoke(state, task_id, terminate=True, signal=signal)


@control_command(args=[("task_name", str), ("rate_limit", str)], signature="<task_name> <rate_limit>")
def rate_limit(state: Any, task_name: str, rate_limit: Any, **kwargs: Any) -> Any:
    """Tell worker(s) to modify the rate limit for a task by type."""
    try:
        rate(rate_limit)
    except ValueError as exc:
        return nok(f"Invalid rate limit string: {exc!r}")
    try:
        state.app.tasks[task_name].rate_limit = rate_limit
    except KeyError:
        logger.error("Rate limit attempt for unknown task %s", task_name, exc_info=True)
        return nok("unknown task")
    state.consumer.reset_rate_limit(task_name, rate_limit)
    return ok("new rate limit set successfully" if rate_limit else "rate limit disabled successfully")


@control_command(
    args=[("task_name", str), ("soft", float), ("hard", float)], signature="<task_name> <soft_secs> [hard_secs]"
)
def time_limit(state: Any, task_name: str | None = None, hard: Any = None, soft: Any = None, **kwargs: Any) -> Any:
    """Tell worker(s) to modify the time limit for task by type."""
    try:
        task = state.app.tasks[task_name]
    except KeyError:
        logger.error("Change time limit attempt for unknown task %s", task_name, exc_info=True)
        return nok("unknown task")
    task.soft_time_limit, task.time_limit = soft, hard
    task.__class__._exec_options = task._exec_options = None
    return ok("time limits set successfully")


@control_command()
def election(state: Any, id: str, topic: str, action: Any = None, **kwargs: Any) -> None:
    """Hold election: with one worker there is nothing to elect."""


@control_command()
def enable_events(state: Any) -> Any:
    """Tell worker(s) to send task-related events."""
    dispatcher = state.consumer.event_dispatcher
    if dispatcher is None:
        return nok("event dispatcher unavailable")
    groups = dispatcher.groups
    if not groups or "task" in groups:
        return ok("task events already enabled")
    groups.add("task")
    logger.info("Events of group {task} enabled by remote.")
    return ok("task events enabled")


@control_command()
def disable_events(state: Any) -> Any:
    """Tell worker(s) to stop sending task-related events."""
    dispatcher = state.consumer.event_dispatcher
    if dispatcher is None:
        return nok("event dispatcher unavailable")
    groups = dispatcher.groups
    if "task" not in groups:
        return ok("task events already disabled")
    groups.discard("task")
    logger.info("Events of group {task} disabled by remote.")
    return ok("task events disabled")


@control_command()
def heartbeat(state: Any) -> None:
    """Tell worker(s) to send event heartbeat immediately."""
    dispatcher = state.consumer.event_dispatcher if state.consumer.bus.listening else None
    if dispatcher is not None:
        dispatcher.send("worker-heartbeat", freq=5, **worker_state.SOFTWARE_INFO)


@control_command(args=[("n", int)], signature="[N=1]")
def pool_grow(state: Any, n: int = 1, **kwargs: Any) -> Any:
    """Grow pool by n processes/threads."""
    state.controller.pool.grow(n)
    return ok("pool will grow")


@control_command(args=[("n", int)], signature="[N=1]")
def pool_shrink(state: Any, n: int = 1, **kwargs: Any) -> Any:
    """Shrink pool by n processes/threads."""
    state.controller.pool.shrink(n)
    return ok("pool will shrink")


@control_command()
def pool_restart(state: Any, modules: Any = None, reload: bool = False, reloader: Any = None, **kwargs: Any) -> Any:
    """Restart execution pool."""
    raise ValueError("Pool restarts not enabled")


@control_command(args=[("max", int), ("min", int)], signature="[max [min]]")
def autoscale(state: Any, max: Any = None, min: Any = None) -> Any:
    """Modify autoscale settings."""
    raise ValueError("Autoscale not enabled")


@control_command()
def shutdown(state: Any, msg: str = "Got shutdown from remote", **kwargs: Any) -> None:
    """Shutdown worker(s)."""
    logger.warning(msg)
    raise WorkerShutdown(0)


@control_command(
    args=[("queue", str), ("exchange", str), ("exchange_type", str), ("routing_key", str)],
    signature="<queue> [exchange [type [routing_key]]]",
)
def add_consumer(
    state: Any, queue: str, exchange: Any = None, exchange_type: Any = None, routing_key: Any = None, **options: Any
) -> Any:
    """Tell worker(s) to consume from task queue by name."""
    queues = state.app.amqp.queues
    if queue not in queues:
        kind = exchange_type or "direct"
        queues.select_add(
            queue,
            exchange=queue if exchange is None else exchange,
            exchange_type=kind,
            routing_key=queue if routing_key is None else routing_key,
            **options,
        )
    state.controller.add_queue(queue)
    return ok(f"add consumer {queue}")


@control_command(args=[("queue", str)], signature="<queue>")
def cancel_consumer(state: Any, queue: str, **_: Any) -> Any:
    """Tell worker(s) to stop consuming from task queue by name."""
    state.app.amqp.queues.deselect(queue)
    state.controller.drop_queue(queue)
    return ok(f"no longer consuming from {queue}")
