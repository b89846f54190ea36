"""What the other side of a broker would see: values as the serializer gives them back.

Plain values of exactly the built-in types are copied directly, with the same outcome as a trip through JSON; all the
rest really makes the trip with kombu's serializers.
"""

from __future__ import annotations

from typing import Any

from ....core import copy_plain

__all__ = ("isolate", "isolate_call", "round_trip")


def round_trip(value: Any, serializer: str | None) -> Any:
    """Through kombu's serializer and back; raises ``kombu.exceptions.EncodeError`` for what it refuses."""
    from kombu.serialization import dumps, loads

    content_type, content_encoding, data = dumps(value, serializer=serializer)
    return loads(data, content_type, content_encoding, accept=[content_type])


def isolate(value: Any, serializer: str | None = "json") -> Any:
    """A value as it arrives."""
    if serializer == "json":
        copied = copy_plain(value)
        if copied is not NotImplemented:
            return copied
    return round_trip(value, serializer)


def isolate_call(args: Any, kwargs: Any, serializer: str | None = "json") -> tuple[Any, Any]:
    """Arguments as they arrive: a list and a dict."""
    if serializer == "json" and type(kwargs) is dict:
        kind = type(args)
        if kind is tuple or kind is list:
            given, named = copy_plain(args), copy_plain(kwargs)
            if given is not NotImplemented and named is not NotImplemented:
                return given, named
    args, kwargs = round_trip((args, kwargs), serializer)
    return args, kwargs
