"""Callbacks of tasks that the keeper's thread ends (time limits, expiry): they run on a thread of their own, because a
slow one would hold up every other limit. All others run where their task ended.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from .forks import end_child

__all__ = ["SideThread"]


class SideThread:
    """Runs functions one after the other on a thread that exists only while there are any."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Callable[[], Any]] = []
        self._alive = False

    def run(self, func: Callable[[], Any]) -> None:
        """`func()` must not raise. Runs it here if no thread can be started."""
        with self._changed:
            self._waiting.append(func)
            if self._alive:
                return
            self._alive = True
        try:
            threading.Thread(target=self._main, daemon=True, name="brokerless-callbacks").start()
        except RuntimeError:
            self._main()

    def _main(self) -> None:
        process = os.getpid()
        while True:
            with self._changed:
                if not self._waiting:
                    self._alive = False
                    self._changed.notify_all()
                    return
                func = self._waiting.pop(0)
            func()
            if os.getpid() != process:
                end_child(None)

    def drain(self, timeout: float | None) -> bool:
        """Waits until nothing is left to run, at most `timeout` seconds; whether that is so."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while self._alive:
                remaining = None if deadline is None else deadline - time.monotonic()
                if remaining is not None and remaining <= 0:
                    return False
                self._changed.wait(remaining)
            return True
