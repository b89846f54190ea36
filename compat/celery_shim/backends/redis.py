"""``result_backend='redis://…'``: accepted, and kept in this process. Nothing connects."""

from __future__ import annotations

from .local import LocalBackend

__all__ = ("RedisBackend", "SentinelBackend")


class RedisBackend(LocalBackend):
    """Results in memory under the name of Redis."""


class SentinelBackend(RedisBackend):
    """The same."""
