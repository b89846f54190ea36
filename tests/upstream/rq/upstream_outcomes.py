"""A pytest plugin that writes each outcome to a file at once, so that a crash loses one test only.

The file named by ``UPSTREAM_OUTCOMES`` gets one JSON object a line: ``{"begin": id}`` before a
test, ``{"id": ..., "outcome": ..., "why": ...}`` after it. ``UPSTREAM_SKIP`` names a file of ids
that were dealt with in an earlier run of the same file. Loaded by name from the folder it is in.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

_verdict: dict[str, tuple[str, str]] = {}


def _write(entry: dict[str, Any]) -> None:
    with open(os.environ["UPSTREAM_OUTCOMES"], "a", encoding="utf-8") as stream:
        stream.write(json.dumps(entry) + "\n")


def _plain(node_id: str) -> str:
    return node_id.removeprefix("tests/")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what an earlier run has answered, and name what was collected."""
    done = set(Path(os.environ["UPSTREAM_SKIP"]).read_text().split())
    kept = [item for item in items if _plain(item.nodeid) not in done]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
    _write({"collected": [_plain(item.nodeid) for item in items]})


def pytest_runtest_logstart(nodeid: str) -> None:
    """Note that a test begins."""
    _write({"begin": _plain(nodeid)})


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst phase of a test; write it after its tear-down."""
    node_id = _plain(report.nodeid)
    if report.failed:
        lines = str(report.longrepr).strip().splitlines()
        errors = [line for line in lines if line.startswith("E ")]
        _verdict[node_id] = ("failed", (errors or lines or [""])[0].removeprefix("E").strip()[:200])
    elif report.skipped and node_id not in _verdict:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _verdict[node_id] = ("skipped", why[:200])
    if report.when == "teardown":
        outcome, why = _verdict.pop(node_id, ("passed", ""))
        _write({"id": node_id, "outcome": outcome, "why": why})


def pytest_unconfigure() -> None:
    """End the worker processes that a failed test has left, which Python would wait for at its exit."""
    for child in multiprocessing.active_children():
        child.kill()


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Write a file that cannot be imported."""
    if report.failed:
        lines = [line for line in str(report.longrepr).splitlines() if line.startswith("E ")]
        _write({"uncollected": _plain(report.nodeid), "why": (lines or [""])[-1].removeprefix("E").strip()[:200]})
