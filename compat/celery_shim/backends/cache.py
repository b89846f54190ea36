"""``cache+memory://``: results in a dictionary of this process, in serialised form; memcached where it is installed."""

from __future__ import annotations

from typing import Any

from ..exceptions import ImproperlyConfigured
from ..utils.functional import LRUCache
from ..utils.lean import bytes_to_str, cached_property, ensure_bytes
from ..utils.log import get_logger
from .keyvalue import KeyValueStoreBackend

__all__ = ("CacheBackend",)

logger = get_logger("celery.backends.cache")

REQUIRES_BACKEND = (
    "The Memcached backend requires the 'pymemcache' library. The 'pylibmc' and 'python-memcached' libraries are no "
    "longer used."
)
UNKNOWN_BACKEND = "The cache backend {0!r} is unknown,\nPlease use one of the following backends instead: {1}"

#: All clients share it: results must outlive the app object that wrote them.
_DUMMY_CLIENT_CACHE = LRUCache(limit=5000)


class DummyClient:
    """Memcached's interface over a dictionary."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.cache = _DUMMY_CLIENT_CACHE

    def get(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        return self.cache.get(key)

    def get_multi(self, keys: Any) -> dict[Any, Any]:
        return {key: self.cache[key] for key in keys if key in self.cache}

    def set(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> None:
        self.cache[key] = value

    def delete(self, key: Any, *args: Any, **kwargs: Any) -> None:
        self.cache.pop(key, None)

    def incr(self, key: Any, delta: int = 1) -> Any:
        return self.cache.incr(key, delta)

    def touch(self, key: Any, expire: Any) -> None:
        """Keys do not expire, they are pushed out."""


def get_memcache_client() -> tuple[Any, Any]:
    """A factory of memcached clients."""
    try:
        from pymemcache.client.base import Client
        from pymemcache.client.hash import HashClient
    except ImportError:
        raise ImproperlyConfigured(REQUIRES_BACKEND) from None

    def connect(servers: Any = None, **kwargs: Any) -> Any:
        options = {"default_noreply": False, "connect_timeout": 5.0, "timeout": 5.0, **kwargs}
        known = [server for server in ([servers] if isinstance(servers, str) else servers or ()) if server]
        if not known:
            raise ImproperlyConfigured("No memcache servers provided")
        return HashClient(known, **options) if len(known) > 1 else Client(known[0], **options)

    return connect, bytes_to_str


backends: dict[str, Any] = {
    **dict.fromkeys(("memcache", "memcached", "pylibmc", "pymemcache"), get_memcache_client),
    "memory": lambda: (DummyClient, ensure_bytes),
}


class CacheBackend(KeyValueStoreBackend):
    """Results in a cache."""

    servers: Any = None
    supports_autoexpire = True
    supports_native_join = True
    implements_incr = True

    def __init__(
        self,
        app: Any,
        expires: Any = None,
        backend: Any = None,
        options: Any = None,
        url: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(app, **kwargs)
        self.url = url
        self.options = {**app.conf.cache_backend_options, **(options or {})}
        self.backend = url or backend or app.conf.cache_backend
        if self.backend:
            self.backend, _, servers = self.backend.partition("://")
            self.servers = servers.rstrip("/").split(";")
        self.expires = self.prepare_expires(expires, type=int)
        if self.backend not in backends:
            raise ImproperlyConfigured(UNKNOWN_BACKEND.format(self.backend, ", ".join(backends)))
        self.Client, self.key_t = backends[self.backend]()
        self._encode_prefixes()

    @cached_property
    def client(self) -> Any:
        return self.Client(self.servers, **self.options)

    def get(self, key: Any) -> Any:
        return self.client.get(key)

    def mget(self, keys: Any) -> Any:
        return self.client.get_multi(keys)

    def set(self, key: Any, value: Any) -> Any:
        return self.client.set(key, value, self.expires or 0)

    def delete(self, key: Any) -> Any:
        return self.client.delete(key)

    def incr(self, key: Any) -> Any:
        return self.client.incr(key, 1)

    def expire(self, key: Any, value: Any) -> Any:
        return self.client.touch(key, value or 0)

    def _apply_chord_incr(self, header_result_args: Any, body: Any, **kwargs: Any) -> None:
        self.client.set(self.get_key_for_chord(header_result_args[0]), 0, self.chord_expires or 0)
        super()._apply_chord_incr(header_result_args, body, **kwargs)

    def __reduce__(self, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = {
            **(kwargs or {}),
            "backend": self.as_uri(),
            "expires": self.expires,
            "options": self.options,
        }
        return super().__reduce__(args, kwargs)

    def as_uri(self, *args: Any, **kwargs: Any) -> str:
        return f"{self.backend}://{';'.join(self.servers)}/"
