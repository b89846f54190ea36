"""Random programs for the RQ shim, many of them: no job lost, none run without leave, every dependent accounted for.

`-m stress`: 1,000 programs; `-m soak`: 3,500 others. Each with threads that change places slowly, and fast.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from brokerless.compat.rq_shim.runtime import engines

from brokerless import Engine

from .rq_programs import Program

AT_ONCE = 250
STRESS = range(1000, 2000, AT_ONCE)
SOAK = range(2000, 5500, AT_ONCE)


@pytest.fixture
def rq_engine(switching: float) -> Iterator[Engine]:
    """The engine that the shim uses during a test; threads change places slowly and fast."""
    made = Engine(name="rq-stress")
    engines.use_engine(made)
    yield made
    engines.use_engine(None)
    made.shut_down(True, 10.0, True)


# An interrupt may fall into Hypothesis's callback of the garbage collection, which drops what is raised in it.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <function gc_:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("first", [*STRESS, *(pytest.param(first, marks=pytest.mark.soak) for first in SOAK)])
def test_nothing_is_lost(rq_engine: Engine, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of sixty steps, workers of some steps in two threads."""
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    for seed in range(first, first + AT_ONCE):
        try:
            Program(seed, 100_000 + seed).run(60)
        except AssertionError as wrong:
            raise AssertionError(f"seed {seed}: {wrong}") from wrong
