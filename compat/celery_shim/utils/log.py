"""Loggers with Celery's parents, a coloured formatter and a stream that writes to a logger.

Handlers are set up by ``app.log``; this module adds none.
"""

from __future__ import annotations

import logging
import numbers
import os
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .lean import LOG_LEVELS, safe_str
from .lean import get_logger as _get_logger
from .term import colored

__all__ = (
    "LOG_LEVELS",
    "ColorFormatter",
    "LoggingProxy",
    "base_logger",
    "get_logger",
    "get_multiprocessing_logger",
    "get_task_logger",
    "in_sighandler",
    "mlevel",
    "reset_multiprocessing_logger",
    "set_in_sighandler",
)

_process_aware = False
_in_sighandler = False
MP_LOG = os.environ.get("MP_LOG", False)
RESERVED_LOGGER_NAMES = {"celery", "celery.task"}

base_logger = logger = _get_logger("celery")


def set_in_sighandler(value: bool) -> None:
    global _in_sighandler
    _in_sighandler = value


@contextmanager
def in_sighandler() -> Iterator[None]:
    """Within a signal handler output must not go through logging, which takes locks."""
    set_in_sighandler(True)
    try:
        yield
    finally:
        set_in_sighandler(False)


def iter_open_logger_fds() -> Iterator[Any]:
    """The streams of all handlers, once each."""
    seen: set[Any] = set()
    for known in [*logging.Logger.manager.loggerDict.values(), logging.getLogger(None)]:
        for handler in getattr(known, "handlers", ()):
            if handler not in seen and hasattr(handler, "stream"):
                yield handler.stream
                seen.add(handler)


def logger_isa(l: Any, p: Any, max: int = 1000) -> bool:  # noqa: E741 - upstream's name
    """True if ``p`` is ``l`` or above it."""
    seen = set()
    this = l
    for _ in range(max):
        if this == p:
            return True
        if this in seen:
            raise RuntimeError(f"Logger {l.name!r} parents recursive")
        seen.add(this)
        this = this.parent
        if not this:
            return False
    raise RuntimeError(f"Logger hierarchy exceeds {max}")


def _using_logger_parent(parent_logger: Any, logger_: Any) -> Any:
    if not logger_isa(logger_, parent_logger):
        logger_.parent = parent_logger
    return logger_


def get_logger(name: str) -> Any:
    """A logger below ``celery``."""
    found = _get_logger(name)
    if logging.root not in (found, found.parent) and found is not base_logger:
        found = _using_logger_parent(base_logger, found)
    return found


task_logger = get_logger("celery.task")
worker_logger = get_logger("celery.worker")


def get_task_logger(name: str) -> Any:
    """A logger below ``celery.task``, whose records know the task that runs."""
    if name in RESERVED_LOGGER_NAMES:
        raise RuntimeError(f"Logger name {name!r} is reserved!")
    return _using_logger_parent(task_logger, get_logger(name))


def mlevel(level: Any) -> Any:
    """A level's number from its name."""
    if level and not isinstance(level, numbers.Integral):
        return LOG_LEVELS[level.upper()]
    return level


class ColorFormatter(logging.Formatter):
    """Colours by level, and never fails on a message that cannot be written."""

    COLORS = colored().names
    colors = {
        "DEBUG": COLORS["blue"],
        "WARNING": COLORS["yellow"],
        "ERROR": COLORS["red"],
        "CRITICAL": COLORS["magenta"],
    }

    def __init__(self, fmt: str | None = None, use_color: bool = True, datefmt: str | None = None) -> None:
        super().__init__(fmt, datefmt)
        self.use_color = use_color

    def formatException(self, ei: Any) -> str:
        return super().formatException(ei if not ei or isinstance(ei, tuple) else sys.exc_info())

    def format(self, record: Any) -> str:
        text = super().format(record)
        color = self.colors.get(record.levelname)
        if not (color and self.use_color):
            return safe_str(text)
        einfo = sys.exc_info() if record.exc_info == 1 else record.exc_info
        try:
            return str(color(safe_str(text))) if isinstance(text, str) else safe_str(color(text))
        except UnicodeDecodeError:
            return safe_str(text)
        except Exception as exc:
            before = record.msg
            record.exc_info, record.msg = 1, f"<Unrepresentable {type(text)!r}: {exc!r}>"
            try:
                return super().format(record)
            finally:
                record.msg, record.exc_info = before, einfo


class LoggingProxy:
    """A file-like object whose lines become log records (for ``sys.stdout`` in a worker)."""

    mode = "w"
    name = None
    closed = False
    loglevel: int = logging.ERROR
    _thread = threading.local()

    def __init__(self, logger: Any, loglevel: Any = None) -> None:
        self.logger = logger
        self.loglevel = mlevel(loglevel or logger.level or self.loglevel)
        self._safewrap_handlers()

    def _safewrap_handlers(self) -> None:
        """An error in a handler goes to the real stderr: the one in ``sys`` would come back here."""

        class WithSafeHandleError(logging.Handler):
            def handleError(self, record: Any) -> None:
                try:
                    traceback.print_exc(None, sys.__stderr__)
                except OSError:
                    pass

        for handler in self.logger.handlers:
            handler.handleError = WithSafeHandleError().handleError

    def write(self, data: Any) -> int:
        if _in_sighandler:
            text = safe_str(data)
            print(text, file=sys.__stderr__)
            return len(text)
        if getattr(self._thread, "recurse_protection", False) or not data or self.closed:
            return 0
        self._thread.recurse_protection = True
        try:
            text = safe_str(data).rstrip("\n")
            if text:
                self.logger.log(self.loglevel, text)
            return len(text)
        finally:
            self._thread.recurse_protection = False

    def writelines(self, sequence: Iterable[Any]) -> None:
        for part in sequence:
            self.write(part)

    def flush(self) -> None:
        """Records are not buffered."""

    def close(self) -> None:
        self.closed = True

    def isatty(self) -> bool:
        return False


def get_multiprocessing_logger() -> Any:
    from billiard import util

    return util.get_logger()


def reset_multiprocessing_logger() -> None:
    from billiard import util

    if hasattr(util, "_logger"):
        util._logger = None


def current_process() -> Any:
    from billiard import process

    return process.current_process()


def current_process_index(base: int = 1) -> int | None:
    index = getattr(current_process(), "index", None)
    return index if index is None else index + base
