"""Random programs in numbers, with UBSan too. `-m stress`: 20,000 functions; `-m soak`: 100,000."""

from __future__ import annotations

import shutil

import pytest

from .compiler_differences import run


def check(count: int, seed: int, *, ubsan: bool = False, quick: bool = True) -> None:
    report = run(count, seed, ubsan=ubsan, quick=quick)
    assert not report.differences, "\n\n".join(report.differences[:3])
    assert report.functions == count
    assert len(report.refused) < count / 100


@pytest.mark.stress
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(20))
def test_twenty_thousand_functions(seed: int) -> None:
    check(1000, 2000 + seed)


@pytest.mark.stress
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("gcc") is None and shutil.which("clang") is None, reason="UBSan needs gcc or clang")
def test_undefined_behaviour_sanitizer() -> None:
    """A trap ends the process: what is left of this test run is the seed in its name."""
    check(1000, 3000, ubsan=True)


@pytest.mark.soak
@pytest.mark.timeout(6000)
@pytest.mark.parametrize("seed", range(100))
def test_a_hundred_thousand_functions(seed: int) -> None:
    check(1000, 4000 + seed, quick=False)
