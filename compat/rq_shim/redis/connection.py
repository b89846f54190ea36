"""`redis.connection`: the names that programs import from there."""

from __future__ import annotations

from ..connections import ConnectionPool, SSLConnection, UnixDomainSocketConnection
from ..connections import SocketConnection as Connection

BlockingConnectionPool = ConnectionPool

__all__ = ["BlockingConnectionPool", "Connection", "ConnectionPool", "SSLConnection", "UnixDomainSocketConnection"]
