"""What every test may use: a check for threads that a test left behind, and signals as an interactive shell leaves them.

`BROKERLESS_CORE=pure` or `native` says which core the whole run uses (the Makefile runs the unit tests over both).
No fixture here imports the package, so that suites which need other set-ups can share this file.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest


def pytest_configure() -> None:
    """Signals that nohup or a shell's background job ignores are not to be ignored in the programs that tests start."""
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


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
