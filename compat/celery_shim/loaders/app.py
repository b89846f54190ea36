"""The loader of apps that are configured in code."""

from __future__ import annotations

from .base import BaseLoader

__all__ = ("AppLoader",)


class AppLoader(BaseLoader):
    """Reads nothing by itself."""
