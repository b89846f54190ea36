"""The side-by-side programs of the unit tests, more and longer ones."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

pytest.importorskip("brokerless.native._engine", reason="the compiled core is not there")

from tests.unit.core.test_model import Cores

TestCores = Cores.TestCase
TestCores.settings = settings(
    max_examples=600,
    stateful_step_count=80,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
