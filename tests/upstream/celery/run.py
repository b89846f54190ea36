"""Runs Celery's own tests and writes the scoreboard.

    python -m tests.upstream.celery.run --package WHEEL             # the shim; red on a regression or below a gate
    python -m tests.upstream.celery.run --package WHEEL --update    # the same; rewrites expected.json, scoreboard.md
    python -m tests.upstream.celery.run --real                      # the real celery: can the fair tests pass?

A test function counts as passed when all its items pass. Each file runs in a process of its own.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from . import environment, fairness, selection

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected.json"
SCOREBOARD = HERE / "scoreboard.md"
FILE_LIMIT = 420.0
WAITING = {"t/integration/test_canvas.py": 880.0}
"""Files whose tests wait ten seconds many times over, to see that nothing more happens; Celery needs 902 s there."""


@dataclass
class FileScore:
    """What became of the functions of one file."""

    path: str
    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    uncounted: dict[str, str] = field(default_factory=dict)

    @property
    def counted(self) -> int:
        """How many fair functions ran (skipped ones cannot be judged)."""
        return len(self.passed) + len(self.failed)


def run_file(python: Path, suite: Path, path: str, *, real: bool) -> list[dict[str, str]]:
    """Run one upstream file, an integration file with a Redis of its own; return its outcomes."""
    if not path.startswith("t/integration"):
        return _run_file(python, suite, path, real=real, port=None)
    with environment.redis() as port:
        return _run_file(python, suite, path, real=real, port=port)


def _run_file(python: Path, suite: Path, path: str, *, real: bool, port: int | None) -> list[dict[str, str]]:
    alias = [] if real else ["-p", "brokerless.compat.pytest_alias"]
    # the shim takes the URL and keeps results in memory; without it upstream skips a third of these files
    wants_redis = real or path.startswith(selection.REDIS_BACKEND)
    plugin = ["-p", "celery.contrib.pytest"] if path.startswith(selection.NEED_PLUGIN) else []
    limit = WAITING.get(path, FILE_LIMIT)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.jsonl"
        surroundings = {
            **os.environ,
            "UPSTREAM_REPORT": str(report),
            "PYTHONPATH": os.pathsep.join(part for part in (str(HERE), os.environ.get("PYTHONPATH", "")) if part),
            "C_FORCE_ROOT": "1",
            "WORKER_LOGLEVEL": "INFO",
            "TEST_BROKER": f"redis://127.0.0.1:{port}/0" if real and port else "memory://",
            "TEST_BACKEND": f"redis://127.0.0.1:{port}/0" if wants_redis and port else "cache+memory://",
            **({"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port)} if port else {}),
        }
        command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *alias, *plugin, "-p", "report_plugin"]
        # what upstream expects to fail may pass here: a chord that hangs in Celery, for one
        command += ["-o", "xfail_strict=false", "--timeout", "400" if path in WAITING else "60", path]
        try:
            done = subprocess.run(
                command,
                cwd=suite,
                env=surroundings,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=limit,
                check=False,
            )
            tail = done.stdout[-1500:]
        except subprocess.TimeoutExpired as error:
            tail = f"stopped after {limit:.0f} s: {error.stdout[-500:] if error.stdout else ''}"
            done = None
        outcomes = [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []
        if done is None:
            outcomes.append({"nodeid": path, "when": "collect", "outcome": "failed", "text": tail})
    if not outcomes:
        outcomes = [{"nodeid": path, "when": "collect", "outcome": "failed", "text": tail}]
    return outcomes


def score(suite: Path, path: str, outcomes: list[dict[str, str]]) -> FileScore:
    """Sort the functions of one file into passed, failed, skipped and not counted."""
    result = FileScore(path)
    kinds = fairness.classify(suite / path)
    by_function: dict[str, list[dict[str, str]]] = defaultdict(list)
    broken = ""
    for entry in outcomes:
        if entry["when"] == "collect":
            broken = entry["text"]
            continue
        by_function[entry["nodeid"].removeprefix(path + "::").split("[")[0]].append(entry)
    for name, kind in sorted(kinds.items()):
        full = f"{path}::{name}"
        lenient = path.startswith(selection.INCLUDED_PRIVATE)
        if full in selection.EXCLUDED:
            result.uncounted[name] = selection.EXCLUDED[full]
        elif kind == "mock" or (kind == "private" and not lenient):
            result.uncounted[name] = "replaces parts of Celery" if kind == "mock" else "reads private attributes"
        elif name not in by_function:
            if broken:
                result.failed[name] = (broken.strip().splitlines() or ["did not run"])[-1][:160]
            elif name.split("::")[0] in {key.split("::")[0] for key in by_function} or "::" not in name:
                result.failed[name] = "did not run"
            else:
                result.uncounted[name] = "not collected (a base class)"
        elif any(entry["outcome"] == "failed" for entry in by_function[name]):
            text = next(entry["text"] for entry in by_function[name] if entry["outcome"] == "failed")
            lines = [line for line in text.strip().splitlines() if line.strip()]
            result.failed[name] = next(
                (line[2:].strip() for line in reversed(lines) if line.startswith("E ")), lines[-1] if lines else ""
            )[:160]
        elif all(entry["outcome"] in ("skipped", "xfailed") for entry in by_function[name]):
            result.skipped.append(name)
        else:
            result.passed.append(name)
    return result


def share(scores: list[FileScore]) -> float:
    """Return passed / counted over some files."""
    counted = sum(entry.counted for entry in scores)
    return sum(len(entry.passed) for entry in scores) / counted if counted else 0.0


@dataclass
class Row:
    """A file's line of the scoreboard."""

    passed: int
    failed: int
    skipped: int
    why: str
    failing: list[tuple[str, str]] = field(default_factory=list)


def row_of(entry: FileScore) -> Row:
    """Return the line of a file that has just run."""
    reasons: dict[str, int] = defaultdict(int)
    for reason in entry.uncounted.values():
        reasons[reason] += 1
    return Row(
        len(entry.passed),
        len(entry.failed),
        len(entry.skipped),
        "; ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())),
        [(name, text.replace("|", "/").replace("`", "'")) for name, text in entry.failed.items()],
    )


def rows_of(page: str) -> dict[str, Row]:
    """Return the lines of a scoreboard by file: what a run of part of the files leaves as it was."""
    rows: dict[str, Row] = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 5 and cells[1].isdigit():
            rows[cells[0]] = Row(int(cells[1]), int(cells[2]), int(cells[3]), cells[4])
        elif len(cells) == 2 and "::" in cells[0]:
            path, _, name = cells[0].partition("::")
            if path in rows:
                rows[path].failing.append((name, cells[1].strip("`")))
    return rows


def scoreboard(rows: dict[str, Row], title: str) -> str:
    """Return the Markdown page: a table per gate, then why functions are not counted, then what fails."""
    lines = [
        "# Celery 5.7.0's own tests against " + title,
        "",
        "Written by `python -m tests.upstream.celery.run --update`; do not edit.",
        "",
    ]
    for gate in selection.GATES:
        chosen = [(path, rows[path]) for path in gate.files if path in rows]
        if not chosen:
            continue
        passed = sum(row.passed for _, row in chosen)
        counted = passed + sum(row.failed for _, row in chosen)
        lines += [
            f"## {gate.name}: {passed} of {counted} fair functions pass ({passed / counted:.1%}; gate {gate.least:.0%})",
            "",
        ]
        lines += ["| file | passed | failed | skipped | not counted |", "|---|---|---|---|---|"]
        for path, row in chosen:
            lines.append(f"| {path} | {row.passed} | {row.failed} | {row.skipped} | {row.why} |")
        lines.append("")
    lines += ["## Files left out", "", "| file | why |", "|---|---|"]
    lines += [f"| {path} | {why} |" for path, why in selection.FILES_LEFT_OUT.items()]
    failing = [(path, name, text) for path, row in rows.items() for name, text in row.failing]
    if failing:
        lines += ["", "## Fair functions that fail", "", "| function | how |", "|---|---|"]
        lines += [f"| {path}::{name} | `{text}` |" for path, name, text in failing]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run, score, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", action="store_true", help="run against the real celery (no alias)")
    parser.add_argument("--package", help="wheel or project folder of brokerless to install")
    parser.add_argument("--python", type=Path, help="use this interpreter as it is")
    parser.add_argument("--only", help="files that contain this text")
    parser.add_argument("--gate", choices=[gate.name for gate in selection.GATES], help="one gate only")
    parser.add_argument("--update", action="store_true", help="write expected.json and scoreboard.md")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    suite = environment.sources()
    python = options.python or environment.python(options.real, options.package)
    gates = [gate for gate in selection.GATES if options.gate in (None, gate.name)]
    files = [path for gate in gates for path in gate.files if not options.only or options.only in path]
    files.sort(key=lambda path: path not in WAITING)  # what takes longest begins first
    scores: dict[str, FileScore] = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        waiting = {pool.submit(run_file, python, suite, path, real=options.real): path for path in files}
        for done in concurrent.futures.as_completed(waiting):
            entry = scores[waiting[done]] = score(suite, waiting[done], done.result())
            print(
                f"{entry.path}: {len(entry.passed)} passed, {len(entry.failed)} failed, "
                f"{len(entry.uncounted)} not counted",
                flush=True,
            )
            for name, text in entry.failed.items():
                print(f"    {name}: {text}")
    passing = sorted(f"{path}::{name}" for path, entry in scores.items() for name in entry.passed)
    known = set(json.loads(EXPECTED.read_text())) if EXPECTED.exists() else set()
    lost = sorted(name for name in known if name.split("::")[0] in scores and name not in passing)
    red = False
    for gate in gates:
        reached = share([scores[path] for path in gate.files if path in scores])
        complete = all(path in scores for path in gate.files)
        red |= complete and reached < gate.least
        print(
            f"{gate.name}: {reached:.1%} of the fair functions pass (gate {gate.least:.0%}"
            f"{'' if complete else ', part of the files'})"
        )
    if options.real:
        return 0
    if options.update:
        kept = {name for name in known if name.split("::")[0] not in scores}
        EXPECTED.write_text(json.dumps(sorted(kept | set(passing)), indent=0) + "\n")
        rows = rows_of(SCOREBOARD.read_text()) if SCOREBOARD.exists() else {}
        rows.update((path, row_of(entry)) for path, entry in scores.items())
        listed = [path for gate in selection.GATES for path in gate.files if path in rows]
        SCOREBOARD.write_text(scoreboard({path: rows[path] for path in listed}, "the shim"))
        return int(red)
    for name in lost:
        print(f"REGRESSION {name}")
    return int(red or bool(lost))


if __name__ == "__main__":
    raise SystemExit(main())
