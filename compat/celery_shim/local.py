"""Stand-ins for objects that are looked up later: ``Proxy`` (at every use) and ``PromiseProxy`` (once).

It does not know what it stands for; apps, tasks and registries are found by the function that the proxy is given.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable
from importlib import import_module
from types import FunctionType, GenericAlias
from typing import Any

__all__ = ("PromiseProxy", "Proxy", "class_property", "maybe_evaluate", "try_import")

_get = object.__getattribute__
_set = object.__setattr__
_del = object.__delattr__
_MODULE = __name__


def try_import(module: str, default: Any = None) -> Any:
    """Import a module by name, or give ``default`` when it cannot be imported."""
    try:
        return import_module(module)
    except ImportError:
        return default


def maybe_evaluate(obj: Any) -> Any:
    """The object behind a promise, or the object itself."""
    try:
        return obj.__maybe_evaluate__()
    except AttributeError:
        return obj


def _class_text(getter: Callable[[Any], Any], text: str) -> Any:
    """A descriptor that is a plain string on the class (introspection needs one) and computed on instances."""

    class ClassText(str):
        def __get__(self, obj: Any, owner: Any = None) -> Any:
            return self if obj is None else getter(obj)

    return ClassText(text)


def _named(attribute: str) -> Callable[[Any], Any]:
    def getter(self: Any) -> Any:
        try:
            return _get(self, "__custom_name__")
        except AttributeError:
            return getattr(self._get_current_object(), attribute)

    return getter


class Proxy:
    # Forwards every operation to what ``local(*args, **kwargs)`` returns now; __doc__ below is computed.
    __slots__ = ("__args", "__dict__", "__kwargs", "__local")

    # strings on the class, where introspection wants them, and looked up on instances
    __name__ = _class_text(_named("__name__"), "Proxy")
    __qualname__ = _class_text(_named("__qualname__"), "Proxy")
    __module__ = _class_text(lambda self: self._get_current_object().__module__, _MODULE)
    __doc__ = _class_text(lambda self: self._get_current_object().__doc__, "Forwards to another object.")

    def __init__(
        self,
        local: Any,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        name: str | None = None,
        __doc__: str | None = None,
    ) -> None:
        _set(self, "_Proxy__local", local)
        _set(self, "_Proxy__args", args or ())
        _set(self, "_Proxy__kwargs", kwargs or {})
        if name is not None:
            _set(self, "__custom_name__", name)
        if __doc__ is not None:
            _set(self, "__doc__", __doc__)

    def _get_class(self) -> type:
        return self._get_current_object().__class__

    @property
    def __class__(self) -> Any:
        return self._get_class()

    @__class__.setter
    def __class__(self, value: Any) -> None:
        self._get_current_object().__class__ = value

    def _get_current_object(self) -> Any:
        local = _get(self, "_Proxy__local")
        if hasattr(local, "__release_local__"):
            try:
                return getattr(local, self.__name__)
            except AttributeError:
                raise RuntimeError(f"no object bound to {self.__name__}") from None
        return local(*_get(self, "_Proxy__args"), **_get(self, "_Proxy__kwargs"))

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        try:
            return self._get_current_object().__dict__
        except RuntimeError:
            raise AttributeError("__dict__") from None

    def __repr__(self) -> str:
        try:
            obj = self._get_current_object()
        except RuntimeError:
            return f"<{type(self).__name__} unbound>"
        return repr(obj)

    def __bool__(self) -> bool:
        try:
            return bool(self._get_current_object())
        except RuntimeError:
            return False

    __nonzero__ = __bool__

    def __dir__(self) -> list[str]:
        try:
            return dir(self._get_current_object())
        except RuntimeError:
            return []

    def __getattr__(self, name: str) -> Any:
        if name == "__members__":
            return dir(self._get_current_object())
        return getattr(self._get_current_object(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._get_current_object(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._get_current_object(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._get_current_object()(*args, **kwargs)

    def __reduce__(self) -> Any:
        return self._get_current_object().__reduce__()


def _forward_operator(name: str, operation: Callable[..., Any]) -> None:
    def forward(self: Any, *others: Any) -> Any:
        return operation(self._get_current_object(), *others)

    forward.__name__ = name
    setattr(Proxy, name, forward)


def _forward_method(name: str) -> None:
    def forward(self: Any, *args: Any) -> Any:
        return getattr(self._get_current_object(), name)(*args)

    forward.__name__ = name
    setattr(Proxy, name, forward)


_OPERATORS: dict[str, Callable[..., Any]] = {
    "__str__": str,
    "__hash__": hash,
    "__len__": len,
    "__iter__": iter,
    "__divmod__": divmod,
    "__complex__": complex,
    "__int__": int,
    "__float__": float,
    "__pow__": pow,
    "__abs__": abs,
    "__lt__": operator.lt,
    "__le__": operator.le,
    "__eq__": operator.eq,
    "__ne__": operator.ne,
    "__gt__": operator.gt,
    "__ge__": operator.ge,
    "__getitem__": operator.getitem,
    "__setitem__": operator.setitem,
    "__delitem__": operator.delitem,
    "__contains__": operator.contains,
    "__add__": operator.add,
    "__sub__": operator.sub,
    "__mul__": operator.mul,
    "__floordiv__": operator.floordiv,
    "__mod__": operator.mod,
    "__lshift__": operator.lshift,
    "__rshift__": operator.rshift,
    "__and__": operator.and_,
    "__xor__": operator.xor,
    "__or__": operator.or_,
    "__truediv__": operator.truediv,
    "__neg__": operator.neg,
    "__pos__": operator.pos,
    "__invert__": operator.invert,
    "__oct__": oct,
    "__hex__": hex,
}
for _name, _operation in _OPERATORS.items():
    _forward_operator(_name, _operation)
for _name in ("__index__", "__coerce__", "__div__", "__enter__", "__exit__"):
    _forward_method(_name)


class PromiseProxy(Proxy):
    """A proxy that calls its function once, at the first use, and remembers what it got.

    ``__then__`` registers work for the moment of evaluation, or does it at once when that moment is over.
    """

    __slots__ = ("__pending__", "__weakref__")

    def _get_current_object(self) -> Any:
        try:
            return _get(self, "__thing")
        except AttributeError:
            return self.__evaluate__()

    def __then__(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.__evaluated__():
            return fun(*args, **kwargs)
        try:
            pending = _get(self, "__pending__")
        except AttributeError:
            pending = deque()
            _set(self, "__pending__", pending)
        pending.append((fun, args, kwargs))
        return None

    def __evaluated__(self) -> bool:
        try:
            _get(self, "__thing")
        except AttributeError:
            return False
        return True

    def __maybe_evaluate__(self) -> Any:
        return self._get_current_object()

    def __evaluate__(self, _clean: tuple[str, ...] = ("_Proxy__local", "_Proxy__args", "_Proxy__kwargs")) -> Any:
        try:
            thing = Proxy._get_current_object(self)
        except AttributeError:
            if self.__evaluated__():  # by another thread, which has cleaned up already
                return _get(self, "__thing")
            raise
        _set(self, "__thing", thing)
        for attribute in _clean:
            try:
                _del(self, attribute)
            except AttributeError:
                continue
        try:
            pending = _get(self, "__pending__")
        except AttributeError:
            return thing
        try:
            while pending:
                fun, args, kwargs = pending.popleft()
                fun(*args, **kwargs)
        finally:
            try:
                _del(self, "__pending__")
            except AttributeError:
                pass
        return thing


def _of_class(function: Any) -> Any:
    return function if function is None or isinstance(function, classmethod) else classmethod(function)


class class_property:
    """A property of a class: the getter and the setter get the class."""

    def __init__(self, getter: Any = None, setter: Any = None) -> None:
        self.__get = _of_class(getter)
        self.__set = _of_class(setter)
        info = self.__get.__get__(object)
        function = getattr(self.__get, "__func__", None)
        self.__function = function if isinstance(function, FunctionType) else None
        self.__doc__, self.__name__, self.__module__ = info.__doc__, info.__name__, info.__module__

    __class_getitem__: Any = classmethod(GenericAlias)

    def __get__(self, obj: Any, type: Any = None) -> Any:
        if obj and type is None:
            type = obj.__class__
        if self.__function is not None and type is not None:
            return self.__function(type)
        return self.__get.__get__(obj, type)()

    def __set__(self, obj: Any, value: Any) -> Any:
        if obj is None:
            return self
        return self.__set.__get__(obj)(value)

    def setter(self, setter: Any) -> Any:
        return self.__class__(self.__get, setter)
