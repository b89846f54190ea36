"""The Celery shim beside the real Celery in one run: `python benchmarks/celery_shim.py [--quick] [--json FILE]`.

Sides: the shim; Celery 5.7 over a private Redis with a prefork worker and with a threaded one (two each), and with its
memory broker and a worker in process; huey's memory storage; potatoq over SQLite. Rounds of all sides alternate; a
ratio is the median of the rounds' ratios. Nothing here runs in tests.

Not comparable: Celery over Redis survives the end of the client and uses other cores; the shim does neither.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from celery_beat import lateness_rows
from celery_canvas import canvas_rows
from celery_setups import PACKAGES, Redis, Side, environment
from report import Row, machine, median_ratio, quantile, write

SHIM, PREFORK, THREADS, MEMORY, HUEY, POTATOQ = (
    "brokerless",
    "Celery, Redis, prefork -c2",
    "Celery, Redis, threads -c2",
    "Celery, memory broker, in process",
    "huey, memory",
    "potatoq, SQLite",
)
# Celery's memory broker looks for work once a second or so: a handful of tasks takes long enough.
COUNTS = {
    "submit": {SHIM: 20_000, PREFORK: 1000, THREADS: 1000, MEMORY: 60, HUEY: 5000, POTATOQ: 300},
    "whole": {SHIM: 50_000, PREFORK: 1000, THREADS: 1000, MEMORY: 40, HUEY: 5000, POTATOQ: 300},
    "trips": {SHIM: 2000, PREFORK: 200, THREADS: 200, MEMORY: 5, HUEY: 100, POTATOQ: 30},
    "keep": {SHIM: 100_000, HUEY: 20_000},
    "canvas": {SHIM: 100, PREFORK: 5, THREADS: 5},
    "lateness": {SHIM: 40, PREFORK: 40, THREADS: 40},
}
Figures = dict[str, list[float]]


def start(sides: list[Side], oracle_python: str | None, redis: Redis | None, folder: Path) -> None:
    """All sides that can be had here are added to `sides`; what is missing is named on standard error."""
    sides.append(Side(SHIM, sys.executable, "client", {"BENCH_SIDE": "shim", "BENCH_BACKEND": "", "BENCH_BROKER": ""}))
    real = oracle_python or environment("celery")
    if real is not None:
        if redis is not None:
            for name, pool, database in ((PREFORK, "prefork", 0), (THREADS, "threads", 2)):
                variables = {
                    "BENCH_SIDE": "celery",
                    "BENCH_BROKER": redis.url(database),
                    "BENCH_BACKEND": redis.url(database + 1),
                }
                worker = [
                    "celery",
                    "-A",
                    "celery_tasks",
                    "worker",
                    "-P",
                    pool,
                    "-c",
                    "2",
                    "-l",
                    "ERROR",
                    "-n",
                    f"{pool}@bench",
                ]
                sides.append(Side(name, real, "client", variables, worker))
        variables = {"BENCH_SIDE": "celery", "BENCH_BROKER": "memory://", "BENCH_BACKEND": "cache+memory://"}
        sides.append(Side(MEMORY, real, "in-process", variables))
    python = environment("huey")
    if python is not None:
        sides.append(Side(HUEY, python, "huey", {"BENCH_SIDE": "huey"}))
    python = environment("potatoq") if sys.version_info >= (3, 11) else None
    if python is not None:
        variables = {
            "BENCH_SIDE": "potatoq",
            "BENCH_BROKER": f"sqlite:///{folder}/potatoq.sqlite3",
            "BENCH_BACKEND": "broker",
        }
        sides.append(Side(POTATOQ, python, "client", variables, ["potatoq", "-A", "celery_tasks", "worker", "-c", "2"]))


def private_redis() -> Redis | None:
    try:
        return Redis()
    except FileNotFoundError as missing:
        print(f"no Redis rows: {missing}", file=sys.stderr)
        return None


def rounds(sides: list[Side], what: str, runs: int, scale: float) -> dict[str, list[object]]:
    """The measure on every side in turn, `runs` times."""
    counts = COUNTS[what]
    found: dict[str, list[object]] = {side.name: [] for side in sides if side.name in counts}
    for number in range(runs):
        print(f"{what}: round {number + 1} of {runs}", file=sys.stderr, flush=True)
        for side in sides:
            if side.name in counts:
                found[side.name].append(side.measure(what, max(int(counts[side.name] * scale), 4)))
    return found


def rate_rows(title: str, figures: Figures, floors: tuple[float, float], targets: str) -> list[Row]:
    """Tasks a second, one row per control; the target is checked against the prefork row."""
    ours = figures[SHIM]
    rows = []
    for name, theirs in figures.items():
        if name == SHIM:
            continue
        ratio = median_ratio(ours, theirs)
        judged = name == PREFORK
        rows.append(
            Row(
                f"{title}, against {name}",
                f"{statistics.median(ours):,.0f}/s",
                f"{statistics.median(theirs):,.1f}/s",
                ratio,
                targets if judged else "",
                (ratio >= floors[0] and statistics.median(ours) >= floors[1]) if judged else None,
            )
        )
    return rows


def trip_rows(found: dict[str, list[object]]) -> list[Row]:
    """Idle round trips: the median over the rounds of each round's quantiles."""

    def of(name: str, q: float) -> list[float]:
        return [quantile(trips, q) for trips in found[name]]  # type: ignore[arg-type]

    rows = []
    for q, label, limit, target in (
        (0.5, "p50", 150.0, "floor 150 µs, goal 60 µs"),
        (0.99, "p99", 1000.0, "floor 1 ms"),
    ):
        ours = of(SHIM, q)
        for number, name in enumerate(name for name in found if name != SHIM):
            theirs = of(name, q)
            rows.append(
                Row(
                    f"idle delay().get(), {label}, against {name}",
                    f"{statistics.median(ours):,.0f} µs",
                    f"{statistics.median(theirs):,.0f} µs",
                    median_ratio(theirs, ours),
                    target if number == 0 else "",
                    statistics.median(ours) <= limit if number == 0 else None,
                )
            )
    return rows


def memory_rows(sides: list[Side], redis: Redis | None, scale: float) -> list[Row]:
    """Bytes per result that is kept, in processes that have done nothing else; for Redis what the server holds."""
    used = {side.name: side for side in sides}

    def fresh(name: str) -> tuple[float, int]:
        side, count = used[name].again(), int(COUNTS["keep"][name] * scale)
        try:
            return side.measure("keep", count), count
        finally:
            side.stop()

    ours, count = fresh(SHIM)
    targets, rows = ("floor 1,536 B, goal 819 B", ours <= 1536), []
    if redis is not None and PREFORK in used:
        number = max(int(2000 * scale), 4)
        before = redis.used()
        used[PREFORK].measure("whole", number)
        theirs = (redis.used() - before) / number
        rows.append(
            Row(
                f"memory per kept result ({count:,}), against {PREFORK}, in the server",
                f"{ours:,.0f} B",
                f"{theirs:,.0f} B",
                theirs / ours,
                *targets,
            )
        )
    if HUEY in used:
        theirs, _ = fresh(HUEY)
        rows.append(
            Row(
                f"memory per kept result ({count:,}), against {HUEY}",
                f"{ours:,.0f} B",
                f"{theirs:,.0f} B",
                theirs / ours,
                *(("", None) if rows else targets),
            )
        )
    return rows


def start_rows(sides: list[Side], runs: int) -> list[Row]:
    """Import, and the first task from process start; the bare interpreter is shown, not subtracted."""
    chosen = [side for side in sides if side.name in (SHIM, PREFORK, POTATOQ)]
    measures = {
        "import of the Celery class, processor time of the process": Side.imported,
        "process start to first result": Side.first_task,
    }
    rows = []
    for title, measure in measures.items():
        found: Figures = {side.name: [] for side in chosen}
        for side in chosen:
            measure(side)
        for _ in range(2 * runs):
            for side in chosen:
                found[side.name].append(measure(side))
        ours = found[SHIM]
        for name in found:
            if name == SHIM:
                continue
            ratio = median_ratio(found[name], ours)
            judged = name == PREFORK
            rows.append(
                Row(
                    f"{title}, against {name}",
                    f"{statistics.median(ours) * 1e3:,.0f} ms",
                    f"{statistics.median(found[name]) * 1e3:,.0f} ms",
                    ratio,
                    "floor 1, goal 2" if judged else "",
                    ratio > 1 if judged else None,
                )
            )
    bare = statistics.median(chosen[0].bare() for _ in range(runs))
    rows.append(Row("a Python process that does nothing, processor time", f"{bare * 1e3:,.0f} ms", "", None, "", None))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the tasks, three rounds: shows that it runs, proves nothing"
    )
    parser.add_argument("--json", help="also write the figures to this file")
    parser.add_argument("--runs", type=int, help="rounds (5)")
    parser.add_argument(
        "--oracle-python", help="a Python that has celery 5.7 and redis; else one is made in the cache folder"
    )
    said = parser.parse_args()
    runs = said.runs or (3 if said.quick else 5)
    scale = 0.1 if said.quick else 1.0
    before = machine()["load_before"]
    with tempfile.TemporaryDirectory(prefix="bench-celery-") as folder:
        sides: list[Side] = []
        redis = private_redis()
        try:
            start(sides, said.oracle_python, redis, Path(folder))
            rounds(sides, "whole", 1, scale * 0.2)
            rows = rate_rows(
                "noop.delay(1), bursts of 1,000",
                rounds(sides, "submit", runs, scale),
                (40, 100_000),
                "floor 40 x and 100,000/s; goal 100 x, 250,000/s",
            )  # type: ignore[arg-type]
            rows += rate_rows(
                "delay, run, store, all seen",
                rounds(sides, "whole", runs, scale),
                (40, 40_000),
                "floor 40 x and 40,000/s; goal 100 x, 120,000/s",
            )  # type: ignore[arg-type]
            rows += trip_rows(rounds(sides, "trips", runs, scale))
            rows += canvas_rows(rounds(sides, "canvas", runs, scale), SHIM, PREFORK, Row)
            rows += lateness_rows(rounds(sides, "lateness", runs, scale), SHIM, Row)
            rows += memory_rows(sides, redis, scale)
            rows += start_rows(sides, runs)
        finally:
            for side in sides:
                side.stop()
            if redis is not None:
                redis.stop()
    write(
        rows, said.json, {"celery": PACKAGES["celery"][0], "rounds": runs, "load_at_start": before, "quick": said.quick}
    )


if __name__ == "__main__":
    main()
