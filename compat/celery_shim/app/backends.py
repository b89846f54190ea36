"""Result stores by name or URL.

What is not installed here is said to be so: a store that silently forgot results would be worse.
"""

from __future__ import annotations

import types
from typing import Any

from .._state import current_app
from ..exceptions import ImproperlyConfigured
from ..utils.imports import load_extension_class_names, symbol_by_name

__all__ = ("by_name", "by_url")

UNKNOWN_BACKEND = "Unknown result backend: {0!r}.  Did you spell that correctly? ({1!r})"

_B = "celery.backends."
BACKEND_ALIASES = {
    "cache": _B + "cache:CacheBackend",
    "database": _B + "database:DatabaseBackend",
    "db": _B + "database:DatabaseBackend",
    "disabled": _B + "base:DisabledBackend",
    "file": _B + "filesystem:FilesystemBackend",
    "rpc": _B + "local:LocalBackend",
    "memory": _B + "local:LocalBackend",
    "redis": _B + "redis:RedisBackend",
    "rediss": _B + "redis:RedisBackend",
    "sentinel": _B + "redis:SentinelBackend",
}
#: Celery's other stores: known by name, not provided.
_ELSEWHERE = frozenset(
    (
        "mongodb",
        "elasticsearch",
        "cassandra",
        "couchbase",
        "couchdb",
        "cosmosdbsql",
        "riak",
        "consul",
        "dynamodb",
        "azureblockblob",
        "arangodb",
        "s3",
        "gs",
    )
)


def by_name(backend: Any = None, loader: Any = None, extension_namespace: str = "celery.result_backends") -> Any:
    """The class of a result store by its alias or dotted name."""
    backend = backend or "disabled"
    loader = loader or current_app.loader
    aliases = {**BACKEND_ALIASES, **loader.override_backends, **dict(load_extension_class_names(extension_namespace))}
    if isinstance(backend, str) and backend in _ELSEWHERE and backend not in aliases:
        raise ImproperlyConfigured(
            f"The result backend {backend!r} is not provided. Results are kept in this process when "
            "result_backend is unset or 'memory://'; other stores can be named by their class."
        )
    try:
        cls = symbol_by_name(backend, aliases)
    except ValueError as exc:
        raise ImproperlyConfigured(UNKNOWN_BACKEND.format(backend, exc)) from exc
    if isinstance(cls, types.ModuleType):
        raise ImproperlyConfigured(UNKNOWN_BACKEND.format(backend, "is a Python module, not a backend class."))
    return cls


def by_url(backend: Any = None, loader: Any = None) -> tuple[Any, str | None]:
    """The class and the URL: ``alias://…`` or ``alias+url://…``."""
    url = None
    if isinstance(backend, str) and "://" in backend:
        url = backend
        backend, _, _ = url.partition("://")
        if "+" in backend:
            backend, url = url.split("+", 1)
    return by_name(backend, loader), url
