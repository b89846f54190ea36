"""What workers do when they are told to, and how they answer. Users add commands with ``control_command``."""

from __future__ import annotations

import io
from collections import UserDict
from typing import Any, NamedTuple

from kombu.utils.encoding import safe_repr
from kombu.utils.functional import maybe_list

from .. import states
from ..exceptions import WorkerShutdown
from ..platforms import signals as _signals
from ..runtime.isolation import isolate
from ..utils.log import get_logger
from ..utils.serialization import jsonify, strtobool
from ..utils.time import rate
from . import state as worker_state
from .request import Request

__all__ = ("Panel", "control_command", "dispatch", "inspect_command")

logger = get_logger("celery.worker.control")

DEFAULT_TASK_INFO_ITEMS = ("exchange", "routing_key", "rate_limit")


class controller_info_t(NamedTuple):
    """How the command line shows a command."""

    alias: Any
    type: str
    visible: bool
    default_timeout: float
    help: str
    signature: Any
    args: Any
    variadic: Any


class ControlState:
    """What a command gets: the worker and its parts."""

    def __init__(self, controller: Any) -> None:
        self.app = controller.app
        self.hostname = controller.hostname
        self.controller = controller
        self.consumer = controller.consumer
        self.tset = set


class Panel(UserDict):
    """The commands by name."""

    data: dict[str, Any] = {}
    meta: dict[str, controller_info_t] = {}

    @classmethod
    def register(cls, *args: Any, **kwargs: Any) -> Any:
        return cls._register(**kwargs)(*args) if args else cls._register(**kwargs)

    @classmethod
    def _register(
        cls,
        name: str | None = None,
        alias: str | None = None,
        type: str = "control",
        visible: bool = True,
        default_timeout: float = 1.0,
        help: str | None = None,
        signature: Any = None,
        args: Any = None,
        variadic: Any = None,
    ) -> Any:
        def register(fun: Any) -> Any:
            own = name or fun.__name__
            cls.data[own] = fun
            text = help or (fun.__doc__ or "").strip().split("\n")[0]
            cls.meta[own] = controller_info_t(alias, type, visible, default_timeout, text, signature, args, variadic)
            if alias:
                cls.data[alias] = fun
            return fun

        return register


def control_command(**kwargs: Any) -> Any:
    return Panel.register(type="control", **kwargs)


def inspect_command(**kwargs: Any) -> Any:
    return Panel.register(type="inspect", **kwargs)


def ok(value: Any) -> dict[str, Any]:
    return {"ok": value}


def nok(value: Any) -> dict[str, Any]:
    return {"error": value}


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


# -- looking -----------------------------------------------------------------------------------------------------------


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


# -- telling -----------------------------------------------------------------------------------------------------------


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
