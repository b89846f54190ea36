"""The gate, the regressions and the lists that the runner of upstream's tests stands on."""

from __future__ import annotations

import pytest

from . import scoreboard
from .run import upstream_skips
from .scoreboard import Outcome

KINDS = {f"test_a.py::T::test_{number}": "F" for number in range(98)} | {
    "test_a.py::T::test_s": "S",
    "test_a.py::T::test_skipped": "S",
    "test_a.py::T::test_k": "K",
}
SKIPPED = {"test_a.py::T::test_skipped"}


def outcomes(*failed: str) -> dict[str, Outcome]:
    """Return passes for all tests but the named ones."""
    made = {test: Outcome("passed") for test in KINDS}
    made["test_a.py::T::test_skipped"] = Outcome("skipped", "slow")
    for name in failed:
        made[f"test_a.py::T::test_{name}"] = Outcome("failed", "E")
    return made


def test_all_fair_tests_pass() -> None:
    verdict = scoreboard.judge(KINDS, outcomes("k"), {}, SKIPPED)
    assert (verdict.fair, verdict.skipped, verdict.counted, verdict.passed) == (100, 1, 99, 99)
    assert verdict.good


def test_gate_opens_at_its_share_and_not_below() -> None:
    assert scoreboard.judge(KINDS, outcomes("0", "1"), {}, SKIPPED).good
    assert not scoreboard.judge(KINDS, outcomes("0", "1", "2"), {}, SKIPPED).good


def test_a_missing_test_is_no_pass() -> None:
    some = outcomes()
    for name in ("0", "1", "2"):
        del some[f"test_a.py::T::test_{name}"]
    assert not scoreboard.judge(KINDS, some, {}, SKIPPED).good


def test_a_skip_that_upstream_does_not_make_is_no_pass() -> None:
    verdict = scoreboard.judge(KINDS, outcomes(), {}, set())
    assert (verdict.counted, verdict.passed) == (100, 99)


def test_left_out_tests_are_limited_and_named() -> None:
    some = {f"test_a.py::T::test_{number}": "3.0 differs" for number in range(15)}
    assert scoreboard.judge(KINDS, outcomes("0", "1"), some, SKIPPED).counted == 84
    assert scoreboard.judge(KINDS, outcomes("0", "1"), some, SKIPPED).good
    some["test_a.py::T::test_20"] = "one too many"
    assert not scoreboard.judge(KINDS, outcomes(), some, SKIPPED).good


def test_only_fair_tests_can_be_left_out() -> None:
    with pytest.raises(ValueError, match="no fair test"):
        scoreboard.judge(KINDS, outcomes(), {"test_a.py::T::test_k": "private"}, SKIPPED)


def test_regressions() -> None:
    known = {"test_a.py::T::test_0", "test_a.py::T::test_1", "test_a.py::T::test_gone"}
    assert scoreboard.regressions(known, outcomes("1")) == ["test_a.py::T::test_1", "test_a.py::T::test_gone"]


def test_page_names_what_failed_with_its_reason() -> None:
    left_out = {"test_a.py::T::test_1": "3.0 differs"}
    some = outcomes("0", "1")
    page = scoreboard.render("title", KINDS, some, left_out, scoreboard.judge(KINDS, some, left_out, SKIPPED))
    assert "| test_a.py | 96/98 | 1/2 |" in page
    assert "`test_a.py::T::test_0` (F): failed: E" in page
    assert "`test_a.py::T::test_1` (F): failed: not counted: 3.0 differs" in page


def test_the_lists_in_the_repository_fit_together() -> None:
    kinds = scoreboard.classes()
    counts = {kind: list(kinds.values()).count(kind) for kind in scoreboard.KINDS}
    assert (len(kinds), counts["F"], counts["S"], counts["K1"]) == (647, 296, 101, 34)
    assert set(scoreboard.not_counted()) <= {test for test, kind in kinds.items() if kind in scoreboard.FAIR}
    assert len(scoreboard.not_counted()) <= scoreboard.NOT_COUNTED_AT_MOST
    assert scoreboard.expected() <= set(kinds)
    assert upstream_skips() <= set(kinds)
