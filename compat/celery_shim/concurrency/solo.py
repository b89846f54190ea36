"""``solo``: accepted as the name of a pool. Tasks run on the engine's threads, one of them."""

from __future__ import annotations

from .thread import TaskPool

__all__ = ("TaskPool",)
