"""Runs one conformance test on two sides: the real package ("oracle") and our shim.

A test states behaviour with plain asserts, and calls ``observed(label, value)`` for whatever is
better compared than asserted. On the oracle side the observations can be written to
``records/<module>.json`` beside the test module; on the shim side they must equal that record.
A test without a record entry fails on the shim side: nobody has proved that the oracle passes it.

Side and mode come from the environment, so that one pytest command line serves both:
``CONFORMANCE_SIDE=oracle|shim`` (default shim) and ``CONFORMANCE_RECORD=1`` (oracle only: write
the record instead of comparing with it).

A deliberate difference is ``observed(label, value, shim=other, row="id")``: the shim must answer
``other``, and ``row`` names the row of migration_guides/differences.md that gives the reason. Where
the difference is a course of events, ``if observed.differs("id"):`` opens the shim's branch.

Does not start servers or import Celery or RQ: the conftest of each oracle does that.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

SIDE = os.environ.get("CONFORMANCE_SIDE", "shim")
RECORD = os.environ.get("CONFORMANCE_RECORD") == "1"
_MISSING = object()


def plain(value: Any) -> Any:
    """Return ``value`` as JSON would give it back; what JSON cannot hold becomes its repr; no addresses."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return re.sub(r" at 0x[0-9a-f]+", "", value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


class Observer:
    """Collects the observations of one test and, on the shim side, compares them as they come."""

    def __init__(self, test_id: str, recorded: dict[str, Any] | None, rows: set[str]) -> None:
        self.test_id = test_id
        self.recorded = recorded
        self.rows = rows
        self.seen: dict[str, Any] = {}

    def __call__(self, label: str, value: Any, *, shim: Any = _MISSING, row: str | None = None) -> None:
        if label in self.seen:
            raise AssertionError(f"label {label!r} is observed twice in {self.test_id}")
        if (shim is _MISSING) != (row is None):
            raise AssertionError(f"{label!r}: a deliberate difference needs both shim= and row=")
        self.seen[label] = plain(value)
        if row is not None and row not in self.rows:
            raise AssertionError(f"row {row!r} is missing in migration_guides/differences.md")
        if SIDE == "oracle" and RECORD:
            return
        expected = plain(shim) if SIDE == "shim" and shim is not _MISSING else self._expected(label)
        assert self.seen[label] == expected, f"{label}: oracle answered {expected!r}, got {self.seen[label]!r}"

    def differs(self, row: str) -> bool:
        """Return True on the shim side, where the deliberate difference ``row`` applies; the row must exist."""
        assert row in self.rows, f"row {row!r} is missing in migration_guides/differences.md"
        return SIDE == "shim"

    def _expected(self, label: str) -> Any:
        if self.recorded is None or label not in self.recorded:
            raise AssertionError(f"no record for {label!r} of {self.test_id}: run `make oracle-record`")
        return self.recorded[label]


def record_path(test_file: Path) -> Path:
    """Return where the oracle's answers for the tests of ``test_file`` are kept."""
    return test_file.parent / "records" / f"{test_file.stem}.json"


def load_record(path: Path) -> dict[str, Any]:
    """Return the recorded answers by test id; empty when nothing was recorded yet."""
    return json.loads(path.read_text()) if path.exists() else {}


def difference_rows(root: Path) -> set[str]:
    """Return the row ids of differences.md: the first cell of each table row, in backquotes."""
    page = root / "migration_guides" / "differences.md"
    if not page.exists():
        return set()
    cells = (line.split("|")[1].strip() for line in page.read_text().splitlines() if line.startswith("| `"))
    return {cell.strip("`") for cell in cells}


@pytest.fixture
def observed(request: pytest.FixtureRequest) -> Any:
    """Yield the test's Observer; store or require its record afterwards."""
    path = record_path(Path(request.node.path))
    test_id = request.node.nodeid.split("::", 1)[1]
    entry = load_record(path).get(test_id)
    observer = Observer(test_id, entry, difference_rows(Path(request.config.rootpath)))
    yield observer
    if SIDE == "shim" and entry is None:
        pytest.fail(f"{test_id} has no oracle record: run `make oracle-record`")
    report = getattr(request.node, "conformance_report", None)
    if SIDE == "oracle" and RECORD and report is not None and report.passed:
        path.parent.mkdir(exist_ok=True)
        answers = load_record(path)
        answers[test_id] = observer.seen
        path.write_text(json.dumps(answers, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Keep the outcome of the call phase where the fixture's tear-down can see it."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.conformance_report = report  # type: ignore[attr-defined]
