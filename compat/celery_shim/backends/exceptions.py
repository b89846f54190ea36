"""Exceptions as stored data and back.

A stored exception names its class; it is rebuilt from a module that is already imported, never by importing one.
Our exceptions are written and read under Celery's module name, so that results can be exchanged with real workers.
"""

from __future__ import annotations

import sys
from typing import Any

from ..exceptions import SecurityError
from ..utils.serialization import create_exception_cls, ensure_serializable

__all__ = ("describe", "rebuild")

_SHIM = __name__.rpartition(".backends.")[0]


def _public(module: str) -> str:
    if module == _SHIM or module.startswith(_SHIM + "."):
        return "celery" + module[len(_SHIM) :]
    return module


def _own(module: str) -> str:
    if module == "celery" or module.startswith("celery."):
        return _SHIM + module[6:]
    return module


def describe(exc: BaseException, encode: Any) -> dict[str, Any]:
    """The exception as data."""
    kind = type(exc)
    return {
        "exc_type": getattr(kind, "__qualname__", kind.__name__),
        "exc_message": ensure_serializable(exc.args, encode),
        "exc_module": _public(kind.__module__),
    }


def _find_class(name: str, module: str | None) -> Any:
    if module is None:
        return create_exception_cls(name, __name__)
    try:
        found: Any = sys.modules[_own(module)]
        for part in name.split("."):
            found = getattr(found, part)
    except (KeyError, AttributeError):
        return create_exception_cls(name, "celery.exceptions")
    return found


def rebuild(data: Any) -> BaseException:
    """The exception that ``describe`` described."""
    if not isinstance(data, dict):
        try:
            data = dict(data)
        except TypeError as exc:
            raise TypeError(
                "If the stored exception isn't an instance of BaseException, it must be a dictionary.\n"
                f"Instead got: {data}"
            ) from exc
    if "exc_type" not in data:
        raise ValueError("Exception information must include the exception type")
    name, module, message = data["exc_type"], data.get("exc_module"), data.get("exc_message", "")
    cls = _find_class(name, module)
    if not isinstance(cls, type) or not issubclass(cls, BaseException):
        # whoever can write results must not be able to have anything else called
        shown = name if module is None else f"{module}.{name}"
        raise SecurityError(f"Expected an exception class, got {shown} with payload {message}")
    try:
        return cls(*message) if isinstance(message, (tuple, list)) else cls(message)
    except Exception:
        return Exception(f"{cls}({message})")
