"""The engine that jobs wait and run in: the process's default one, found at first use and not at import."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ....engine import Engine

__all__ = ["engine", "started_engine", "use_engine", "when_new"]

log = logging.getLogger("brokerless")

when_new: list[Callable[[], None]] = []
"""Called when another engine is in use than before: what was left to the old one's keeper will not come."""

_engine: Engine | None = None
_watching = False


def engine() -> Engine:
    """The engine in use. A new one when the last was shut down."""
    global _engine
    if _engine is None or _engine.closed:
        from ....engine import default_engine

        _engine = default_engine()
        _tell()
    return _engine


def started_engine() -> Engine | None:
    """The engine if somebody has asked for it."""
    return _engine


def use_engine(other: Any) -> None:
    """Jobs of queues that are made from now on go to this engine; None: to the default one."""
    global _engine
    _engine = other
    _tell()


def _tell() -> None:
    for function in when_new:
        function()


def leave_nothing_behind() -> None:
    """At exit, jobs in queues that no thread works on must not hold up the interpreter: they are taken out first.
    Called after the engine's first submit, because exit handlers run last in, first out."""
    global _watching
    if _watching:
        return
    _watching = True
    register = getattr(threading, "_register_atexit", None)
    if register is None:
        return
    try:
        register(_at_exit)
    except RuntimeError:
        pass  # the interpreter is ending already


def _at_exit() -> None:
    from .store import all_stores

    for store in all_stores():
        for line in list(store.lines.values()):
            if line.worked:
                continue
            count = line.count()
            if count:
                log.warning("%d job(s) in the RQ queue %r were never run: no worker worked on it", count, line.name)
                line.empty()
