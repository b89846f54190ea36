"""Fixtures of the engine's unit tests: a bare core with its threads, and the thread check for every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.rig import Rig


@pytest.fixture(autouse=True)
def _threads_end(no_thread_leak: None) -> Iterator[None]:
    yield


@pytest.fixture
def rig(_threads_end: None) -> Iterator[Rig]:
    """One core engine with one queue of four lanes and one group; no thread until start()."""
    with Rig() as made:
        yield made


@pytest.fixture
def make_rig(_threads_end: None) -> Iterator[Callable[..., Rig]]:
    """The same with arguments for the engine."""
    rigs: list[Rig] = []

    def make(**arguments: Any) -> Rig:
        rigs.append(Rig(**arguments))
        return rigs[-1]

    yield make
    for made in rigs:
        made.close()
