"""`redis.client`: the names that programs import from there."""

from __future__ import annotations

from ..connections import Pipeline, Redis, StrictRedis
from ..runtime.channels import PubSub, PubSubWorkerThread

__all__ = ["Pipeline", "PubSub", "PubSubWorkerThread", "Redis", "StrictRedis"]
