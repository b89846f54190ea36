"""An engine of its own for each test of the RQ shim, and a database that no other test uses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from brokerless.compat.rq_shim.connections import Redis
from brokerless.compat.rq_shim.runtime import engines

from brokerless import Engine
from tests.unit.rig import SOON

_databases = itertools.count(1000)


@pytest.fixture
def rq_engine(_threads_end: None) -> Iterator[Engine]:
    """The engine that the shim uses during a test."""
    made = Engine(name="rq-test")
    engines.use_engine(made)
    yield made
    engines.use_engine(None)
    made.shut_down(True, SOON, True)


@pytest.fixture
def connection(rq_engine: Engine) -> Iterator[Any]:
    """An empty database; emptied while its engine still lives."""
    client = Redis(db=next(_databases))
    yield client
    client.flushdb()
