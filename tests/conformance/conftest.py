"""``--tenth N``: a tenth of the cases, the same ones in each run, for runs that cannot afford all of them."""

from __future__ import annotations

import hashlib

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option."""
    parser.addoption(
        "--tenth", type=int, choices=range(10), metavar="0..9", help="run one tenth of the cases, chosen by their ids"
    )


def tenth_of(nodeid: str) -> int:
    """The tenth that a case belongs to, from its id alone: the same on each machine and in each process."""
    return int(hashlib.sha256(nodeid.encode()).hexdigest(), 16) % 10


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the other nine."""
    wanted = config.getoption("--tenth")
    if wanted is None:
        return
    chosen = [item for item in items if tenth_of(item.nodeid) == wanted]
    config.hook.pytest_deselected(items=[item for item in items if tenth_of(item.nodeid) != wanted])
    items[:] = chosen
