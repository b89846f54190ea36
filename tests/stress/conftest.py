"""Fixtures of the stress tests, and their marks: every test in this folder that is no soak test is a stress test.

Run by two processes (`-n 2 --dist loadgroup`), the tests of the engine stay together in one of them, one after the other:
beside each other they would not meet the races that they are there for. The compiler's tests fill the other process.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent


# First: xdist reads the groups in the same hook.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            if item.get_closest_marker("soak") is None:
                item.add_marker(pytest.mark.stress)
            item.add_marker(pytest.mark.timeout(300))
            if item.path.name != "test_compiler_random.py":
                item.add_marker(pytest.mark.xdist_group("engine"))


@pytest.fixture(params=[5e-3, 1e-5], ids=["slow switching", "fast switching"])
def switching(request: pytest.FixtureRequest, no_thread_leak: None) -> Iterator[float]:
    """How often threads change places."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(request.param)
    yield request.param
    sys.setswitchinterval(before)
