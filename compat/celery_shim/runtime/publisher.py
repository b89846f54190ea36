"""Putting a task message into a queue of this process."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from ..app.context import Context
from ..utils.lean import kombu_errors
from ..utils.log import get_logger
from ..utils.time import maybe_iso8601, to_utc
from .broker import broker_of
from .dropped import drop
from .isolation import isolate_call
from .message import Message
from .shared import as_sent

__all__ = ("publish", "requeue")

logger = get_logger("celery.worker.consumer")

REFUSED = "Refusing content of serializer %r: it is not in accept_content. The message of %s[%s] is dropped"


def _accepted(app: Any, serializer: str | None) -> bool:
    """Whether workers of the app accept what this serializer makes."""
    if serializer == "json":
        return True
    from kombu.serialization import registry

    accept = app.conf.accept_content
    if serializer in accept or serializer not in registry._encoders:
        return True  # an unknown one fails where it is used
    return registry._encoders[serializer].content_type in accept


def _timestamp(text: Any) -> float | None:
    moment = maybe_iso8601(text)
    if moment is None:
        return None
    # a naive eta is UTC, whatever the setting timezone says
    return (moment if moment.tzinfo is not None else to_utc(moment)).timestamp()


def publish(
    app: Any,
    body: Any,
    headers: dict[str, Any],
    properties: dict[str, Any],
    queue: Any = None,
    exchange: Any = "",
    routing_key: Any = None,
    serializer: str | None = None,
) -> None:
    """Send a message as ``amqp.create_task_message`` made it."""
    if isinstance(body, dict):
        headers, body = _from_protocol_1(headers, body)
    if not _accepted(app, serializer):
        logger.critical(REFUSED, serializer, headers["task"], headers["id"])
        refused = Message(headers["id"], headers["task"], [], {}, "", headers.get("ignore_result"))
        refused.embed, refused._headers = body[2], headers
        drop(refused, "refused", app)
        return
    try:
        args, kwargs = isolate_call(body[0], body[1], serializer)
    except kombu_errors().DecodeError as exc:
        # a worker would drop it and leave the caller waiting
        logger.exception("The arguments of %s[%s] cannot be decoded", headers["task"], headers["id"])
        # as text: what could not be decoded once cannot be decoded in the stored result either
        app.backend.mark_as_failure(
            headers["id"],
            kombu_errors().DecodeError(str(exc)),
            request=Context({**headers, **body[2], "args": [], "kwargs": {}}),
            store_result=not headers.get("ignore_result"),
        )
        return
    embed = body[2]
    if any(value is not None for value in embed.values()):
        embed = as_sent(embed, serializer)
    name = getattr(queue, "name", queue) or routing_key
    limits = headers.get("timelimit")
    message = Message(headers["id"], headers["task"], args, kwargs, name, headers.get("ignore_result"))
    message.embed, message._headers, message.properties = embed, _plain(headers), dict(properties)
    message.exchange = getattr(exchange, "name", exchange) or ""
    message.routing_key = routing_key or name
    message.priority = properties.get("priority")
    message.limits = tuple(limits) if limits and any(limits) else None
    message.expires = _timestamp(headers.get("expires"))
    eta = message.eta = _timestamp(headers.get("eta"))
    delay = None
    if eta is not None:
        delay = max(eta - time.time(), 0.0) or None
    broker_of(app).put(message, _plain_app(app), delay)


def _plain_app(app: Any) -> Any:
    return app._get_current_object() if hasattr(app, "_get_current_object") else app


def _plain(headers: dict[str, Any]) -> dict[str, Any]:
    """Headers as they arrive: what a receiver of ``before_task_publish`` put in must be data too."""
    from .isolation import isolate

    return isolate(headers)


def _from_protocol_1(headers: dict[str, Any], body: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """The old form of a message in the new one."""
    moved = {
        "lang": "py",
        "task": body["task"],
        "id": body["id"],
        "root_id": body["id"],
        "parent_id": None,
        "group": body.get("taskset"),
        "group_index": body.get("group_index"),
        "shadow": None,
        "retries": body.get("retries", 0),
        "eta": _text(body.get("eta")),
        "expires": _text(body.get("expires")),
        "timelimit": list(body.get("timelimit") or (None, None)),
        "argsrepr": None,
        "kwargsrepr": None,
        "origin": None,
        "ignore_result": None,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
        **headers,
    }
    embed = {
        "callbacks": body.get("callbacks"),
        "errbacks": body.get("errbacks"),
        "chord": body.get("chord"),
        "chain": None,
    }
    return moved, (body["args"], body["kwargs"], embed)


def _text(moment: Any) -> Any:
    return moment.isoformat() if isinstance(moment, datetime) else moment


def requeue(app: Any, message: Message, delay: float | None = None) -> None:
    """Put a message back."""
    message.redelivered = True
    message.received = message.passed = False
    broker_of(app).put(message, _plain_app(app), delay)
