"""What counts as a task or a signature: abstract classes that recognise by attributes, not by inheritance."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from typing import Any

__all__ = ("CallableSignature", "CallableTask")


def _has_all(cls: type, attributes: frozenset[str]) -> bool:
    return all(any(name in base.__dict__ for base in cls.__mro__) for name in attributes)


class _ByAttributes(metaclass=ABCMeta):  # noqa: B024 - its subclasses have the abstract methods
    __required_attributes__: frozenset[str] = frozenset()

    @classmethod
    def _subclasshook_using(cls, parent: type, candidate: type) -> Any:
        if cls is parent and _has_all(candidate, cls.__required_attributes__):
            return True
        return NotImplemented

    @classmethod
    def register(cls, other: type) -> type:
        """Register as a virtual subclass; usable as a decorator."""
        type(cls).register(cls, other)
        return other


class CallableTask(_ByAttributes, Callable):  # type: ignore[misc]
    """Anything that can be called and has the ways of calling a task."""

    __required_attributes__ = frozenset({"delay", "apply_async", "apply"})

    @abstractmethod
    def delay(self, *args: Any, **kwargs: Any) -> Any: ...

    @abstractmethod
    def apply_async(self, *args: Any, **kwargs: Any) -> Any: ...

    @abstractmethod
    def apply(self, *args: Any, **kwargs: Any) -> Any: ...

    @classmethod
    def __subclasshook__(cls, candidate: type) -> Any:
        return cls._subclasshook_using(CallableTask, candidate)


class CallableSignature(CallableTask):
    """A task with its arguments and options."""

    __required_attributes__ = frozenset({"clone", "freeze", "set", "link", "link_error", "__or__"})

    @classmethod
    def __subclasshook__(cls, candidate: type) -> Any:
        return cls._subclasshook_using(CallableSignature, candidate)


def _abstract(name: str, as_property: bool) -> Any:
    def member(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(name)

    member.__name__ = name
    return property(abstractmethod(member)) if as_property else abstractmethod(member)


_PROPERTIES = (
    "name",
    "type",
    "app",
    "id",
    "task",
    "args",
    "kwargs",
    "options",
    "subtask_type",
    "chord_size",
    "immutable",
)
_METHODS = ("clone", "freeze", "set", "link", "link_error", "__or__", "__invert__")
for _name in _PROPERTIES + _METHODS:
    setattr(CallableSignature, _name, _abstract(_name, _name in _PROPERTIES))
CallableSignature.__abstractmethods__ |= frozenset(_PROPERTIES + _METHODS)
