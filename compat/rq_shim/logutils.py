"""Set-up of RQ's loggers: short lines, coloured on a terminal; ERROR to stderr, the rest to stdout."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

from .defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT

__all__ = ["ColorizingStreamHandler", "blue", "green", "make_colorizer", "red", "setup_loghandlers", "yellow"]

_CODES = {"darkgreen": "\x1b[32m", "darkyellow": "\x1b[33m", "darkblue": "\x1b[34m", "darkred": "\x1b[31m"}
_RESET = "\x1b[39;49;00m"


def _is_terminal() -> bool:
    isatty = getattr(sys.stdout, "isatty", None)
    return bool(isatty and isatty())


_colours = _is_terminal()


def make_colorizer(color: str) -> Callable[[str], str]:
    """A function that puts text in a colour when stdout is a terminal."""
    code = _CODES[color]

    def colorize(text: str) -> str:
        return f"{code}{text}{_RESET}" if _colours else text

    return colorize


green = make_colorizer("darkgreen")
yellow = make_colorizer("darkyellow")
blue = make_colorizer("darkblue")
red = make_colorizer("darkred")


class ColorizingStreamHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """A stream handler that knows whether its stream is a terminal."""

    levels = {logging.WARNING: yellow, logging.ERROR: red, logging.CRITICAL: red}

    def __init__(self, exclude: Any = None, *args: Any, **kwargs: Any) -> None:
        self.exclude = exclude
        super().__init__(*args, **kwargs)

    @property
    def is_tty(self) -> bool:
        isatty = getattr(self.stream, "isatty", None)
        return bool(isatty and isatty())


def setup_loghandlers(
    level: int | str | None = None,
    date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
    log_format: str = DEFAULT_LOGGING_FORMAT,
    name: str = "rq.worker",
) -> None:
    """Gives a logger handlers of its own, unless it or a parent has some, and sets its level if one is given."""
    logger = logging.getLogger(name)
    if not logger.hasHandlers():
        formatter = logging.Formatter(fmt=log_format, datefmt=date_format)
        quiet = ColorizingStreamHandler(stream=sys.stdout)
        quiet.addFilter(lambda record: record.levelno < logging.ERROR)
        loud = ColorizingStreamHandler(stream=sys.stderr)
        loud.addFilter(lambda record: record.levelno >= logging.ERROR)
        for handler in (quiet, loud):
            handler.setFormatter(formatter)
            logger.addHandler(handler)
        logger.propagate = False
    if level is not None:
        logger.setLevel(level if isinstance(level, int) else level.upper())
