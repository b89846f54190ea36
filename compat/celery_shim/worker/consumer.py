"""``worker.consumer.Consumer``: what takes messages for a worker. It is in ``runtime.consumer``."""

from __future__ import annotations

from ..runtime.consumer import Consumer

__all__ = ("Consumer",)
