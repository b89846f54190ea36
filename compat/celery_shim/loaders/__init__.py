"""How the configuration and the modules of an app are found."""

from __future__ import annotations

from typing import Any

from ..utils.imports import import_from_cwd, symbol_by_name

__all__ = ("get_loader_cls",)

LOADER_ALIASES = {"app": "celery.loaders.app:AppLoader", "default": "celery.loaders.default:Loader"}


def get_loader_cls(loader: Any) -> Any:
    """A loader class by alias or dotted name."""
    return symbol_by_name(loader, LOADER_ALIASES, imp=import_from_cwd)
