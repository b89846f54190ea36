"""Runs small programs in Python processes of their own, from a folder where nothing shadows the installed package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import brokerless

SECONDS = 90


def surroundings(**more: str) -> dict[str, str]:
    """This environment, with the package on the path however this process came to it."""
    home = str(Path(brokerless.__path__[0]).parent)
    parts = [home, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("BROKERLESS_A")}
    return {**kept, "PYTHONPATH": os.pathsep.join(part for part in parts if part), **more}


def run(folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command, its output as text."""
    return subprocess.run(
        command, cwd=folder, env=surroundings(**more), capture_output=True, text=True, timeout=SECONDS
    )


def python(folder: Path, code: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A program given as text."""
    return run(folder, sys.executable, "-c", code, **more)


def zero_edit(
    folder: Path, *command: str, options: tuple[str, ...] = (), **more: str
) -> subprocess.CompletedProcess[str]:
    """``python -m brokerless run OPTIONS -- COMMAND``."""
    return run(folder, sys.executable, "-m", "brokerless", "run", *options, "--", *command, **more)


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What a program printed; it must have succeeded."""
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
