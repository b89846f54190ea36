"""Medians, quantiles, and the table that a benchmark prints and keeps: Markdown for people, JSON for tools."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Row", "machine", "markdown", "paired", "quantile", "write"]


@dataclass
class Row:
    """One line: what was measured, our figure, the control's, their ratio, and what the ratio should be."""

    measure: str
    ours: str
    control: str
    ratio: float | None
    target: str
    met: bool | None


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile (0..1) of the values, without interpolation."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def paired(runs: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Runs the measures in turn, `runs` times, so that a slow moment of the machine hits all of them.

    One round before is not counted. Returns one list per measure.
    """
    for measure in measures:
        measure()
    rounds = [[measure() for measure in measures] for _ in range(runs)]
    return [list(column) for column in zip(*rounds, strict=True)]


def median_ratio(ours: Sequence[float], control: Sequence[float]) -> float:
    """The median of the ratios round by round."""
    return statistics.median(a / b for a, b in zip(ours, control, strict=True))


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    model = ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next(
            (line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line), ""
        )
    return {
        "cpu": model or platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| measure | brokerless | control | ratio | target | met |", "|---|---|---|---|---|---|"]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        met = "" if row.met is None else ("yes" if row.met else "no")
        lines.append(f"| {row.measure} | {row.ours} | {row.control} | {ratio} | {row.target} | {met} |")
    return "\n".join(lines)


def write(rows: list[Row], json_path: str | None, versions: dict[str, Any]) -> None:
    """Prints the table, and keeps everything as JSON where asked to."""
    about = {**machine(), **versions, "command": " ".join(["python", *sys.argv])}
    print(markdown(rows))
    print()
    print(", ".join(f"{key}: {value}" for key, value in about.items()))
    if json_path is not None:
        Path(json_path).parent.mkdir(parents=True, exist_ok=True)
        Path(json_path).write_text(json.dumps({"about": about, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")
