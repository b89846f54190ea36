"""Fixtures of the stress tests, and their marks: every test in this folder that is no soak test is a stress test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.switching import switching_every

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            if item.get_closest_marker("soak") is None:
                item.add_marker(pytest.mark.stress)
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(params=[5e-3, 1e-5], ids=["slow switching", "fast switching"])
def switching(request: pytest.FixtureRequest, no_thread_leak: None) -> Iterator[float]:
    """How often threads change places."""
    with switching_every(request.param):
        yield request.param
