"""Helpers for objects: a bag of attributes, a search in the method resolution order, a context with a fallback."""

from __future__ import annotations

from functools import reduce
from types import GenericAlias
from typing import Any

__all__ = ("Bunch", "FallbackContext", "getitem_property", "mro_lookup")


class Bunch:
    """Attributes from keywords."""

    def __init__(self, **kwargs: Any) -> None:
        self.__dict__.update(kwargs)


def mro_lookup(cls: type, attr: str, stop: Any = None, monkey_patched: Any = None) -> Any:
    """The class that defines ``attr``, searched up to the classes in ``stop``.

    A class of ``stop`` counts only when its attribute was patched in from a module outside ``monkey_patched``.
    """
    for node in cls.mro():
        if stop and node in stop:
            value = node.__dict__.get(attr)
            origin = getattr(value, "__module__", None)
            if origin is not None and origin not in (monkey_patched or ()):
                return node
            return None
        if attr in node.__dict__:
            return node
    return None


class FallbackContext:
    """Uses the object given, or enters a context of its own and leaves it at the end."""

    def __init__(self, provided: Any, fallback: Any, *fb_args: Any, **fb_kwargs: Any) -> None:
        self.provided, self.fallback, self.fb_args, self.fb_kwargs = provided, fallback, fb_args, fb_kwargs
        self._context: Any = None

    __class_getitem__: Any = classmethod(GenericAlias)

    def __enter__(self) -> Any:
        if self.provided is not None:
            return self.provided
        context = self.fallback(*self.fb_args, **self.fb_kwargs)
        entered = context.__enter__()
        self._context = context
        return entered

    def __exit__(self, *exc_info: Any) -> Any:
        if self._context is not None:
            return self._context.__exit__(*exc_info)
        return None


class getitem_property:
    """An attribute that is an item of the object, or of an item: ``getitem_property('options.link')``."""

    def __init__(self, keypath: str, doc: str | None = None) -> None:
        path, _, self.key = keypath.rpartition(".")
        self.path = path.split(".") if path else None
        self.__doc__ = doc

    def _owner(self, obj: Any) -> Any:
        return reduce(lambda item, key: item[key], self.path, obj) if self.path else obj

    def __get__(self, obj: Any, type: Any = None) -> Any:
        return type if obj is None else self._owner(obj).get(self.key)

    def __set__(self, obj: Any, value: Any) -> None:
        self._owner(obj)[self.key] = value
