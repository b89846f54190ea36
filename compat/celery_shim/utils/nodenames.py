"""Names of workers: ``name@host`` and the ``%n %h %d %i`` formats."""

from __future__ import annotations

import os
import sys
from functools import cache, partial
from typing import Any

from .text import simple_format

WORKER_DIRECT_QUEUE_FORMAT = "{hostname}.dq2"
NODENAME_SEP = "@"
NODENAME_DEFAULT = "celery"


__all__ = (
    "anon_nodename",
    "default_nodename",
    "gethostname",
    "host_format",
    "node_format",
    "nodename",
    "nodesplit",
    "worker_direct",
)


@cache
def gethostname() -> str:
    """The name of this machine, asked for once."""
    if hasattr(os, "uname") and "socket" not in sys.modules:
        return os.uname().nodename
    import socket

    return socket.gethostname()


gethostname.clear = gethostname.cache_clear  # type: ignore[attr-defined]  # the name it has in Celery


def worker_direct(hostname: Any) -> Any:
    """The queue that only the worker of that name reads."""
    from kombu.entity import Exchange, Queue

    if isinstance(hostname, Queue):
        return hostname
    return Queue(WORKER_DIRECT_QUEUE_FORMAT.format(hostname=hostname), Exchange("C.dq2"), hostname)


def nodename(name: str, hostname: str) -> str:
    return f"{name}{NODENAME_SEP}{hostname}"


def anon_nodename(hostname: str | None = None, prefix: str = "gen") -> str:
    """Name of a process that is no worker."""
    return nodename(f"{prefix}{os.getpid()}", hostname or gethostname())


def nodesplit(name: str) -> Any:
    """``(name or None, host)``."""
    first, sep, host = name.partition(NODENAME_SEP)
    return [first, host] if sep else (None, first)


def default_nodename(hostname: str | None, default_name: str = NODENAME_DEFAULT) -> str:
    name, host = nodesplit(hostname or "")
    return nodename(name or default_name, host or gethostname())


def node_format(s: str, name: str, **extra: Any) -> str:
    short, host = nodesplit(name)
    return host_format(s, host, short or NODENAME_DEFAULT, p=name, **extra)


def _process_index(prefix: str = "", default: str = "0") -> str:
    from .log import current_process_index

    index = current_process_index()
    return f"{prefix}{index}" if index else default


_process_index_suffix = partial(_process_index, "-", "")


def host_format(s: str, host: str | None = None, name: str | None = None, **extra: Any) -> str:
    """Expand ``%h`` (host), ``%n`` (name), ``%d`` (domain), ``%i``/``%I`` (index of the pool process)."""
    host = host or gethostname()
    short, _, domain = host.partition(".")
    keys: dict[str, Any] = {
        "h": host,
        "n": name or short,
        "d": domain,
        "i": _process_index,
        "I": _process_index_suffix,
        **extra,
    }
    return simple_format(s, keys)
