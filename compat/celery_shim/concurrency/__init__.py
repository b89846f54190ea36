"""Celery's pools by name. All of them are threads of the engine here, except those that cannot be."""

from __future__ import annotations

from typing import Any

from ..exceptions import ImproperlyConfigured

__all__ = ("get_available_pool_names", "get_implementation")

ALIASES = {
    "prefork": "celery.concurrency.thread:TaskPool",
    "solo": "celery.concurrency.thread:TaskPool",
    "threads": "celery.concurrency.thread:TaskPool",
    "processes": "celery.concurrency.thread:TaskPool",
}


def get_available_pool_names() -> tuple[str, ...]:
    return tuple(ALIASES)


def get_implementation(cls: Any) -> Any:
    from ..utils.imports import symbol_by_name

    if cls in ("eventlet", "gevent"):
        raise ImproperlyConfigured(f"The pool {cls!r} is not supported, use threads")
    return symbol_by_name(cls, ALIASES)
