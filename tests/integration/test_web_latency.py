"""The benchmark of web latency runs: a real server under load answers, and a row comes out. No figure is judged."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")


def test_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import web_latency

    try:
        row = web_latency.row("computing", 0.2, 10, 0)
    finally:
        for name in ("web_latency", "report"):
            sys.modules.pop(name, None)
    assert row.measure == "GET /ping at 10/s beside 2 tasks that add numbers in Python"
    assert row.ours.startswith("p99 ")
    assert row.control.startswith("bare threads: p99 ")
    assert row.ratio is not None
    assert row.ratio > 0
