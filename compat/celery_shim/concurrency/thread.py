"""The pool of threads: the engine's."""

from __future__ import annotations

from .base import BasePool

__all__ = ("TaskPool",)


class TaskPool(BasePool):
    """Names the engine's threads where Celery wants a pool class."""

    signal_safe = False
