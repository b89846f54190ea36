"""`JobRecord`: a job as the store keeps it, in Python values. `Job` objects are made from it and saved into it.

A call is kept as data, never as a closure: as a tuple when every part of it is a plain value that nobody can change
later, else as the serializer's bytes. So a job sees its arguments as they were at the enqueue.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any, NamedTuple

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

    def __init__(
        self,
        id: str,
        origin: str = "",
        status: str | None = None,
        payload: str | Call | bytes | None = None,
        args: tuple[Any, ...] = (),
        enqueued: datetime | None = None,
        timeout: float | None = None,
    ) -> None:
        self.id = id
        self.origin = origin
        self.status = status
        self.payload = payload
        """The serializer's bytes, a `Call`, or the name of a function that is called with `args` and no keywords."""
        self.args = args
        self.created_at = self.enqueued_at = enqueued
        self.started_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.last_heartbeat: datetime | None = None
        self.worker_name: str | None = None
        self.timeout = timeout
        self.expires_at: float | None = None
        self.results: tuple[tuple[Any, ...], ...] | None = None
        """Fields of `ResultRecord`, newest last."""
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


class ResultRecord(NamedTuple):
    """One entry of a job's results. `value` is plain, or bytes of the serializer when `packed`.

    The store keeps entries as bare tuples of these fields: of a bare tuple of plain values the garbage collector lets
    go at its first look, and there are as many of them as finished jobs.
    """

    type: int
    value: Any
    packed: bool
    exc_string: str | None
    worker_name: str
    execution_id: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    ms: int = 0
    seq: int = 0

    @property
    def id(self) -> str:
        return f"{self.ms}-{self.seq}"


_BATCH = 128
_ids: list[str] = []
_hexes: list[str] = []
_id_frame = b"xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx"
_random_places = [place for place, letter in enumerate(_id_frame) if letter in b"xy"]
_variant_place = _id_frame.index(b"y")
_variants = bytes.maketrans(b"0123456789abcdef", b"89ab" * 4)


def _more_hexes() -> str:
    raw = os.urandom(16 * _BATCH).hex()
    fresh = [raw[start : start + 32] for start in range(0, len(raw), 32)]
    last = fresh.pop()
    _hexes.extend(fresh)
    return last


def _more_ids() -> str:
    """A batch at once, digit by digit over all of them: half the time that one after the other takes."""
    digits = os.urandom(len(_random_places) * _BATCH // 2).hex().encode()
    width = len(_id_frame)
    text = bytearray(_id_frame * _BATCH)
    for number, place in enumerate(_random_places):
        column = digits[number * _BATCH : (number + 1) * _BATCH]
        text[place::width] = column.translate(_variants) if place == _variant_place else column
    whole = text.decode()
    fresh = [whole[start : start + width] for start in range(0, len(whole), width)]
    last = fresh.pop()
    _ids.extend(fresh)
    return last


def new_hex() -> str:
    """32 random hex digits."""
    try:
        return _hexes.pop()
    except IndexError:
        return _more_hexes()


def new_id() -> str:
    """A random UUID (version 4) as text, without the cost of a UUID object."""
    try:
        return _ids.pop()
    except IndexError:
        return _more_ids()


def _forget_drawn() -> None:
    """In a forked child: parent and child must not draw the same ids."""
    _ids.clear()
    _hexes.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_drawn)
