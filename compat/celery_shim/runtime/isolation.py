"""What the other side of a broker would see: values as the serializer gives them back.

Plain values of exactly the built-in types are copied directly, with the same outcome as a trip through JSON; all the
rest really makes the trip with kombu's serializers.
"""

from __future__ import annotations

from typing import Any

__all__ = ("copy_call", "isolate", "isolate_call", "round_trip")

_ATOMS = frozenset({str, bool, type(None), float})
#: Deeper structures take the long way, which knows about cycles.
_DEPTH = 32
#: Longer integers take the long way: Python refuses to write them as text beyond a limit.
_BITS = 4096


class _LongWay(Exception):
    """The value needs a real serializer."""


def _copy(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is int:
        if -1 << _BITS < value < 1 << _BITS:
            return value
        raise _LongWay
    if depth <= 0:
        raise _LongWay
    if kind is list or kind is tuple:
        return [_copy(item, depth - 1) for item in value]
    if kind is dict:
        copied = {}
        for key, item in value.items():
            if type(key) is not str or key == "__type__":
                raise _LongWay
            copied[key] = _copy(item, depth - 1)
        return copied
    if issubclass(kind, dict) and hasattr(kind, "__json__"):
        return _copy(dict(value), depth)  # a signature
    raise _LongWay


def _copy_untupled(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is list and depth > 0:
        return [_copy_untupled(item, depth - 1) for item in value]
    if kind is dict and depth > 0:
        copied = {}
        for key, item in value.items():
            if type(key) is not str or key == "__type__":
                raise _LongWay
            copied[key] = _copy_untupled(item, depth - 1)
        return copied
    if kind is int and -1 << _BITS < value < 1 << _BITS:
        return value
    raise _LongWay


def copy_call(args: Any, kwargs: Any) -> tuple[Any, Any] | None:
    """Arguments as JSON gives them back, when their repr stays the same too; None when it would not (tuples)."""
    try:
        return (
            [_copy_untupled(item, _DEPTH) for item in args],
            {} if not kwargs else _copy_untupled(kwargs, _DEPTH),
        )
    except _LongWay:
        return None


def round_trip(value: Any, serializer: str | None) -> Any:
    """Through kombu's serializer and back; raises ``kombu.exceptions.EncodeError`` for what it refuses."""
    from kombu.serialization import dumps, loads

    content_type, content_encoding, data = dumps(value, serializer=serializer)
    return loads(data, content_type, content_encoding, accept=[content_type])


def isolate(value: Any, serializer: str | None = "json") -> Any:
    """A value as it arrives."""
    if serializer == "json":
        try:
            return _copy(value, _DEPTH)
        except _LongWay:
            pass
    return round_trip(value, serializer)


def isolate_call(args: Any, kwargs: Any, serializer: str | None = "json") -> tuple[Any, Any]:
    """Arguments as they arrive: a list and a dict."""
    if serializer == "json" and type(kwargs) is dict:
        kind = type(args)
        if kind is tuple or kind is list:
            try:
                return [_copy(item, _DEPTH) for item in args], _copy(kwargs, _DEPTH) if kwargs else {}
            except _LongWay:
                pass
    args, kwargs = round_trip((args, kwargs), serializer)
    return args, kwargs
