"""Random programs in numbers, with UBSan too. `-m stress`: 20,000 functions; `-m soak`: 100,000.

So many files of ten are built with the flags that ship, one in stress and six in soak; the others are built without
optimising (see `compiler_differences`).
"""

from __future__ import annotations

import shutil

import pytest

from .compiler_differences import ROUND, run


def check(count: int, seed: int, *, shipped: int, ubsan: bool = False) -> None:
    report = run(count, seed, shipped=shipped, ubsan=ubsan)
    assert not report.differences, "\n\n".join(report.differences[:3])
    assert report.functions == count
    assert report.shipped == count * shipped / ROUND
    assert len(report.refused) < count / 100
    assert report.native > report.values / 2
    assert report.batched > count / 20


@pytest.mark.stress
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(20))
def test_twenty_thousand_functions(seed: int) -> None:
    check(1000, 2000 + seed, shipped=1)


@pytest.mark.stress
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("gcc") is None and shutil.which("clang") is None, reason="UBSan needs gcc or clang")
def test_undefined_behaviour_sanitizer() -> None:
    """A trap ends the process: what is left of this test run is the seed in its name."""
    check(1000, 3000, shipped=ROUND, ubsan=True)


@pytest.mark.soak
@pytest.mark.timeout(6000)
@pytest.mark.parametrize("seed", range(100))
def test_a_hundred_thousand_functions(seed: int) -> None:
    check(1000, 4000 + seed, shipped=6)
