"""`redis.sentinel`: a service name stands for a store like a host does."""

from __future__ import annotations

from typing import Any

from ..connections import ConnectionPool, Redis

__all__ = ["Sentinel", "SentinelConnectionPool"]

SentinelConnectionPool = ConnectionPool


class Sentinel:
    """Gives the same store for master and replica of a service."""

    def __init__(
        self, sentinels: Any = (), min_other_sentinels: int = 0, sentinel_kwargs: Any = None, **options: Any
    ) -> None:
        self.sentinels = sentinels
        self.connection_kwargs = options

    def master_for(self, service_name: str, redis_class: Any = Redis, **options: Any) -> Any:
        given = {**self.connection_kwargs, **options, "service_name": service_name}
        return redis_class(connection_pool=ConnectionPool(**given))

    slave_for = master_for
