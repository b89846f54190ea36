"""How arguments, results and meta become bytes: pickle (default), JSON, or any object with `dumps` and `loads`."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

from .utils import import_attribute

__all__ = ["DefaultSerializer", "JSONSerializer", "PickleSerializer", "Serializer", "resolve_serializer"]


@runtime_checkable
class Serializer(Protocol):
    """What a serializer has to offer."""

    def dumps(self, obj: Any, /) -> bytes: ...

    def loads(self, data: bytes, /) -> Any: ...


class DefaultSerializer:
    """Pickle, newest protocol."""

    dumps: ClassVar[Callable[[Any], bytes]] = partial(pickle.dumps, protocol=pickle.HIGHEST_PROTOCOL)
    loads: ClassVar[Callable[[bytes], Any]] = pickle.loads


PickleSerializer = DefaultSerializer


class JSONSerializer:
    """JSON in UTF-8: tuples come back as lists, keys as strings."""

    @staticmethod
    def dumps(*args: Any, **kwargs: Any) -> bytes:
        return json.dumps(*args, **kwargs).encode("utf-8")

    @staticmethod
    def loads(s: bytes, *args: Any, **kwargs: Any) -> Any:
        return json.loads(s.decode("utf-8"), *args, **kwargs)


SERIALIZER_ALIASES: dict[str, Any] = {"json": JSONSerializer, "pickle": PickleSerializer}


def resolve_serializer(serializer: Any = None) -> Serializer:
    """The serializer meant by None (pickle), an alias, a dotted path, or the object itself; checked."""
    if not serializer:
        return cast(Serializer, DefaultSerializer)
    if isinstance(serializer, str):
        serializer = SERIALIZER_ALIASES.get(serializer) or import_attribute(serializer)
    for name in ("dumps", "loads"):
        if not hasattr(serializer, name):
            raise NotImplementedError("Serializer should have (dumps, loads) methods.")
    return cast(Serializer, serializer)
