"""What every test may use: a time limit per test, a check for threads that a test left behind, the choice of core.

`BROKERLESS_CORE=pure` or `native` says which core the whole run uses (the Makefile runs the unit tests over both).
No fixture here imports the package, so that suites which need other set-ups can share this file.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

TEST_SECONDS = 60


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "stress: random schedules and many threads; run with `make stress`")
    config.addinivalue_line("markers", "soak: millions of tasks; run with `make soak`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.pluginmanager.hasplugin("timeout"):
        return
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


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
