"""A break of the package: one substitution in one file, and the tests that must turn red.

Works on a copy of the installed package, which comes first on the path; the checkout is never changed. Does not
know what the breaks are: celery.py lists them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 180.0
PYTEST = "import sys; sys.path[:] = [p for p in sys.path if p]; import pytest; sys.exit(pytest.main())"
"""pytest without the current folder on the path: the checkout has a folder `brokerless` too."""


@dataclass(frozen=True)
class Mutant:
    """`before` is replaced by `after` in `path` (below the package); every test of `tests` must pass without it."""

    name: str
    path: str
    before: str
    after: str
    tests: tuple[str, ...]


class StaleMutant(Exception):
    """The text to be replaced is not there exactly once: the mutant must follow the code."""


def write(mutant: Mutant, package: Path) -> None:
    """Put the break into a package folder."""
    path = package / mutant.path
    text = path.read_text()
    if text.count(mutant.before) != 1:
        raise StaleMutant(f"{mutant.name}: {text.count(mutant.before)} times in {mutant.path}: {mutant.before!r}")
    path.write_text(text.replace(mutant.before, mutant.after))


@contextlib.contextmanager
def folder_with(package: Path, mutants: Sequence[Mutant], where: Path) -> Iterator[Path]:
    """Yield a folder for PYTHONPATH that holds a copy of the package with these breaks."""
    where.mkdir(parents=True)
    try:
        copied = where / package.name
        shutil.copytree(
            package, copied, symlinks=False, ignore=shutil.ignore_patterns("__pycache__", "*.c", "*.h", "tests")
        )
        for mutant in mutants:
            write(mutant, copied)
        yield where
    finally:
        shutil.rmtree(where, ignore_errors=True)


def run_tests(tests: Sequence[str], path: Path) -> tuple[int, str]:
    """Run tests with the package of `path`; return pytest's exit code and the end of its output."""
    environment = {**os.environ, "PYTHONPATH": str(path), "CONFORMANCE_SIDE": "shim", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", PYTEST, "-q", "-x", "-p", "no:cacheprovider", "--timeout", "40", *tests]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, "no end within the limit"
    return done.returncode, done.stdout[-1500:]
