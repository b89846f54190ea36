"""The RQ shim beside the real RQ (SimpleWorker and forking Worker over a private Redis) and huey in memory.

    python benchmarks/rq_shim.py              five rounds, medians, ratios
    python benchmarks/rq_shim.py --rounds 1   a quick look

Every round runs all sides one after the other, each in a process of its own. What is not comparable: the real RQ keeps
its jobs in another process and survives a crash of this one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import celery_setups as setups

SIDE = Path(__file__).resolve().parent / "rq_side.py"
JOBS = {"shim": 50_000, "rq-simple": 1_000, "rq-fork": 100, "huey": 5_000}
BYTECODE = tempfile.TemporaryDirectory(prefix="bench-rq-bytecode-")
setups.PACKAGES.setdefault("rq", ["rq==3.0.0", "redis"])


def with_bytecode() -> dict[str, str]:
    """This environment, with bytecode kept as it is after an installation."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": BYTECODE.name}


def measure(side: str, python: str, port: int) -> dict[str, Any] | None:
    """One side's figures; None when it could not be run."""
    environment = with_bytecode() if side == "shim" else setups.clean_environment()
    command = [python, str(SIDE), side, "--port", str(port), "--jobs", str(JOBS[side])]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    lines = run.stdout.strip().splitlines()
    if run.returncode or not lines:
        print(f"{side}: {run.stderr.strip()[-500:]}", file=sys.stderr)
        return None
    return dict(json.loads(lines[-1]))


def import_ms(module: str) -> float:
    """Milliseconds that the import of a module takes in a new process."""
    code = f"import time; t = time.perf_counter(); import {module}; print((time.perf_counter() - t) * 1e3)"
    times = []
    for _ in range(5):
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/", env=with_bytecode()
        )
        times.append(float(run.stdout))
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    pythons = {"shim": sys.executable}
    rq = setups.environment("rq")
    if rq is not None:
        pythons.update({"rq-simple": rq, "rq-fork": rq})
    huey = setups.environment("huey")
    if huey is not None:
        pythons["huey"] = huey
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in pythons}
    server = setups.Redis()
    try:
        for number in range(given.rounds):
            for side, python in pythons.items():
                figures = measure(side, python, server.port)
                if figures is not None:
                    found[side].append(figures)
            print(f"round {number + 1} of {given.rounds}", file=sys.stderr, flush=True)
    finally:
        server.stop()
    report(found)


def report(found: dict[str, list[dict[str, Any]]]) -> None:
    """The table."""

    def median(side: str, name: str) -> float:
        values = [figures[name] for figures in found.get(side, ()) if name in figures]
        return statistics.median(values) if values else float("nan")

    print(
        f"{platform.platform()}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    print("\n| side | enqueue/s | enqueue, run, result/s |\n|---|---|---|")
    for side in found:
        print(f"| {side} | {median(side, 'enqueue'):,.0f} | {median(side, 'through'):,.0f} |")
    enqueue, through = median("shim", "enqueue"), median("shim", "through")
    trips = [figures["idle"] for figures in found["shim"]]
    idle = statistics.median(trip["p50"] for trip in trips)
    tail = statistics.median(trip["p99"] for trip in trips)
    rows = [
        ("enqueue ÷ rq", f"{enqueue / median('rq-simple', 'enqueue'):,.0f} ×", "30 ×", "100 ×"),
        ("enqueue/s", f"{enqueue:,.0f}", "75,000", "200,000"),
        ("through ÷ SimpleWorker", f"{through / median('rq-simple', 'through'):,.0f} ×", "60 ×", "150 ×"),
        ("through ÷ forking Worker", f"{through / median('rq-fork', 'through'):,.0f} ×", "250 ×", "600 ×"),
        ("idle enqueue → return_value, p50", f"{idle:,.0f} µs (p99 {tail:,.0f} µs)", "150 µs", "60 µs"),
        ("bytes for each finished job", f"{median('shim', 'bytes'):,.0f}", "2,048", ""),
        ("count of 100,000 finished jobs", f"{median('shim', 'count_ms'):.3f} ms", "", ""),
        ("import of the shim after brokerless", f"{median('shim', 'import_ms'):,.0f} ms", "60 ms", ""),
        ("import of both", f"{import_ms('brokerless.compat.rq_shim'):,.0f} ms", "", ""),
    ]
    print("\n| measure | found | floor | goal |\n|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
