"""Helpers. Each module is independent; names that Celery has here are loaded from them on first use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .lean import cached_property, uuid

gen_unique_id = uuid

__all__ = (
    "LOG_LEVELS",
    "cached_property",
    "chunks",
    "gen_task_name",
    "gen_unique_id",
    "get_cls_by_name",
    "get_full_cls_name",
    "import_from_cwd",
    "instantiate",
    "memoize",
    "nodename",
    "nodesplit",
    "noop",
    "uuid",
    "worker_direct",
)

_ORIGINS = {
    "chunks": ("functional", "chunks"),
    "memoize": ("functional", "memoize"),
    "noop": ("functional", "noop"),
    "gen_task_name": ("imports", "gen_task_name"),
    "import_from_cwd": ("imports", "import_from_cwd"),
    "instantiate": ("imports", "instantiate"),
    "get_full_cls_name": ("imports", "qualname"),
    "get_cls_by_name": ("imports", "symbol_by_name"),
    "LOG_LEVELS": ("log", "LOG_LEVELS"),
    "nodename": ("nodenames", "nodename"),
    "nodesplit": ("nodenames", "nodesplit"),
    "worker_direct": ("nodenames", "worker_direct"),
}


def __getattr__(name: str) -> Any:
    try:
        module, attribute = _ORIGINS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(import_module("." + module, __name__), attribute)
    globals()[name] = value
    return value
