"""Runs rq 2.12's own tests, unmodified, against the shim (or, with --real, against rq and Redis).

    python -m tests.upstream.rq.run                   the shim: scoreboard, gate, regressions
    python -m tests.upstream.rq.run --real            proof of the runner: real rq in a network namespace
    python -m tests.upstream.rq.run --update          the shim, and keep what passes as expected.txt
    python -m tests.upstream.rq.run test_queue.py     some files only; no gate

The tests run in a virtual environment of their own (``--python`` names its interpreter): without
rq and redis for the shim, with both for --real. One process a file; a test that hangs or takes its
process along is marked so, and the rest of the file runs in the next process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import IO

from . import network
from .scoreboard import HERE, Outcome, classes, expected, judge, not_counted, regressions, render
from .sdist import CACHE, lay_out

VERSION = "2.12.0"
ROOT = HERE.parent.parent.parent
TOOLS = ("pytest>=8", "pytest-timeout>=2.3", "psutil", "click", "croniter")
ALIAS = ("-p", "brokerless.compat.pytest_alias")
TEST_SECONDS = 60
FILE_SECONDS = 900


def environment(real: str | None, python: str | None) -> str:
    """Return the interpreter to run with; make its environment when none is named."""
    if python is not None:
        return python
    folder = CACHE / (f"venv-real-{real}" if real else "venv-shim")
    interpreter = folder / "bin" / "python"
    if not interpreter.exists():
        venv.create(folder, with_pip=True)
    wanted = [f"rq=={real}", "redis"] if real else [str(ROOT)]
    subprocess.run([str(interpreter), "-m", "pip", "install", "--quiet", *TOOLS, *wanted], check=True)
    return str(interpreter)


def check(interpreter: str, real: bool) -> None:
    """Refuse an environment whose rq is not the one that is meant."""
    probe = "import importlib.util as u; print(*(n for n in ('rq', 'redis') if u.find_spec(n)))"
    found = subprocess.run(
        [interpreter, "-c", probe], capture_output=True, text=True, check=True, cwd="/"
    ).stdout.split()
    if real and found != ["rq", "redis"]:
        raise SystemExit(f"{interpreter} has no rq or no redis")
    if not real and found:
        raise SystemExit(f"{interpreter} has {' and '.join(found)}: the shim's run needs an environment without them")


def run_group(command: list[str], folder: Path, variables: dict[str, str], log: IO[str]) -> str:
    """Run pytest as the head of a process group, end the whole group, and say how it ended."""
    process = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log, start_new_session=True)
    try:
        process.wait(timeout=FILE_SECONDS)
        return "ended its process"
    except subprocess.TimeoutExpired:
        return f"hung the file for {FILE_SECONDS} s"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run_file(interpreter: str, folder: Path, name: str, real: bool) -> dict[str, Outcome]:
    """Run one test file to its end, in as many processes as that takes."""
    outcomes: dict[str, Outcome] = {}
    report, done = folder / "outcomes.jsonl", folder / "done.txt"
    variables = dict(os.environ)
    variables.update(UPSTREAM_OUTCOMES=str(report), UPSTREAM_SKIP=str(done), PYTHONPATH=str(HERE))
    variables["PATH"] = str(Path(interpreter).parent) + os.pathsep + variables["PATH"]
    variables["PYTHONDONTWRITEBYTECODE"] = "1"
    if not real:
        variables["BROKERLESS_AUTOSTART"] = "0"
    # by a thread, because workers use SIGALRM themselves
    command = [interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "upstream_outcomes"]
    command += [] if real else list(ALIAS)
    command += [f"--timeout={TEST_SECONDS}", "--timeout-method=thread", f"tests/{name}"]
    while True:
        report.write_text("")
        done.write_text("\n".join(outcomes))
        before = len(outcomes)
        with open(folder / f"{name}.log", "a", encoding="utf-8") as log:
            ending = run_group(command, folder, variables, log)
        running = None
        collected: list[str] = []
        for line in report.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if "begin" in entry:
                running = entry["begin"]
            elif "id" in entry:
                outcomes[entry["id"]] = Outcome(entry["outcome"], entry["why"])
                running = None
            elif "collected" in entry:
                collected = entry["collected"]
            elif "uncollected" in entry:
                outcomes[entry["uncollected"]] = Outcome("failed", entry["why"])
        if running is not None:
            outcomes[running] = Outcome("crashed", ending)
        if not (set(collected) - set(outcomes)) or len(outcomes) == before:
            return outcomes


def spread(kinds: dict[str, str], outcomes: dict[str, Outcome]) -> None:
    """Give the reason of a file that cannot be imported to each of its tests."""
    for test in kinds:
        name = test.split("::")[0]
        if name in outcomes and test not in outcomes:
            outcomes[test] = Outcome("failed", f"the file is not collected: {outcomes[name].why}")


def upstream_skips(path: Path = HERE / "skipped_upstream.txt") -> set[str]:
    """Return the tests that were skipped when the real package ran."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {line for line in lines if line and not line.startswith("#")}


def keep(path: Path, comment: str, tests: list[str]) -> None:
    """Write a list of tests, one a line."""
    path.write_text(f"# {comment}\n" + "".join(f"{test}\n" for test in sorted(tests)), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Run, write the scoreboard, and return 1 when the gate is shut or a test regressed."""
    parser = argparse.ArgumentParser(prog="tests.upstream.rq.run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", help="test files; all when none is named")
    parser.add_argument("--real", nargs="?", const=VERSION, help="run against this release of rq, with redis-server")
    parser.add_argument("--python", help="interpreter of an environment that is ready")
    parser.add_argument("--update", action="store_true", help="write what passes as the expected list")
    parser.add_argument("--scoreboard", type=Path, help="where to write the table")
    options = parser.parse_args(arguments)
    real = options.real is not None
    interpreter = environment(options.real, options.python)
    if real and not network.inside():
        obstacle = network.obstacle()
        if obstacle is not None:
            raise SystemExit(f"the real package cannot be run here: {obstacle}")
        lay_out(VERSION, CACHE / "real")
        return network.again(arguments if options.python else [*arguments, "--python", interpreter])
    check(interpreter, real)
    folder = CACHE / ("real" if real else "shim")
    if not network.inside():
        lay_out(VERSION, folder)
    kinds = classes()
    names = options.files or sorted({test.split("::")[0] for test in kinds})
    begin = time.monotonic()
    server = network.start_redis() if real else None
    try:
        outcomes: dict[str, Outcome] = {}
        for name in names:
            some = run_file(interpreter, folder, name, real)
            states = [outcome.state for outcome in some.values()]
            print(f"{name}: {states.count('passed')} of {len(states)} pass", flush=True)
            outcomes.update(some)
    finally:
        if server is not None:
            server.terminate()
            server.wait()
    spread(kinds, outcomes)
    return report(options, kinds, outcomes, time.monotonic() - begin)


def report(options: argparse.Namespace, kinds: dict[str, str], outcomes: dict[str, Outcome], seconds: float) -> int:
    """Print and write what came of the run; return the exit code."""
    real = options.real is not None
    unknown = sorted(test for test in outcomes if test not in kinds and "::" in test)
    if unknown:
        print("tests without a class:", *unknown, sep="\n  ")
    wanted = {test: kind for test, kind in kinds.items() if not options.files or test.split("::")[0] in options.files}
    left_out = {test: why for test, why in not_counted().items() if test in wanted}
    skips = {test for test, outcome in outcomes.items() if outcome.state == "skipped"} if real else upstream_skips()
    verdict = judge(wanted, outcomes, {} if real else left_out, skips)
    title = f"rq {VERSION}'s tests against " + (f"rq {options.real}" if real else "the shim")
    page = render(title, wanted, outcomes, {} if real else left_out, verdict)
    target = options.scoreboard or (HERE / "SCOREBOARD.md" if not real and not options.files else None)
    if target is not None:
        target.write_text(page, encoding="utf-8")
    print(page)
    print(f"{seconds:.0f} s")
    passed = [test for test, outcome in outcomes.items() if outcome.state == "passed" and test in kinds]
    if real:
        if options.update and options.real == VERSION:
            keep(HERE / "skipped_upstream.txt", f"Skipped by rq {VERSION} with its own package.", sorted(skips))
        return 0 if verdict.share == 1.0 or options.real != VERSION else 1
    lost = [] if options.update else regressions(expected() & set(wanted), outcomes)
    if options.update and not options.files:
        keep(
            HERE / "expected.txt",
            "The tests that the shim passes; a test that leaves this list is a regression.",
            passed,
        )
    for test in lost:
        print("regression:", test, outcomes.get(test, Outcome("missing")))
    return 1 if lost or (not options.files and not verdict.good) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
