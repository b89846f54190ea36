"""`JobRecord`: a job as the store keeps it, in Python values. `Job` objects are made from it and saved into it.

A call is kept as data, never as a closure: as a tuple when every part of it is a plain value that nobody can change
later, else as the serializer's bytes. So a job sees its arguments as they were at the enqueue.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

__all__ = ["ABSENT", "Call", "JobRecord", "ResultRecord", "is_plain", "new_hex", "new_id", "plain_call"]

PLAIN = frozenset({str, int, float, bool, bytes, type(None), complex})
"""Types whose values need no copy."""

ABSENT: Any = None
"""The payload of a record of which only fields were written, never a whole job."""


class Call:
    """Function name and arguments, all plain."""

    __slots__ = ("args", "kwargs", "name")

    def __init__(self, name: str, args: tuple[Any, ...] | list[Any], kwargs: dict[str, Any]) -> None:
        self.name = name
        self.args = args
        self.kwargs = kwargs


_NO_KWARGS: dict[str, Any] = {}


def is_plain(values: Any) -> bool:
    """Whether all of them are plain."""
    for value in values:
        if type(value) not in PLAIN:
            return False
    return True


def plain_call(name: str, args: Any, kwargs: dict[str, Any]) -> Call | None:
    """The call as data without bytes, or None if it needs a serializer."""
    kind = type(args)
    if (kind is tuple or kind is list) and is_plain(args):
        if not kwargs:
            return Call(name, args if kind is tuple else list(args), _NO_KWARGS)
        if type(kwargs) is dict and is_plain(kwargs.values()) and is_plain(kwargs):
            return Call(name, args if kind is tuple else list(args), dict(kwargs))
    return None


class JobRecord:
    """The hot fields in slots, the rare ones by name in `more`. Everything that means "not set" is None."""

    __slots__ = (
        "args",
        "created_at",
        "ended_at",
        "enqueued_at",
        "expires_at",
        "id",
        "last_heartbeat",
        "more",
        "origin",
        "payload",
        "results",
        "results_until",
        "started_at",
        "status",
        "task",
        "timeout",
        "worker_name",
    )

    def __init__(self, id: str) -> None:
        self.id = id
        self.origin = ""
        self.status: str | None = None
        self.payload: str | Call | bytes | None = None
        """The serializer's bytes, a `Call`, or the name of a function that is called with `args` and no keywords."""
        self.args: tuple[Any, ...] = ()
        self.created_at: datetime | None = None
        self.enqueued_at: datetime | None = None
        self.started_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.last_heartbeat: datetime | None = None
        self.worker_name: str | None = None
        self.timeout: float | None = None
        self.expires_at: float | None = None
        self.results: list[Any] | None = None
        self.results_until: float | None = None
        self.task: Any = None
        self.more: dict[str, Any] | None = None

    def call(self) -> Call | None:
        """The call if it is kept as data without bytes."""
        payload = self.payload
        if type(payload) is str:
            return Call(payload, self.args, _NO_KWARGS)
        return payload if type(payload) is Call else None

    def get(self, name: str) -> Any:
        """A rare field, or None."""
        return None if self.more is None else self.more.get(name)


class ResultRecord:
    """One entry of a job's results. `value` is plain, or bytes of the serializer when `packed`."""

    __slots__ = (
        "ended_at",
        "exc_string",
        "execution_id",
        "ms",
        "packed",
        "seq",
        "started_at",
        "type",
        "value",
        "worker_name",
    )

    def __init__(self, type: int, value: Any, packed: bool, exc_string: str | None, worker_name: str) -> None:
        self.type = type
        self.value = value
        self.packed = packed
        self.exc_string = exc_string
        self.worker_name = worker_name
        self.ms = 0
        self.seq = 0
        self.execution_id: str | None = None
        self.started_at: datetime | None = None
        self.ended_at: datetime | None = None

    @property
    def id(self) -> str:
        return f"{self.ms}-{self.seq}"


_hex_pool: list[str] = []
_versions = "89ab"


def _refill() -> str:
    raw = os.urandom(16 * 128).hex()
    fresh = [raw[start : start + 32] for start in range(0, len(raw), 32)]
    last = fresh.pop()
    _hex_pool.extend(fresh)
    return last


def new_hex() -> str:
    """32 random hex digits."""
    try:
        return _hex_pool.pop()
    except IndexError:
        return _refill()


def new_id() -> str:
    """A random UUID (version 4) as text, without the cost of a UUID object."""
    try:
        raw = _hex_pool.pop()
    except IndexError:
        raw = _refill()
    return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-{_versions[int(raw[16], 16) & 3]}{raw[17:20]}-{raw[20:]}"


if hasattr(os, "register_at_fork"):
    # Parent and child must not draw the same ids.
    os.register_at_fork(after_in_child=_hex_pool.clear)
