"""The short way of sending a call without options: what does not depend on the call is worked out once per task.

A plan is used as long as nothing that it stands on has changed: settings, routes, overridden or patched methods,
connected signals. Where it does not apply it says so (None) and the long way is taken; the outcome is the same.
"""

from __future__ import annotations

import weakref
from typing import Any

from .. import _state, signals
from .ids import new_id
from .isolation import copy_call
from .message import Message

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


def make_plan(task: Any) -> Any:
    """The plan of a task: a function, or False when there can be none (until the settings change)."""
    from ..app.base import Celery
    from ..app.sending import Sending
    from ..app.task import Task
    from ..backends.base import Backend
    from ..result import AsyncResult

    app = task._get_app()
    if hasattr(app, "_get_current_object"):
        return False  # bound to whatever app is current
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
        and type(backend).on_task_call is Backend.on_task_call
        and backend.thread_safe
        and not amqp.routes
        and not any(options.get(name) for name in _PLAIN)
        and conf.task_protocol == 2
        and not conf.task_send_sent_event
        and (options.get("serializer") or conf.task_serializer) == "json"
        and issubclass(app.AsyncResult, AsyncResult)
        and app.AsyncResult.__init__ is AsyncResult.__init__
    )
    if not usable:
        task._fast_plan = False
        task._fast_plan_version = version
        return False
    result_cls = app.AsyncResult
    queue = amqp.default_queue
    if queue.exchange is not None and queue.exchange.type not in (None, "direct"):
        task._fast_plan = False
        return False
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
    header = getattr(task, "__header__", None)
    from .broker import broker_of

    sender_ref = weakref.ref(app)
    broker = broker_of(app)
    lane = broker.lane(priority, app)
    broker.senders.add(app)

    def plan(args: Any, kwargs: Any) -> Any:
        if settings["version"] != version or task._exec_options is not options:
            task._fast_plan = None
            return None
        if (
            eager
            or impossible
            or _before.receivers
            or _after.receivers
            or _sent.receivers
            or _task_stack.stack
            or app_dict["_backend_cache"] is not backend
            or app_cls.send_task is not original
            or "send_task" in app_dict
            or amqp_dict.get("send_task_message") is not sender
        ):
            return None
        if live and conf.task_always_eager:
            return None
        if task.typing and header is not None:
            header(*(args or ()), **(kwargs or {}))
        if args is None:
            args = ()
        if kwargs is None:
            kwargs = {}
        kind = type(args)
        if (kind is not tuple and kind is not list) or type(kwargs) is not dict:
            return None
        call = copy_call(args, kwargs)
        if call is None:
            return None
        args, kwargs = call
        id = new_id()
        message = Message(id, name, args, kwargs, queue_name, task.ignore_result)
        message.sender = sender_ref
        if limits is not None:
            message.limits = limits
        if priority:
            message.priority = priority
            message.lane = lane
        engine = broker.engine
        if engine is None or limits is not None:
            broker.put(message, app)
        else:
            index = broker.queues.get(queue_name)
            if index is None:
                index = broker.queue(queue_name)
            engine.enqueue(broker.run, (message,), None, queue=index, lane=lane, keep=False, context=False)
        result = new_result(result_cls)
        result.id = id
        result.backend = backend
        result._ignored = message.ignore_result
        return result

    task._fast_plan = plan
    return plan
