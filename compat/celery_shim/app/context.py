"""``Context``: what a running task knows about its own call (``self.request``).

A plain namespace: every header of the message is an attribute, and what is missing has Celery's default.
"""

from __future__ import annotations

from typing import Any

from ..utils.saferepr import saferepr

__all__ = ("Context", "get_actual_ignore_result")

_UNSET: Any = object()


#: Headers that RabbitMQ adds to dead letters; sending them again would make it count wrongly.
X_DEATH_HEADERS = frozenset(
    {
        "x-death",
        "x-first-death-exchange",
        "x-first-death-queue",
        "x-first-death-reason",
        "x-last-death-exchange",
        "x-last-death-queue",
        "x-last-death-reason",
    }
)


class Context:
    """The request of a task."""

    _children: Any = None
    _protected: int = 0
    args: Any = None
    callbacks: Any = None
    called_directly: bool = True
    chain: Any = None
    chord: Any = None
    correlation_id: Any = None
    delivery_info: Any = None
    errbacks: Any = None
    eta: Any = None
    expires: Any = None
    group: Any = None
    group_index: Any = None
    headers: Any = None
    hostname: Any = None
    id: Any = None
    ignore_result: Any = False
    is_eager: bool = False
    kwargs: Any = None
    logfile: Any = None
    loglevel: Any = None
    origin: Any = None
    parent_id: Any = None
    properties: Any = None
    retries: int = 0
    reply_to: Any = None
    replaced_task_nesting: int = 0
    root_id: Any = None
    shadow: Any = None
    taskset: Any = None
    timelimit: Any = None
    time_limit: Any = None
    soft_time_limit: Any = None
    utc: Any = None
    stamped_headers: Any = None
    stamps: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.update(*args, **kwargs)
        if self.headers is None:
            self.headers = self._get_custom_headers(*args, **kwargs)

    def _get_custom_headers(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """What is left of a message's headers without those that Celery itself sets."""
        custom = {key: value for key, value in dict(*args, **kwargs).items() if key not in _OWN_HEADERS}
        return custom or None

    def update(self, *args: Any, **kwargs: Any) -> None:
        own = self.__dict__
        before = own.get("timelimit", _UNSET)
        own.update(*args, **kwargs)
        limits = own.get("timelimit", _UNSET)
        if limits is not before:
            pair = isinstance(limits, (list, tuple)) and len(limits) >= 2
            self.time_limit, self.soft_time_limit = (limits[0], limits[1]) if pair else (None, None)

    def clear(self) -> None:
        self.__dict__.clear()

    def get(self, key: str, default: Any = None) -> Any:
        return getattr(self, key, default)

    def __repr__(self) -> str:
        return f"<Context: {vars(self)!r}>"

    def as_execution_options(self) -> dict[str, Any]:
        """Options of ``apply_async`` that send this call again."""
        hard, soft = self.timelimit or (None, None)
        options = {
            "task_id": self.id,
            "root_id": self.root_id,
            "parent_id": self.parent_id,
            "group_id": self.group,
            "group_index": self.group_index,
            "shadow": self.shadow,
            "chord": self.chord,
            "chain": self.chain,
            "link": self.callbacks,
            "link_error": self.errbacks,
            "expires": self.expires,
            "soft_time_limit": soft,
            "time_limit": hard,
            "headers": self._filter_x_death_headers(self.headers),
            "retries": self.retries,
            "reply_to": self.reply_to,
            "replaced_task_nesting": self.replaced_task_nesting,
            "origin": self.origin,
        }
        if self.stamps is not None and self.stamped_headers is not None:
            options["stamped_headers"] = self.stamped_headers
            options.update((key, value) for key, value in self.stamps.items() if key in self.stamped_headers)
        return options

    def _filter_x_death_headers(self, headers: dict[str, Any] | None) -> dict[str, Any]:
        return {key: value for key, value in (headers or {}).items() if key not in X_DEATH_HEADERS}

    @property
    def children(self) -> list[Any]:
        """Results of the tasks that this one started."""
        if self._children is None:
            self._children = []
        return self._children


class PlainRequest(dict):
    """The request of a call without options as a dict: it holds Celery's own headers only."""


class _Later:
    """A field that is worked out when somebody looks, and is an attribute like all others from then on."""

    def __init__(self, make: Any) -> None:
        self.make = make

    def __set_name__(self, owner: Any, name: str) -> None:
        self.name = name

    def __get__(self, request: Any, owner: Any = None) -> Any:
        if request is None:
            return None
        value = self.make(request)
        setattr(request, self.name, value)
        return value


_fields = Context.__dict__["__dict__"].__get__


class PlainContext(Context):
    """The request of a call without options: made from its message with a handful of fields, the rest on demand."""

    lang = "py"
    called_directly = False
    reply_to = ""
    root_id = _Later(lambda request: request.id)
    correlation_id = _Later(lambda request: request.id)
    argsrepr = _Later(lambda request: saferepr(tuple(request.args), 1024))
    kwargsrepr = _Later(lambda request: saferepr(request.kwargs, 1024))
    _message: Any = None

    def __init__(self, message: Any, hostname: str) -> None:
        self._message = message
        self.id = message.id
        self.args = message.args
        self.kwargs = message.kwargs
        self.ignore_result = message.ignore_result
        self.hostname = hostname
        if message.embed is not None:
            _fields(self).update(message.embed)

    @classmethod
    def of(cls, request: PlainRequest) -> PlainContext:
        """The same from the dict that somebody asked for."""
        made = cls.__new__(cls)
        _fields(made).update(request, headers=None)
        made.time_limit, made.soft_time_limit = request["timelimit"]
        return made

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """All fields: ``vars(request)``, copies and pickles see no difference to other requests."""
        own: dict[str, Any] = _fields(self)
        message = own.pop("_message", None)
        if message is not None:
            for name, value in message.request_dict(own["hostname"]).items():
                own.setdefault(name, value)
            own.setdefault("headers", None)
            hard, soft = own["timelimit"]
            own.setdefault("time_limit", hard)
            own.setdefault("soft_time_limit", soft)
        return own


def _from_message(name: str) -> _Later:
    return _Later(lambda request: request.__dict__.get(name))


for _name in ("task", "origin", "stamps", "delivery_info", "properties", "timelimit", "time_limit", "soft_time_limit"):
    _field = _from_message(_name)
    _field.__set_name__(PlainContext, _name)
    setattr(PlainContext, _name, _field)

_OWN_HEADERS = frozenset({*Context.__dict__, "lang", "task", "argsrepr", "kwargsrepr", "compression"})


def get_actual_ignore_result(task: Any, req: Any) -> Any:
    """What the call says about keeping the result, else what the task says."""
    if req is None:
        return task.ignore_result
    if isinstance(req, Context) and "ignore_result" not in req.__dict__:
        return task.ignore_result
    said = getattr(req, "ignore_result", None)
    return task.ignore_result if said is None else said
