"""Random programs, compiled and interpreted: the default number. More by `make stress` and `make soak`."""

from __future__ import annotations

import pytest

from tests.stress.compiler_differences import run


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", range(4))
def test_random_programs_give_what_python_gives(seed: int) -> None:
    report = run(500, 1000 + seed, shipped=2)
    assert not report.differences, "\n\n".join(report.differences[:3])
    assert report.functions == 500
    assert report.shipped == 100
    assert len(report.refused) < 5
    assert report.batched > 25
    # what raises, or leaves 64 bits, is Python's; of the rest most has to be native
    assert report.native > report.values * 2 / 3
