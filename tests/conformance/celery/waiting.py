"""Waiting in conformance tests: for a condition, for a result; always with a limit.

Does not know which side runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

TIMEOUT = 15.0


def until(condition: Callable[[], Any], timeout: float = TIMEOUT) -> Any:
    """Return the first true value of ``condition``; fail when there is none in time."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not true within {timeout} s: {condition}")
        pause.wait(0.005)


def value_of(result: Any, **options: Any) -> Any:
    """`result.get()` with a timeout, and without the half second between two looks."""
    return result.get(**{"timeout": TIMEOUT, "interval": 0.005, **options})
