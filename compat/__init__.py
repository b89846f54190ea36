"""Celery and RQ over brokerless: ``install()`` makes ``import celery`` and ``import rq`` resolve to the shims.

Importing this package loads neither of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .alias import AlreadyImported, install, installed, uninstall

__all__ = ["AlreadyImported", "install", "installed", "uninstall"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import alias

    return getattr(alias, name)
