"""``WorkController``: a worker inside this process. It owns a pool of threads and reads queues of its app."""

from __future__ import annotations

from .worker import WorkController

__all__ = ("WorkController",)
