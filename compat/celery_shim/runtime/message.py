"""``Message``: a task call on its way. Data only: names, ids, arguments, headers of Celery's protocol 2.

It knows nothing of queues and workers; where it waits is in ``broker``.
"""

from __future__ import annotations

import socket
from typing import Any

from ..utils.nodenames import anon_nodename

__all__ = ("Message",)

_origin: str | None = None


def _own_origin() -> str:
    global _origin
    if _origin is None:
        _origin = anon_nodename(socket.gethostname())
    return _origin


class Message:
    """One call. ``headers`` is None for a call without options: they are made when somebody looks."""

    __slots__ = (
        "id", "task", "args", "kwargs", "embed", "_headers", "properties", "exchange", "routing_key", "priority",
        "queue", "redelivered", "received", "passed", "eta", "expires", "handle", "ignore_result", "timed_out",
        "terminated", "limits",
    )

    def __init__(
        self, id: str, task: str, args: Any, kwargs: Any, queue: str, embed: Any = None, headers: Any = None,
        properties: Any = None, exchange: str = "", routing_key: str | None = None, priority: Any = None,
        ignore_result: Any = False, limits: Any = None,
    ) -> None:
        self.id, self.task, self.args, self.kwargs, self.embed = id, task, args, kwargs, embed
        self._headers, self.properties = headers, properties
        self.exchange, self.routing_key, self.queue = exchange, routing_key, queue
        self.priority, self.ignore_result, self.limits = priority, ignore_result, limits
        self.redelivered = self.received = self.passed = self.timed_out = False
        self.eta = self.expires = self.handle = self.terminated = None

    @property
    def headers(self) -> dict[str, Any]:
        if self._headers is None:
            self._headers = self._default_headers()
        return self._headers

    def _default_headers(self) -> dict[str, Any]:
        id = self.id
        return {
            "lang": "py", "task": self.task, "id": id, "shadow": None, "eta": None, "expires": None, "group": None,
            "group_index": None, "retries": 0, "timelimit": self.limits or [None, None], "root_id": id,
            "parent_id": None, "argsrepr": None, "kwargsrepr": None, "origin": _own_origin(),
            "ignore_result": self.ignore_result, "replaced_task_nesting": 0, "stamped_headers": None, "stamps": {},
        }

    @property
    def delivery_info(self) -> dict[str, Any]:
        return {
            "exchange": self.exchange, "routing_key": self.routing_key or self.queue,
            "priority": self.priority or 0, "redelivered": self.redelivered,
        }

    def request_dict(self, hostname: str) -> dict[str, Any]:
        """What the tracer gets."""
        request = dict(self.headers)
        if request.get("argsrepr") is None:
            request["argsrepr"] = request["kwargsrepr"] = None
        origin = self.delivery_info
        properties = {
            "correlation_id": self.id, "reply_to": "", "delivery_mode": 2, "priority": self.priority or 0,
            "delivery_info": {"exchange": origin["exchange"], "routing_key": origin["routing_key"]},
            **(self.properties or {}),
        }
        request.update(
            properties=properties, reply_to=properties.get("reply_to"), hostname=hostname,
            correlation_id=properties.get("correlation_id"), delivery_info=origin, is_eager=False,
            args=self.args, kwargs=self.kwargs,
        )
        if self.embed:
            request.update(self.embed)
        return request

    def __repr__(self) -> str:
        return f"<Message {self.task}[{self.id}] for {self.queue}>"
