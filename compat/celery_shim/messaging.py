"""Names of Celery's former ``celery.messaging``: views of the current app, made at each use."""

from __future__ import annotations

from typing import Any

from ._state import current_app
from .local import Proxy

TaskConsumer: Any = Proxy(lambda: current_app.amqp.TaskConsumer)
establish_connection: Any = Proxy(lambda: current_app.connection)
get_consumer_set: Any = Proxy(lambda: current_app.amqp.TaskConsumer)

__all__ = (
    "TaskConsumer",
    "establish_connection",
    "get_consumer_set",
)
