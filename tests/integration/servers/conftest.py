"""Most of these tests take seconds each and belong to `make servers`; the everyday suite runs those without the mark."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "servers" in str(config.getoption("markexpr")):
        return
    slow = [item for item in items if item.get_closest_marker("servers") is not None]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
