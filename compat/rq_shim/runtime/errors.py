"""The exceptions of redis-py, by name and order of inheritance, for programs that catch them."""

from __future__ import annotations


class RedisError(Exception):
    """Base of all others."""


class ConnectionError(RedisError):
    """Never raised here: there is no server to lose."""


class TimeoutError(RedisError):
    """Never raised here."""


class AuthenticationError(ConnectionError):
    """Never raised here."""


class BusyLoadingError(ConnectionError):
    """Never raised here."""


class InvalidResponse(RedisError):
    """Never raised here."""


class ResponseError(RedisError):
    """The command does not fit the key or its arguments."""


class DataError(RedisError):
    """A value that cannot be stored."""


class PubSubError(RedisError):
    """A subscription that is used the wrong way."""


class WatchError(RedisError):
    """A watched key changed before `execute`."""


class NoScriptError(ResponseError):
    """Never raised here."""


class ReadOnlyError(ResponseError):
    """Never raised here."""


class LockError(RedisError, ValueError):
    """A lock that is not held."""


class LockNotOwnedError(LockError):
    """A lock that somebody else holds."""
