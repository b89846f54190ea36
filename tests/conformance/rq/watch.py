"""What the tests use to look on: waiting for a condition, log lines, and durations.

Does not run jobs; those are in ``jobs``.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TAKEN = re.compile(r"\d+:\d\d:\d\d(\.\d+)?s")
_PID = re.compile(r"(PID|pid) \d+")
_VERSION = re.compile(r"version \d+\.\d+[^\s]*")
_DATE = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(\+\d\d:\d\d)?")
_HEX_NAME = re.compile(r"\b[0-9a-f]{32}\b")


def until(condition: Callable[[], T], within: float = 10.0) -> T:
    """Return the first true answer of ``condition``; fail when there is none in time."""
    deadline = time.monotonic() + within
    pause = threading.Event()
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {condition}")
        pause.wait(0.01)


def neutral(text: str) -> str:
    """Return a message without what is different in each run, and with the package named rq."""
    text = _COLOUR.sub("", text).replace("brokerless.compat.rq_shim.", "rq.")
    for pattern, word in ((_UUID, "<id>"), (_HEX_NAME, "<name>"), (_TAKEN, "<time>s"), (_DATE, "<date>")):
        text = pattern.sub(word, text)
    text = _PID.sub(r"\1 <pid>", text)
    return _VERSION.sub("version <v>", text)


class LogLines(logging.Handler):
    """Keeps the messages of rq's loggers, in order."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[tuple[str, str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep logger, level and neutral message."""
        self.records.append((record.name, record.levelname, neutral(record.getMessage())))

    @property
    def lines(self) -> list[str]:
        """Return the messages."""
        return [message for _, _, message in self.records]

    def having(self, part: str) -> list[str]:
        """Return the messages that contain ``part``."""
        return [line for line in self.lines if part in line]

    def level_of(self, part: str) -> str:
        """Return the level of the one message that contains ``part``."""
        (level,) = {level for _, level, message in self.records if part in message}
        return level


def outcome(call: Callable[[], Any]) -> str:
    """Return what a call raised, as ``Class: text``, or ``returned <repr>``."""
    try:
        value = call()
    except BaseException as error:
        return f"{type(error).__name__}: {neutral(str(error))}"
    return f"returned {value!r}"
