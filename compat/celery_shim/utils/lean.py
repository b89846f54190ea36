"""The few helpers of kombu's that every program needs, without kombu: loading any of its modules takes longer than
all of this package.

They behave as kombu's do. Names that users import (`LRUCache`, `memoize`, `lazy` …) are kombu's own, found on first
use by the modules that offer them, and so are all of its classes and exceptions.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import RLock
from types import FunctionType
from typing import TYPE_CHECKING, Any

__all__ = (
    "LOG_LEVELS",
    "borrow",
    "bytes_to_str",
    "cached_property",
    "dictfilter",
    "ensure_bytes",
    "exception_info",
    "fxrange",
    "get_logger",
    "is_coroutine_function",
    "is_instance",
    "is_list",
    "kombu_errors",
    "limit_errors",
    "maybe_evaluate",
    "maybe_list",
    "reprcall",
    "safe_repr",
    "safe_str",
    "str_to_bytes",
    "uuid",
)

_UNSET: Any = object()

#: Levels by name and names by level.
LOG_LEVELS: dict[Any, Any] = {**logging._nameToLevel, **logging._levelToName, "FATAL": logging.FATAL}


def borrow(namespace: dict[str, Any], origins: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's `__getattr__` for names that other modules define: `origins` says which, each is loaded on first use.

    `namespace` is the module's `globals()`; a name that was found stays there.
    """

    def find(name: str) -> Any:
        origin = origins.get(name)
        if origin is None:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        __import__(origin)
        value = namespace[name] = getattr(sys.modules[origin], name)
        return value

    return find


if TYPE_CHECKING:
    from kombu.utils.objects import cached_property
else:

    class cached_property(functools.cached_property):
        """A value that is computed once per object, and can be set and deleted.

        Whoever computes holds the lock of the property, so that two threads never compute one value twice.
        """

        def __init__(self, fget=None, fset=None, fdel=None):
            super().__init__(fget)
            self._fset, self._fdel = fset, fdel
            self.lock = RLock()

        def __get__(self, instance, owner=None):
            if instance is None:
                return self
            value = instance.__dict__.get(self.attrname, _UNSET)
            if value is not _UNSET:
                return value
            with self.lock:
                return super().__get__(instance, owner)

        def __set__(self, instance, value):
            if instance is None:
                return self
            with self.lock:
                instance.__dict__[self.attrname] = value if self._fset is None else self._fset(instance, value)

        def __delete__(self, instance):
            if instance is None:
                return self
            with self.lock:
                kept = instance.__dict__
                if self.attrname in kept:
                    value = kept.pop(self.attrname)
                    if self._fdel is not None:
                        self._fdel(instance, value)

        def setter(self, fset):
            return type(self)(self.func, fset, self._fdel)

        def deleter(self, fdel):
            return type(self)(self.func, self._fset, fdel)


def kombu_errors() -> Any:
    """The module ``kombu.exceptions``: an ``except`` clause that names it loads it when something was raised."""
    import kombu.exceptions

    return kombu.exceptions


def limit_errors() -> Any:
    """The module ``billiard.exceptions``: limits, lost workers."""
    import billiard.exceptions

    return billiard.exceptions


def exception_info(*args: Any, **options: Any) -> Any:
    """billiard's ``ExceptionInfo``, of the exception that is being handled unless told otherwise."""
    from billiard.einfo import ExceptionInfo

    return ExceptionInfo(*args, **options)


def is_instance(value: Any, module: str, name: str) -> bool:
    """``isinstance`` with a class of a module that may not be loaded: then there are no instances of it."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name, ()))


def is_coroutine_function(function: Any) -> bool:
    """What ``inspect.iscoroutinefunction`` says, which is loaded only for what is no plain function."""
    bare = getattr(function, "__func__", function)
    if type(bare) is FunctionType and not bare.__dict__:
        return bool(bare.__code__.co_flags & 0x80)
    import inspect

    return inspect.iscoroutinefunction(function)


def is_list(obj: Any, scalars: Any = (Mapping, str), iters: Any = (Iterable,)) -> bool:
    """True for what can be walked over and is neither text nor a mapping."""
    return isinstance(obj, iters) and not isinstance(obj, scalars or ())


def maybe_list(obj: Any, scalars: Any = (Mapping, str)) -> Any:
    """The object in a list unless it is one, or None."""
    return obj if obj is None or is_list(obj, scalars) else [obj]


def maybe_evaluate(value: Any) -> Any:
    """The value of a kombu ``lazy``; anything else as it is."""
    functional = sys.modules.get("kombu.utils.functional")
    return value if functional is None else functional.maybe_evaluate(value)


def dictfilter(d: Any = None, **more: Any) -> dict[Any, Any]:
    """A new dictionary without the values that are None."""
    return {key: value for key, value in {**(d or {}), **more}.items() if value is not None}


def fxrange(
    start: float = 1.0, stop: float | None = None, step: float = 1.0, repeatlast: bool = False
) -> Iterator[float]:
    """Numbers from ``start`` up to and with ``stop``, which is repeated for ever if so wanted."""
    value = float(start)
    while not stop or value <= stop:
        yield value
        value += step
    while repeatlast:
        yield value - step


def bytes_to_str(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def str_to_bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


ensure_bytes = str_to_bytes


def safe_str(value: Any, errors: str = "replace") -> str:
    """Text for anything: what is not text as its repr."""
    text: str = bytes_to_str(value)
    return text if isinstance(text, str) else safe_repr(value)


def safe_repr(value: Any, errors: str = "replace") -> str:
    """``repr()`` that never raises."""
    try:
        return repr(value)
    except Exception:
        from kombu.utils.encoding import safe_repr as describe

        said: str = describe(value)
        return said


def reprcall(name: Any, args: Any = (), kwargs: Any = None, sep: str = ", ") -> str:
    """The text of a call."""
    shown = [safe_repr(value) for value in args or ()]
    shown += [f"{key}={safe_repr(value)}" for key, value in (kwargs or {}).items()]
    return f"{name}({sep.join(shown)})"


def uuid(_uuid: Callable[[], Any] | None = None) -> str:
    """The text of a random UUID."""
    if _uuid is None:
        from uuid import uuid4

        _uuid = uuid4
    return str(_uuid())


def get_logger(name: Any) -> logging.Logger:
    """The logger of that name, or the one given; never without a handler, so that nothing falls back to stderr."""
    logger: logging.Logger = logging.getLogger(name) if isinstance(name, str) else name
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
