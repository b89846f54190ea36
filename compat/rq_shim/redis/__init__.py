"""A stand-in for the package `redis`, for programs that import it only to name a server for RQ.

Served as `redis` by `install("rq", redis=True)`. What it offers is the connection of `connections`; it is no client of
any server.
"""

from __future__ import annotations

from ..connections import (
    ConnectionPool,
    Redis,
    SSLConnection,
    StrictRedis,
    UnixDomainSocketConnection,
    from_url,
)
from ..connections import SocketConnection as Connection
from . import client, connection, exceptions, sentinel, utils
from .exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,
    DataError,
    InvalidResponse,
    PubSubError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
    WatchError,
)
from .sentinel import Sentinel

BlockingConnectionPool = ConnectionPool

__version__ = "5.0.0"
VERSION = (5, 0, 0)

__all__ = [
    "AuthenticationError",
    "BlockingConnectionPool",
    "BusyLoadingError",
    "Connection",
    "ConnectionError",
    "ConnectionPool",
    "DataError",
    "InvalidResponse",
    "PubSubError",
    "ReadOnlyError",
    "Redis",
    "RedisError",
    "ResponseError",
    "SSLConnection",
    "Sentinel",
    "StrictRedis",
    "TimeoutError",
    "UnixDomainSocketConnection",
    "WatchError",
    "client",
    "connection",
    "exceptions",
    "from_url",
    "sentinel",
    "utils",
]
