"""Programs that a test has started: how they are ended. How they are started is their tests' own."""

from __future__ import annotations

import subprocess
from typing import Any


def end(process: subprocess.Popen[Any], seconds: float = 20) -> None:
    """Ask a program to stop, wait that many seconds for it, and kill it then."""
    process.terminate()
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
