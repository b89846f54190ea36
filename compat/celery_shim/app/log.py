"""Logging of a worker process: handlers, formats, redirected output.

Nothing here runs on import or when tasks run inside an application: only a worker (or the application) calls it.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from logging.handlers import WatchedFileHandler
from typing import Any

from .. import signals
from .._state import get_current_task
from ..exceptions import CDeprecationWarning, CPendingDeprecationWarning
from ..local import class_property
from ..platforms import isatty
from ..utils.log import (
    ColorFormatter,
    LoggingProxy,
    get_logger,
    get_multiprocessing_logger,
    mlevel,
    reset_multiprocessing_logger,
)
from ..utils.nodenames import node_format
from ..utils.term import colored

__all__ = ("Logging", "TaskFormatter")

MP_LOG = os.environ.get("MP_LOG", False)


class TaskFormatter(ColorFormatter):
    """Knows ``%(task_id)s`` and ``%(task_name)s``."""

    def format(self, record: Any) -> str:
        task = get_current_task()
        if task and task.request:
            record.__dict__.update(task_id=task.request.id, task_name=task.name)
        else:
            record.__dict__.setdefault("task_name", "???")
            record.__dict__.setdefault("task_id", "???")
        return super().format(record)


class Logging:
    """``app.log``."""

    #: Shared by all apps: the root logger is one for the process.
    _setup = False

    def __init__(self, app: Any) -> None:
        self.app = app
        conf = app.conf
        self.loglevel = mlevel(logging.WARN)
        self.format = conf.worker_log_format
        self.datefmt = conf.worker_log_datefmt
        self.task_format = conf.worker_task_log_format
        self.task_datefmt = conf.worker_task_log_datefmt
        self.colorize = conf.worker_log_color

    def setup(
        self,
        loglevel: Any = None,
        logfile: Any = None,
        redirect_stdouts: bool = False,
        redirect_level: Any = "WARNING",
        colorize: Any = None,
        hostname: str | None = None,
    ) -> Any:
        """Set up everything for a worker; gives the receivers of ``setup_logging`` that took over, if any."""
        level = mlevel(loglevel)
        handled = self.setup_logging_subsystem(level, logfile, colorize=colorize, hostname=hostname)
        if not handled and redirect_stdouts:
            self.redirect_stdouts(redirect_level)
        os.environ["CELERY_LOG_LEVEL"] = str(level) if level else ""
        os.environ["CELERY_LOG_FILE"] = str(logfile) if logfile else ""
        for category in (CDeprecationWarning, CPendingDeprecationWarning):
            warnings.filterwarnings("always", category=category)
        logging.captureWarnings(True)
        return handled

    def redirect_stdouts(self, loglevel: Any = None, name: str = "celery.redirected") -> None:
        self.redirect_stdouts_to_logger(get_logger(name), loglevel=loglevel)
        os.environ["CELERY_LOG_REDIRECT"] = "1"
        os.environ["CELERY_LOG_REDIRECT_LEVEL"] = str(loglevel or "")

    def setup_logging_subsystem(
        self,
        loglevel: Any = None,
        logfile: Any = None,
        format: Any = None,
        colorize: Any = None,
        hostname: str | None = None,
        datefmt: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Set up the root and task loggers, unless a receiver of ``setup_logging`` does; once per process."""
        if self.already_setup:
            return None
        if logfile and hostname:
            logfile = node_format(logfile, hostname)
        Logging._setup = True
        level = mlevel(loglevel or self.loglevel)
        format = format or self.format
        datefmt = self.datefmt if datefmt is None else datefmt
        colorize = self.supports_color(colorize, logfile)
        reset_multiprocessing_logger()
        options = {"loglevel": level, "logfile": logfile, "format": format, "colorize": colorize}
        receivers = signals.setup_logging.send(sender=None, **options)
        for _, response in receivers:
            if isinstance(response, Exception):
                Logging._setup = False
                raise response
        if not receivers:
            self._setup_root(level, logfile, format, colorize, datefmt, kwargs)
            signals.after_setup_logger.send(sender=None, logger=logging.getLogger(), **options)
            self.setup_task_loggers(level, logfile, colorize=colorize)
        self._set_default_encoding_stream()
        os.environ["_MP_FORK_LOGLEVEL_"] = str(level)
        os.environ["_MP_FORK_LOGFILE_"] = logfile if isinstance(logfile, str) else ""
        os.environ["_MP_FORK_LOGFORMAT_"] = format
        return receivers

    def _setup_root(
        self, level: Any, logfile: Any, format: Any, colorize: Any, datefmt: Any, kwargs: dict[str, Any]
    ) -> None:
        root = logging.getLogger()
        if self.app.conf.worker_hijack_root_logger:
            root.handlers = []
            for name in ("celery", "celery.task", "celery.redirected"):
                get_logger(name).handlers = []
        processes = get_multiprocessing_logger()
        for logger, its_level in ((root, level), (processes, level if MP_LOG else logging.ERROR)):
            self._configure_logger(logger, logfile, its_level, format, colorize, datefmt=datefmt, **kwargs)

    def _set_default_encoding_stream(self) -> None:
        from kombu.utils.encoding import set_default_encoding_file

        stream = next((getattr(handler, "stream", None) for handler in logging.getLogger().handlers[:1]), None)
        if stream is not None:
            set_default_encoding_file(stream)

    def _configure_logger(
        self, logger: Any, logfile: Any, loglevel: Any, format: Any, colorize: Any, **kwargs: Any
    ) -> None:
        if logger is not None:
            self.setup_handlers(logger, logfile, format, colorize, **kwargs)
            if loglevel:
                logger.setLevel(loglevel)

    def setup_task_loggers(
        self,
        loglevel: Any = None,
        logfile: Any = None,
        format: Any = None,
        colorize: Any = None,
        propagate: bool = False,
        datefmt: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Give ``celery.task`` a handler of its own, which shows the task's name and id."""
        level = mlevel(loglevel or self.loglevel)
        format = format or self.task_format
        datefmt = self.task_datefmt if datefmt is None else datefmt
        colorize = self.supports_color(colorize, logfile)
        logger = self.setup_handlers(
            get_logger("celery.task"), logfile, format, colorize, formatter=TaskFormatter, datefmt=datefmt, **kwargs
        )
        logger.setLevel(level)
        logger.propagate = int(propagate)
        signals.after_setup_task_logger.send(
            sender=None, logger=logger, loglevel=level, logfile=logfile, format=format, colorize=colorize
        )
        return logger

    def redirect_stdouts_to_logger(
        self, logger: Any, loglevel: Any = None, stdout: bool = True, stderr: bool = True
    ) -> Any:
        """Make ``sys.stdout`` and ``sys.stderr`` write to a logger."""
        proxy = LoggingProxy(logger, loglevel)
        if stdout:
            sys.stdout = proxy
        if stderr:
            sys.stderr = proxy
        return proxy

    def supports_color(self, colorize: Any = None, logfile: Any = None) -> Any:
        colorize = self.colorize if colorize is None else colorize
        if self.app.IS_WINDOWS:
            return False
        if colorize or colorize is None:
            return logfile is None and isatty(sys.stderr)
        return colorize

    def colored(self, logfile: Any = None, enabled: Any = None) -> colored:
        return colored(enabled=self.supports_color(enabled, logfile))

    def setup_handlers(
        self,
        logger: Any,
        logfile: Any,
        format: Any,
        colorize: Any,
        formatter: Any = ColorFormatter,
        datefmt: Any = None,
        **kwargs: Any,
    ) -> Any:
        if not self._is_configured(logger):
            handler = self._detect_handler(logfile)
            handler.setFormatter(formatter(format, datefmt=datefmt, use_color=colorize))
            logger.addHandler(handler)
        return logger

    def _detect_handler(self, logfile: Any = None) -> logging.Handler:
        target: Any = sys.__stderr__ if logfile is None else logfile
        if hasattr(target, "write"):
            return logging.StreamHandler(target)
        return WatchedFileHandler(target, encoding="utf-8")

    def _has_handler(self, logger: Any) -> bool:
        return any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers or ())

    def _is_configured(self, logger: Any) -> bool:
        return self._has_handler(logger) and not getattr(logger, "_rudimentary_setup", False)

    def get_default_logger(self, name: str = "celery", **kwargs: Any) -> Any:
        return get_logger(name)

    def _get_setup(cls) -> bool:
        return cls._setup

    def _set_setup(cls, was_setup: bool) -> None:
        cls._setup = was_setup

    #: True once logging has been set up in this process: the state is the class's.
    already_setup: Any = class_property(_get_setup, _set_setup)
