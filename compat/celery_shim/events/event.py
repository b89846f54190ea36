"""What an event is: a dict with a type and a time; the name of the exchange that Celery would put it on."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from typing import Any

from kombu import Exchange

__all__ = ("Event", "event_exchange", "get_exchange", "group_from")

EVENT_EXCHANGE_NAME = "celeryev"
event_exchange = Exchange(EVENT_EXCHANGE_NAME, type="topic")


def Event(
    type: str,
    _fields: Any = None,
    __dict__: Callable[..., dict[str, Any]] = dict,
    __now__: Callable[[], float] = time.time,
    **fields: Any,
) -> dict[str, Any]:
    """An event with the given fields; ``timestamp`` (seconds since the epoch) is now unless it is given."""
    event = __dict__(_fields or {}, **fields)
    event.setdefault("timestamp", __now__())
    event["type"] = type
    return event


def group_from(type: str) -> str:
    """``'task'`` of ``'task-sent'``."""
    return type.partition("-")[0]


def get_exchange(conn: Any, name: str = EVENT_EXCHANGE_NAME) -> Exchange:
    """The exchange of events for code that talks to a broker itself; Redis has no topics, so there it is a fanout."""
    exchange = copy(event_exchange)
    if conn.transport.driver_type in ("redis", "gcpubsub"):
        exchange.type = "fanout"
    exchange.name = name
    return exchange
