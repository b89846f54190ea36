"""``Message``: a task call on its way. Data only: names, ids, arguments, headers of Celery's protocol 2.

It knows nothing of queues and workers; where it waits is in ``broker``.
"""

from __future__ import annotations

from typing import Any

from ..app.context import PlainRequest
from ..utils.nodenames import anon_nodename, gethostname

__all__ = ("Message",)

_origin: str | None = None


def _own_origin() -> str:
    global _origin
    if _origin is None:
        _origin = anon_nodename(gethostname())
    return _origin


#: A call without options; copied, because that is cheaper than building it.
_PLAIN_FIELDS: dict[str, Any] = dict.fromkeys(
    (
        "lang",
        "task",
        "id",
        "shadow",
        "eta",
        "expires",
        "group",
        "group_index",
        "retries",
        "timelimit",
        "root_id",
        "parent_id",
        "origin",
        "ignore_result",
        "replaced_task_nesting",
        "stamped_headers",
        "stamps",
        "reply_to",
        "hostname",
        "correlation_id",
        "is_eager",
        "args",
        "kwargs",
        "called_directly",
        "callbacks",
        "errbacks",
        "chain",
        "chord",
        "delivery_info",
        "properties",
    )
)
_PLAIN_FIELDS.update(lang="py", retries=0, replaced_task_nesting=0, reply_to="", is_eager=False, called_directly=False)


class Message:
    """One call. ``headers`` is None for a call without options: they are made when somebody looks."""

    # Defaults on the class: a call without options has few attributes of its own.
    embed: Any = None
    properties: Any = None
    exchange = ""
    routing_key: Any = None
    priority: Any = None
    lane = 9
    sender: Any = None
    limits: Any = None
    redelivered = received = passed = timed_out = False
    eta: Any = None
    expires: Any = None
    handle: Any = None
    terminated: Any = None
    _headers: Any = None

    def __init__(self, id: str, task: str, args: Any, kwargs: Any, queue: str, ignore_result: Any = False) -> None:
        self.id, self.task, self.args, self.kwargs, self.queue = id, task, args, kwargs, queue
        self.ignore_result = ignore_result

    @property
    def headers(self) -> dict[str, Any]:
        if self._headers is None:
            self._headers = self._default_headers()
        return self._headers

    def _default_headers(self) -> dict[str, Any]:
        id, more = self.id, self.embed or {}
        return {
            "lang": "py",
            "task": self.task,
            "id": id,
            "shadow": None,
            "eta": None,
            "expires": None,
            "group": more.get("group"),
            "group_index": more.get("group_index"),
            "retries": 0,
            "timelimit": self.limits or [None, None],
            "root_id": more.get("root_id", id),
            "parent_id": more.get("parent_id"),
            "argsrepr": None,
            "kwargsrepr": None,
            "origin": _own_origin(),
            "ignore_result": self.ignore_result,
            "replaced_task_nesting": more.get("replaced_task_nesting", 0),
            "stamped_headers": None,
            "stamps": {},
        }

    @property
    def delivery_info(self) -> dict[str, Any]:
        return {
            "exchange": self.exchange,
            "routing_key": self.routing_key or self.queue,
            "priority": self.priority or 0,
            "redelivered": self.redelivered,
        }

    def request_dict(self, hostname: str) -> dict[str, Any]:
        """What the tracer gets."""
        if self._headers is None and self.properties is None:
            return self._plain_request(hostname)
        request = dict(self.headers)
        origin = self.delivery_info
        properties = {
            "correlation_id": self.id,
            "reply_to": "",
            "delivery_mode": 2,
            "priority": self.priority or 0,
            "delivery_info": {"exchange": origin["exchange"], "routing_key": origin["routing_key"]},
            **(self.properties or {}),
        }
        request.update(
            properties=properties,
            reply_to=properties.get("reply_to"),
            hostname=hostname,
            correlation_id=properties.get("correlation_id"),
            delivery_info=origin,
            is_eager=False,
            args=self.args,
            kwargs=self.kwargs,
        )
        if self.embed:
            request.update(self.embed)
        return request

    def _plain_request(self, hostname: str) -> PlainRequest:
        """The same for a call without options, made in one go."""
        id, priority, limits = self.id, self.priority or 0, self.limits
        request = PlainRequest(_PLAIN_FIELDS)
        request["task"] = self.task
        request["id"] = request["root_id"] = request["correlation_id"] = id
        request["args"], request["kwargs"] = self.args, self.kwargs
        request["timelimit"] = [None, None] if limits is None else list(limits)
        request["origin"], request["hostname"] = _own_origin(), hostname
        request["ignore_result"], request["stamps"] = self.ignore_result, {}
        request["delivery_info"] = {
            "exchange": "",
            "routing_key": self.queue,
            "priority": priority,
            "redelivered": self.redelivered,
        }
        request["properties"] = {"correlation_id": id, "reply_to": "", "delivery_mode": 2, "priority": priority}
        if self.embed is not None:
            request.update(self.embed)
            request["properties"]["reply_to"] = request["reply_to"]
        return request

    def __repr__(self) -> str:
        return f"<Message {self.task}[{self.id}] for {self.queue}>"


class PlannedMessage(Message):
    """Calls of one task without options: what does not differ between them is on a class of their own."""

    @classmethod
    def of(cls, **same: Any) -> type[PlannedMessage]:
        """The class of one task's calls."""
        return type(cls.__name__, (cls,), {**same, "__module__": cls.__module__})

    def __init__(self, id: str, args: Any, kwargs: Any) -> None:
        self.id, self.args, self.kwargs = id, args, kwargs
