"""The short way of sending a call without options: what does not depend on the call is worked out once per task.

A plan is used as long as nothing that it stands on has changed: settings, routes, overridden or patched methods,
connected signals. Where it does not apply it says so (None) and the long way is taken; the outcome is the same.
"""

from __future__ import annotations

import weakref
from typing import Any

from ....core import copy_arguments
from .. import _state, signals
from . import ids
from .message import Message, PlannedMessage

__all__ = ("make_plan",)

_before = signals.before_task_publish
_after = signals.after_task_publish
_sent = signals.task_sent
_task_stack = _state._task_stack

#: Options that make a call more than its arguments.
_PLAIN = ("routing_key", "exchange", "expires", "delivery_mode", "compression", "immediate", "mandatory", "queue")


def _eager_layers(conf: Any) -> list[Any]:
    """Layers of the configuration that may change without telling, such as Django's settings."""
    return [layer for layer in conf.maps[:-1] if type(layer) is not dict]


def _refusal(task: Any, settings: dict[str, Any]) -> Any:
    """The plan of a task that can have none, until the settings change."""
    version = settings["version"]

    def plan(args: Any, kwargs: Any, embed: Any = None) -> None:
        if settings["version"] != version:
            task._fast_plan = None

    task._fast_plan = plan
    return plan


def make_plan(task: Any) -> Any:
    """The plan of a task: a function that sends a call, or says None when the long way has to be taken."""
    from ..app.base import Celery
    from ..app.sending import Sending
    from ..app.task import Task
    from ..backends.base import Backend
    from ..result import AsyncResult

    app = task._get_app()
    if hasattr(app, "_get_current_object") or not issubclass(type(task), Task):
        return None  # bound to whatever app is current, or a stand-in for a task
    conf, amqp = app.conf, app.amqp
    cls = type(task)
    version = conf.__dict__["version"]
    backend = app.backend
    options = task._get_exec_options()
    sender = amqp.send_task_message
    usable = (
        isinstance(app, Celery)
        and type(app).send_task is Sending.send_task
        and "send_task" not in app.__dict__
        and cls.shadow_name is Task.shadow_name
        and cls.AsyncResult is Task.AsyncResult
        and cls._get_exec_options is Task._get_exec_options
        and not ({"AsyncResult", "shadow_name"} & set(task.__dict__))
        and task._dump_pydantic_arguments is None
        and task._backend is None
        and isinstance(backend, Backend)
        and type(backend).on_task_call is Backend.on_task_call
        and backend.thread_safe
        and not amqp.routes
        and not any(options.get(name) for name in _PLAIN)
        and conf.task_protocol == 2
        and not conf.task_compression
        and not conf.task_send_sent_event
        and (options.get("serializer") or conf.task_serializer) == "json"
        and issubclass(app.AsyncResult, AsyncResult)
        and app.AsyncResult.__init__ is AsyncResult.__init__
    )
    if not usable:
        return _refusal(task, conf.__dict__)
    result_cls = app.AsyncResult
    queue_name = amqp.plain_queue()
    if queue_name is None:
        queue = amqp.default_queue
        if queue.exchange is not None and queue.exchange.type not in (None, "direct"):
            return _refusal(task, conf.__dict__)
        queue_name = queue.name
    name = task.name
    hard, soft = options.get("time_limit"), options.get("soft_time_limit")
    limits = (hard, soft) if hard or soft else None
    impossible = bool(soft and hard and soft > hard)
    priority = options.get("priority")
    live = _eager_layers(conf)
    settings = conf.__dict__
    app_dict = app.__dict__
    amqp_dict = amqp.__dict__
    new_result = result_cls.__new__
    app_cls = type(app)
    original = Sending.send_task
    eager = conf.task_always_eager
    header = getattr(task, "__header__", None) if task.typing else None
    ignored = task.ignore_result
    from .broker import broker_of

    broker = broker_of(app)
    lane = broker.lane(priority, app)
    broker.senders.add(app)
    made = PlannedMessage.of(
        task=name,
        queue=queue_name,
        ignore_result=ignored,
        sender=weakref.ref(app),
        limits=limits,
        priority=priority or None,
        lane=lane if priority else Message.lane,
    )
    run = broker.run

    inherits = conf.task_inherit_parent_priority

    def plan(args: Any, kwargs: Any, embed: dict[str, Any] | None = None) -> Any:
        """Send a call; ``embed`` is what a step or member of a composition carries besides."""
        if settings["version"] != version or task._exec_options is not options or task.ignore_result is not ignored:
            task._fast_plan = None
            return None
        if (
            eager
            or impossible
            or _before.receivers
            or _after.receivers
            or _sent.receivers
            or (inherits if embed is not None else _task_stack.stack)
            or app_dict["_backend_cache"] is not backend
            or app_cls.send_task is not original
            or "send_task" in app_dict
            or amqp_dict.get("send_task_message") is not sender
            or (live and conf.task_always_eager)
        ):
            return None
        if header is not None and task.typing:
            header(*(args or ()), **(kwargs or {}))
        copied = copy_arguments(() if args is None else args, {} if kwargs is None else kwargs)
        if copied is NotImplemented:
            return None
        if embed is None:
            id = ids.new_id()
            message = made(id, *copied)
        else:
            id = embed.pop("id", None) or ids.new_id()
            message = made(id, *copied)
            message.embed = embed
        engine = broker.engine
        if engine is None or limits is not None:
            broker.put(message, app)
        else:
            index = broker.queues.get(queue_name)
            if index is None:
                index = broker.queue(queue_name)
            engine.enqueue(run, (message,), None, queue=index, lane=lane, keep=False, context=False)
        result = new_result(result_cls)
        result.id = id
        result.backend = backend
        if ignored:
            result._ignored = ignored
        return result

    task._fast_plan = plan
    return plan
