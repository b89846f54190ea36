"""pytest plugin: writes one JSON line per test outcome to the file named by UPSTREAM_REPORT.

Does not import the project: it is loaded by the upstream run, from this folder.
"""

from __future__ import annotations

import json
import os
from typing import Any


def _write(**entry: Any) -> None:
    with open(os.environ["UPSTREAM_REPORT"], "a", encoding="utf-8") as report:
        report.write(json.dumps(entry) + "\n")


def pytest_runtest_logreport(report: Any) -> None:
    """Note a call, or a set-up or tear-down that went wrong or was skipped."""
    if report.when == "call" or report.outcome != "passed":
        outcome = "xfailed" if hasattr(report, "wasxfail") and report.outcome == "skipped" else report.outcome
        text = "" if report.outcome == "passed" else str(report.longrepr)[-600:]
        _write(nodeid=report.nodeid, when=report.when, outcome=outcome, text=text)


def pytest_collectreport(report: Any) -> None:
    """Note a file that cannot be collected."""
    if report.failed:
        _write(nodeid=report.nodeid, when="collect", outcome="failed", text=str(report.longrepr)[-600:])
