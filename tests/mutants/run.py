"""Puts each break into a copy of the package and expects its tests to turn red.

    python -m tests.mutants.run [--package FOLDER] [--only TEXT] [--jobs 2]

Red (exit 1) when a break survives, when its text is no longer in the code, or when one of its tests fails without it.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib.machinery
import sys
import tempfile
from pathlib import Path

from . import celery, celery_canvas, rq
from .mutation import ROOT, Mutant, StaleMutant, folder_with, run_tests

MUTANTS = [*celery.MUTANTS, *celery_canvas.MUTANTS, *rq.MUTANTS]


def find_package() -> Path:
    """Return the folder of the installed brokerless; the one of this checkout is a part of it only."""
    elsewhere = [entry for entry in sys.path if Path(entry).resolve() != ROOT]
    spec = importlib.machinery.PathFinder.find_spec("brokerless", elsewhere)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("brokerless is not installed; name its folder with --package")
    return Path(next(iter(spec.submodule_search_locations)))


def try_mutant(mutant: Mutant, package: Path, scratch: Path) -> tuple[str, str]:
    """Return (killed | survived | stale | error, details)."""
    try:
        with folder_with(package, [mutant], scratch / mutant.name) as path:
            code, output = run_tests(mutant.tests, path)
    except StaleMutant as stale:
        return "stale", str(stale)
    if code == 1:
        return "killed", ""
    return ("survived", ", ".join(mutant.tests)) if code == 0 else ("error", output)


def main() -> int:
    """Run the tests without a break, then every break."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, help="folder of the package `brokerless`")
    parser.add_argument("--only", default="", help="breaks whose name contains this text")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    package = (options.package or find_package()).resolve()
    chosen = [mutant for mutant in MUTANTS if options.only in mutant.name]
    results: dict[str, tuple[str, str]] = {}
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        scratch = Path(name)
        tests = sorted({test for mutant in chosen for test in mutant.tests})
        with folder_with(package, [], scratch / "unbroken") as path:
            code, output = run_tests(tests, path)
        if code:
            print(output)
            print("the tests do not pass without a break")
            return 1
        waiting = {pool.submit(try_mutant, mutant, package, scratch): mutant for mutant in chosen}
        for done in concurrent.futures.as_completed(waiting):
            mutant = waiting[done]
            results[mutant.name] = done.result()
            print(f"{results[mutant.name][0]:9}{mutant.name} {results[mutant.name][1]}", flush=True)
    killed = sum(outcome == "killed" for outcome, _ in results.values())
    print(f"{killed} of {len(chosen)} breaks killed")
    return int(killed != len(chosen))


if __name__ == "__main__":
    raise SystemExit(main())
