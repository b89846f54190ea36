"""Parts of the C core against plain models, at release sizes and at tiny ones (machines.py).

`make stress` runs them longer.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.unit.native.core_machine import CoreMachine
from tests.unit.native.machines import PARTS, Machine

SHORT = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


@pytest.mark.parametrize("variant", ["tiny", "normal"])
@pytest.mark.parametrize("machine", [*PARTS, CoreMachine], ids=lambda machine: machine.__name__)
def test_part_does_what_its_model_does(machine: type[Machine], variant: str) -> None:
    class Chosen(machine):  # type: ignore[misc, valid-type]
        pass

    Chosen.variant = variant
    Chosen.__name__ = f"{machine.__name__}_{variant}"
    run_state_machine_as_test(Chosen, settings=SHORT)
