"""Connections. `Redis` here is a stand-in: it names a store of this process and never opens a socket.

It takes every argument that redis-py takes; host, port, database and path say which store it is, the rest is kept for
who asks. Two connections with the same names see the same jobs and keys. Beside the handle it is a small key-value
store, for callbacks and tests. `Connection` and its friends are the implicit connection of RQ 1.x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .local import LocalStack
from .runtime.channels import PubSub
from .runtime.errors import ResponseError
from .runtime.identity import identity_of, options_of_url
from .runtime.pipeline import PipelineCommands
from .runtime.sets import SetCommands
from .runtime.store import all_stores, store_named, store_of
from .runtime.values import inward

__all__ = [
    "Connection",
    "ConnectionPool",
    "NoRedisConnectionException",
    "Pipeline",
    "Redis",
    "StrictRedis",
    "from_url",
    "get_connection_kwargs",
    "get_current_connection",
    "implicit_connection",
    "parse_connection",
    "pop_connection",
    "push_connection",
    "resolve_connection",
    "use_connection",
]


class NoRedisConnectionException(Exception):
    """There is no implicit connection."""


class SocketConnection:
    """The kind of connection that a pool says it has; nothing is ever made of it."""

    def __init__(self, **kwargs: Any) -> None:
        self.kwargs = kwargs


class SSLConnection(SocketConnection):
    """Chosen by `ssl=True` and `rediss://`."""


class UnixDomainSocketConnection(SocketConnection):
    """Chosen by a path."""


class ConnectionPool:
    """Holds a connection's options, as programs expect to find them: `connection_kwargs`, `connection_class`."""

    def __init__(
        self, connection_class: Any = SocketConnection, max_connections: int | None = None, **options: Any
    ) -> None:
        self.connection_class = connection_class
        self.max_connections = max_connections or 2**31
        self.connection_kwargs = options

    @classmethod
    def from_url(cls, url: str, **options: Any) -> ConnectionPool:
        kind: Any = SocketConnection
        if url.startswith(("rediss:", "valkeys:")):
            kind = SSLConnection
        elif url.startswith("unix:"):
            kind = UnixDomainSocketConnection
        return cls(connection_class=kind, **options_of_url(url, **options))

    def get_connection(self, *args: Any, **kwargs: Any) -> Any:
        """An object of the pool's kind; it is not connected to anything."""
        return self.connection_class(**self.connection_kwargs)

    def disconnect(self, inuse_connections: bool = True) -> None:
        """There is nothing to disconnect."""

    def close(self) -> None:
        """There is nothing to close."""

    def reset(self) -> None:
        """There is nothing to reset."""

    def get_encoder(self) -> None:
        return None


class Redis(SetCommands):
    """A handle on one store. Equal arguments, equal store."""

    def __init__(
        self,
        host: Any = "localhost",
        port: int = 6379,
        db: int = 0,
        password: str | None = None,
        socket_timeout: float | None = None,
        *args: Any,
        connection_pool: Any = None,
        unix_socket_path: str | None = None,
        decode_responses: bool = False,
        ssl: bool = False,
        **options: Any,
    ) -> None:
        if connection_pool is None:
            given = dict(options, db=db, password=password, socket_timeout=socket_timeout)
            given["decode_responses"] = decode_responses
            kind: Any = SocketConnection
            if unix_socket_path is not None:
                given["path"] = unix_socket_path
                kind = UnixDomainSocketConnection
            else:
                given.update(host=host, port=port)
                if ssl:
                    kind = SSLConnection
            connection_pool = ConnectionPool(connection_class=kind, **given)
        self.connection_pool = connection_pool
        self._decode = bool(connection_pool.connection_kwargs.get("decode_responses"))
        self._brokerless_store = self._store = store_named(identity_of(connection_pool.connection_kwargs))

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Any:
        """A connection by URL; options may be in its query too."""
        return cls(connection_pool=ConnectionPool.from_url(url, **options))

    def _adopt(self, store: Any) -> None:
        """Makes this a handle on a store that is there."""
        self.connection_pool = ConnectionPool()
        self._decode = False
        self._brokerless_store = self._store = store

    @classmethod
    def from_pool(cls, connection_pool: Any) -> Any:
        return cls(connection_pool=connection_pool)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._store.name}, in this process>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Redis) and type(other) is type(self) and other._store is self._store

    def __hash__(self) -> int:
        return hash(self._store.identity)

    def __getstate__(self) -> dict[str, Any]:
        return {"connection_pool": self.connection_pool}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(connection_pool=state["connection_pool"])  # type: ignore[misc]

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()

    def _out(self, value: str | None) -> Any:
        if value is None or self._decode:
            return value
        return value if isinstance(value, bytes) else str.encode(value, "utf-8", "surrogateescape")

    # -- the handle -------------------------------------------------------------------------------------------------

    def ping(self, **kwargs: Any) -> bool:
        return True

    def close(self) -> None:
        """Nothing to close: the store lives as long as the process."""

    def get_connection_kwargs(self) -> dict[str, Any]:
        return self.connection_pool.connection_kwargs  # type: ignore[no-any-return]

    def info(self, section: str | None = None, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {"redis_version": "7.0.0", "redis_mode": "standalone", "used_memory": 0, "db0": {"keys": self.dbsize()}}

    def time(self) -> tuple[int, int]:
        from .runtime import clock

        seconds = clock.time()
        return int(seconds), int(seconds % 1 * 1_000_000)

    def dbsize(self) -> int:
        return self._store.size()

    def flushdb(self, asynchronous: bool = False, **kwargs: Any) -> bool:
        self._store.clear()
        return True

    def flushall(self, asynchronous: bool = False, **kwargs: Any) -> bool:
        place = self._store.identity[:-1]
        for store in all_stores():
            if store.identity[:-1] == place:
                store.clear()
        return True

    def client_setname(self, name: str) -> bool:
        return True

    def client_list(self, *args: Any, **kwargs: Any) -> list[Any]:
        return []

    def client_info(self) -> dict[str, Any]:
        raise ResponseError("unknown command 'CLIENT INFO'")

    def config_get(self, pattern: str = "*", *args: Any) -> dict[str, Any]:
        return {}

    def publish(self, channel: Any, message: Any, **kwargs: Any) -> int:
        name, text = inward(channel), inward(message)
        count = self._store.publish(name, text)
        for listener in list(self._store.listeners.get("*", ())):
            listener(name, text)
        return count

    def pubsub(self, **kwargs: Any) -> PubSub:
        return PubSub(self._store, self._decode, bool(kwargs.get("ignore_subscribe_messages")))

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        return Pipeline(self)

    def transaction(
        self, func: Callable[[Any], Any], *watches: Any, value_from_callable: bool = False, **kwargs: Any
    ) -> Any:
        """Calls `func(pipeline)` and executes it, again when a watched key changed meanwhile."""
        from .runtime.errors import WatchError

        while True:
            with self.pipeline() as pipe:
                try:
                    if watches:
                        pipe.watch(*watches)
                    value = func(pipe)
                    answer = pipe.execute()
                    return value if value_from_callable else answer
                except WatchError:
                    continue

    def lock(self, name: Any, timeout: float | None = None, blocking: bool = True, **kwargs: Any) -> Any:
        from .runtime.locks import Lock

        return Lock(self, name, timeout, blocking, kwargs.get("blocking_timeout"))


StrictRedis = Redis

_HANDLE = frozenset("from_url from_pool close get_connection_kwargs pipeline pubsub transaction lock scan_iter".split())


class Pipeline(PipelineCommands, Redis):
    """Made by `Redis.pipeline()`."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self.connection_pool = client.connection_pool
        self._decode = client._decode
        self._brokerless_store = self._store = client._store
        self._begin()

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        return Pipeline(self._client)


def _waiting(name: str) -> Callable[..., Any]:
    def command(self: Pipeline, *args: Any, **kwargs: Any) -> Any:
        return self._command(getattr(self._client, name), args, kwargs)

    command.__name__ = name
    return command


for _name in {name for kind in Redis.__mro__[:-1] for name in vars(kind)}:
    if not _name.startswith("_") and _name not in _HANDLE and not hasattr(PipelineCommands, _name):
        setattr(Pipeline, _name, _waiting(_name))


def from_url(url: str, **options: Any) -> Redis:
    """A connection by URL."""
    return Redis.from_url(url, **options)  # type: ignore[no-any-return]


_RUNTIME = frozenset(
    {
        "event_dispatcher",
        "himport_registry",
        "maint_notifications_config",
        "maint_notifications_pool_handler",
        "orig_host_address",
        "orig_socket_connect_timeout",
        "orig_socket_timeout",
    }
)


def get_connection_kwargs(connection: Any) -> dict[str, Any]:
    """A copy of a connection's options, without what redis-py keeps there at run time."""
    options = connection.connection_pool.connection_kwargs
    return {name: value for name, value in options.items() if name not in _RUNTIME and type(value) is not object}


def parse_connection(connection: Any) -> tuple[Any, Any, dict[str, Any]]:
    """(class, class of its pool's connections, options): what is needed to make another like it."""
    pool = connection.connection_pool
    return type(connection), pool.connection_class, get_connection_kwargs(connection)


_implicit = LocalStack()
_process_wide: list[Any] = []


@contextmanager
def Connection(connection: Any = None) -> Iterator[Any]:
    """Inside of it queues, workers and jobs need no `connection=` (RQ 1.x)."""
    chosen = resolve_connection(connection)
    push_connection(chosen)
    try:
        yield chosen
    finally:
        pop_connection()


def push_connection(redis: Any) -> None:
    """Makes a connection the implicit one of this thread."""
    _implicit.push(redis)


def pop_connection() -> Any:
    """Takes the implicit connection of this thread away."""
    return _implicit.pop()


def use_connection(redis: Any = None) -> None:
    """Makes a connection the implicit one of the whole process."""
    _process_wide[:] = [resolve_connection(redis)]


def get_current_connection() -> Any:
    """The implicit connection, or None."""
    return _implicit.top or (_process_wide[0] if _process_wide else None)


def resolve_connection(connection: Any = None) -> Any:
    """The connection given, or the implicit one, or that of the process's own store."""
    if connection is not None:
        return connection
    return get_current_connection() or _own()


def implicit_connection() -> Any:
    """What stands in for a missing `connection=`."""
    return get_current_connection() or _own()


_default: Redis | None = None


def _own() -> Redis:
    global _default
    if _default is None:
        _default = Redis()
    return _default


def client_of(connection: Any) -> Redis:
    """Our client on the store that a connection names; a real client is never used itself."""
    if isinstance(connection, Redis):
        return connection
    store = store_of(connection)
    client = store.client
    if client is None:
        client = Redis.__new__(Redis)
        client._adopt(store)
        store.client = client  # last: another thread may take it from here
    return client  # type: ignore[no-any-return]
