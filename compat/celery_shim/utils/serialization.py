"""Exceptions that must travel, and values that must become JSON.

Arguments and results of tasks are serialised by kombu; this is for what kombu does not do.
"""

from __future__ import annotations

import datetime
import numbers
import pickle
import sys
from base64 import b64decode as base64decode
from base64 import b64encode as base64encode
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import takewhile
from typing import Any

from .lean import bytes_to_str, safe_repr, str_to_bytes

__all__ = (
    "UnpickleableExceptionWrapper",
    "create_exception_cls",
    "find_pickleable_exception",
    "get_pickleable_etype",
    "get_pickleable_exception",
    "get_pickled_exception",
    "strtobool",
    "subclass_exception",
)

unwanted_base_classes = (Exception, BaseException, object)

STRTOBOOL_DEFAULT_TABLE = {
    **dict.fromkeys(("false", "no", "0", "off"), False),
    **dict.fromkeys(("true", "yes", "1", "on"), True),
}


def subclass_exception(name: str, parent: type, module: str) -> type:
    return type(name, (parent,), {"__module__": module})


def create_exception_cls(name: str, module: str, parent: type | None = None) -> type:
    """A class that stands for an exception whose own class cannot be found."""
    return subclass_exception(name, parent or Exception, module)


def itermro(cls: type, stop: Iterable[type]) -> Iterator[type]:
    return takewhile(lambda base: base not in stop, cls.__mro__)


def find_pickleable_exception(
    exc: BaseException, loads: Callable[[bytes], Any] = pickle.loads, dumps: Callable[[Any], bytes] = pickle.dumps
) -> Any:
    """The same arguments under the nearest base class that survives pickling; None if there is none."""
    arguments = getattr(exc, "args", [])
    for base in itermro(type(exc), unwanted_base_classes):
        try:
            candidate = base(*arguments)
            loads(dumps(candidate))
        except Exception:
            continue
        return candidate
    return None


def ensure_serializable(items: Iterable[Any], encoder: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The items, with the repr in place of those that ``encoder`` refuses."""
    safe = []
    for item in items:
        try:
            encoder(item)
        except Exception:
            item = safe_repr(item)
        safe.append(item)
    return tuple(safe)


def _pickle_round_trip(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


class UnpickleableExceptionWrapper(Exception):
    """Stands for an exception that cannot be pickled: its class's name, its arguments, its repr."""

    exc_module: str | None = None
    exc_cls_name: str | None = None
    exc_args: Any = None

    def __init__(self, exc_module: Any, exc_cls_name: Any, exc_args: Any, text: Any = None) -> None:
        self.exc_module, self.exc_cls_name, self.text = exc_module, exc_cls_name, text
        self.exc_args = ensure_serializable(exc_args, _pickle_round_trip)
        super().__init__(exc_module, exc_cls_name, self.exc_args, text)

    def restore(self) -> BaseException:
        return create_exception_cls(self.exc_cls_name, self.exc_module)(*self.exc_args)  # type: ignore

    def __str__(self) -> str:
        return self.text

    @classmethod
    def from_exception(cls, exc: BaseException) -> UnpickleableExceptionWrapper:
        kind = type(exc)
        made = cls(kind.__module__, kind.__name__, getattr(exc, "args", []), safe_repr(exc))
        return made.with_traceback(getattr(exc, "__traceback__", None))


def get_pickleable_exception(exc: Any) -> Any:
    """The exception, or what stands for it in a pickle."""
    if exc is None:
        return exc
    try:
        pickle.loads(pickle.dumps(exc))
    except Exception:
        return find_pickleable_exception(exc) or UnpickleableExceptionWrapper.from_exception(exc)
    return exc


def get_pickleable_etype(
    cls: type, loads: Callable[[bytes], Any] = pickle.loads, dumps: Callable[[Any], bytes] = pickle.dumps
) -> type:
    try:
        loads(dumps(cls))
    except Exception:
        return Exception
    return cls


def get_pickled_exception(exc: Any) -> Any:
    return exc.restore() if isinstance(exc, UnpickleableExceptionWrapper) else exc


def b64encode(s: Any) -> str:
    return bytes_to_str(base64encode(str_to_bytes(s)))


def b64decode(s: Any) -> bytes:
    return base64decode(str_to_bytes(s))


def strtobool(term: Any, table: dict[str, bool] | None = None) -> Any:
    """``'yes'``, ``'0'``, ``'off'`` … as a bool; anything but text as it is."""
    if not isinstance(term, str):
        return term
    try:
        return (STRTOBOOL_DEFAULT_TABLE if table is None else table)[term.lower()]
    except KeyError:
        raise TypeError(f"Cannot coerce {term!r} to type bool") from None


def _date_text(value: Any) -> str:
    """ISO text with milliseconds at most, and ``Z`` for UTC."""
    text: str = value.isoformat()
    if isinstance(value, datetime.datetime):
        if value.microsecond:
            text = text[:23] + text[26:]
        return text[:-6] + "Z" if text.endswith("+00:00") else text
    if isinstance(value, datetime.time) and value.microsecond:
        return text[:12]
    return text


def jsonify(
    obj: Any,
    builtin_types: Any = (numbers.Real, str),
    key: Any = None,
    keyfilter: Callable[[Any], Any] | None = None,
    unknown_type_filter: Callable[[Any], Any] | None = None,
) -> Any:
    """A copy that JSON can hold."""
    if obj is None or isinstance(obj, builtin_types):
        return obj
    from kombu.abstract import Object

    again = partial(jsonify, builtin_types=builtin_types, keyfilter=keyfilter, unknown_type_filter=unknown_type_filter)
    if isinstance(obj, Object):
        obj = obj.as_dict(recurse=True)
        if obj is None or isinstance(obj, builtin_types):
            return obj
    if isinstance(obj, (tuple, list)):
        return [again(value, key=key) for value in obj]
    if isinstance(obj, dict):
        return {k: again(v, key=k) for k, v in obj.items() if keyfilter is None or keyfilter(k)}
    if isinstance(obj, (datetime.date, datetime.time)):
        return _date_text(obj)
    if isinstance(obj, datetime.timedelta):
        return str(obj)
    if unknown_type_filter is None:
        raise ValueError(f"Unsupported type: {type(obj)!r} {obj!r} (parent: {key})")
    return unknown_type_filter(obj)


def raise_with_context(exc: BaseException) -> Any:
    """Raise ``exc`` from the exception that is being handled, if any."""
    handled = sys.exc_info()[1]
    if handled is None:
        raise exc
    if handled is exc:
        raise
    raise exc from handled
