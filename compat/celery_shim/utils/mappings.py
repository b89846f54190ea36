"""Small mappings: ordered ones, ones with attributes, objects that look like one."""

from __future__ import annotations

from collections import OrderedDict as _OrderedDict
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

__all__ = ("AttributeDict", "AttributeDictMixin", "DictAttribute", "OrderedDict", "force_mapping", "lpmerge")


def force_mapping(m: Any) -> Any:
    """A mapping as it is, anything else as the mapping of its attributes.

    Django's settings stay lazy: they may not have been read yet, and tests override them.
    """
    return m if isinstance(m, Mapping) else DictAttribute(m)


def lpmerge(L: dict[Any, Any], R: Mapping[Any, Any]) -> dict[Any, Any]:
    """Update ``L`` in place with what is not None in ``R``."""
    L.update((key, value) for key, value in R.items() if value is not None)
    return L


class OrderedDict(_OrderedDict):
    """Knows its oldest key."""

    def _LRUkey(self) -> Any:
        return next(iter(self.keys()))


class AttributeDictMixin:
    """Items as attributes."""

    def __getattr__(self, k: str) -> Any:
        try:
            return self[k]  # type: ignore[index]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {k!r}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value


class AttributeDict(dict, AttributeDictMixin):
    """A dict whose items are attributes."""


class DictAttribute:
    """Attributes as items: the other way round."""

    obj: Any = None

    def __init__(self, obj: Any) -> None:
        object.__setattr__(self, "obj", obj)

    def __getattr__(self, key: str) -> Any:
        return getattr(self.obj, key)

    def __setattr__(self, key: str, value: Any) -> None:
        setattr(self.obj, key, value)

    def get(self, key: str, default: Any = None) -> Any:
        return getattr(self.obj, key, default)

    def setdefault(self, key: str, default: Any = None) -> None:
        if key not in self:
            self[key] = default

    def __getitem__(self, key: str) -> Any:
        try:
            return getattr(self.obj, key)
        except AttributeError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self.obj, key, value)

    def __contains__(self, key: str) -> bool:
        return hasattr(self.obj, key)

    def __iter__(self) -> Iterator[str]:
        return iter(dir(self.obj))

    def _iterate_keys(self) -> Iterator[str]:
        return iter(dir(self.obj))

    def _iterate_items(self) -> Iterator[tuple[str, Any]]:
        return ((key, getattr(self.obj, key)) for key in dir(self.obj))

    def _iterate_values(self) -> Iterator[Any]:
        return (getattr(self.obj, key) for key in dir(self.obj))

    keys = iterkeys = _iterate_keys
    items = iteritems = _iterate_items
    values = itervalues = _iterate_values


MutableMapping.register(DictAttribute)
