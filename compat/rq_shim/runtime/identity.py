"""Which store a connection means. A connection is a name: host, port and database, or path and database.

Works for our stand-in and for any client that carries `connection_pool.connection_kwargs`; nothing is ever contacted.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

__all__ = ["identity_of", "options_of_url"]

DEFAULT_PORT = 6379


def identity_of(options: dict[str, Any]) -> tuple[Any, ...]:
    """(place, database) of connection options. localhost and 127.0.0.1 are one place."""
    db = int(options.get("db") or 0)
    path = options.get("path") or options.get("unix_socket_path")
    if path:
        return ("unix", str(path), db)
    service = options.get("service_name")
    if service:
        return ("sentinel", str(service), db)
    host = str(options.get("host") or "localhost").lower()
    if host in ("127.0.0.1", "::1"):
        host = "localhost"
    return (host, int(options.get("port") or DEFAULT_PORT), db)


def options_of_url(url: str, **more: Any) -> dict[str, Any]:
    """Connection options of a `redis://`, `rediss://`, `unix://` or `memory://` URL; `more` is what the caller gave."""
    parts = urlparse(url)
    if parts.scheme not in ("redis", "rediss", "unix", "valkey", "valkeys", "memory"):
        raise ValueError("Redis URL must specify one of the following schemes (redis://, rediss://, unix://)")
    options = dict(more)
    for name, values in parse_qs(parts.query).items():
        text = unquote(values[0])
        options[name] = int(text) if text.isdigit() else text
    if parts.username:
        options["username"] = unquote(parts.username)
    if parts.password:
        options["password"] = unquote(parts.password)
    if parts.scheme == "unix":
        options["path"] = unquote(parts.path)
        return options
    if parts.hostname:
        options["host"] = unquote(parts.hostname)
    if parts.port:
        options["port"] = parts.port
    database = unquote(parts.path).replace("/", "")
    if database.isdigit() and "db" not in parse_qs(parts.query):
        options["db"] = int(database)
    return options
