"""Random programs of enqueue, dependencies, retries, repeats, stops and life times: the short run.

The long one is `tests/stress/test_rq_programs.py`.
"""

from __future__ import annotations

import logging

import pytest

from brokerless import Engine
from tests.stress.rq_programs import Program


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_nothing_is_lost(rq_engine: Engine, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten programs of forty steps each."""
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    for seed in range(first, first + 10):
        try:
            Program(seed, 2000 + seed).run(40)
        except AssertionError as wrong:
            raise AssertionError(f"seed {seed}: {wrong}") from wrong
