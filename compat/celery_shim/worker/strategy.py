"""What a worker does with a message of a broker before it becomes a request: names that programs import.

Messages here are not read from a broker. A task with a ``Strategy`` of its own is refused when it is bound.
"""

from __future__ import annotations

from typing import Any

from ..exceptions import ImproperlyConfigured
from ..runtime.publisher import _from_protocol_1

__all__ = ("default", "hybrid_to_proto2", "proto1_to_proto2")


def default(task: Any, app: Any, consumer: Any, **kwargs: Any) -> Any:
    """Raises ``ImproperlyConfigured``: there is no consumer of broker messages to give one to."""
    raise ImproperlyConfigured("a task's Strategy reads messages of a broker; tasks here wait in this process")


def proto1_to_proto2(message: Any, body: dict[str, Any]) -> tuple[Any, dict[str, Any], bool, bool]:
    """The body and the headers of protocol 2 from those of protocol 1; decoded, and whether times are UTC."""
    headers, (args, kwargs, embed) = _from_protocol_1(dict(getattr(message, "headers", None) or {}), body)
    return (args, kwargs, embed), headers, True, body.get("utc", True)


def hybrid_to_proto2(message: Any, body: dict[str, Any]) -> tuple[Any, dict[str, Any], bool, bool]:
    """The same where both protocols were mixed."""
    return proto1_to_proto2(message, body)
