"""What every test may use: a check for threads that a test left behind.

`BROKERLESS_CORE=pure` or `native` says which core the whole run uses (the Makefile runs the unit tests over both).
No fixture here imports the package, so that suites which need other set-ups can share this file.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest


def left_behind(before: set[threading.Thread], patience: float = 5.0) -> list[threading.Thread]:
    """Threads that were not there before and have not ended within `patience` seconds."""
    deadline = time.monotonic() + patience
    new = [thread for thread in threading.enumerate() if thread not in before]
    for thread in new:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread for thread in new if thread.is_alive()]


@pytest.fixture
def no_thread_leak() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    leaked = left_behind(before)
    assert not leaked, f"threads left behind: {', '.join(thread.name for thread in leaked)}"
