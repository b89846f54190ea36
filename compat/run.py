"""``python -m brokerless run -- <command>``: runs any command with ``import celery`` / ``import rq`` aliased.

The command's Python processes (and their children) find a folder of ours on ``PYTHONPATH``: its ``sitecustomize``
installs the aliases before the program's first import, and its metadata answers those who look for the distributions.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["environment", "main"]

SITE = Path(__file__).parent / "site"
USAGE = "usage: python -m brokerless run [--only celery|rq] -- <command> [argument ...]"


def environment(base: Mapping[str, str] | None = None, only: str | None = None) -> dict[str, str]:
    """The environment for a command: our folder first on ``PYTHONPATH``, and where brokerless itself is found."""
    env = dict(os.environ if base is None else base)
    parts = [str(SITE), *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    home = str(Path(__file__).resolve().parents[2])
    package = sys.modules[__package__.partition(".")[0]]
    found = getattr(package, "__file__", None)
    home = str(Path(found).parent.parent) if found else home
    if home not in parts:
        parts.append(home)
    env["PYTHONPATH"] = os.pathsep.join(parts)
    if only:
        env["BROKERLESS_ALIASES"] = only
    return env


def main(argv: Sequence[str]) -> int:
    """Run the command that follows ``--``; gives its exit code."""
    arguments = list(argv)
    only = None
    if arguments[:1] == ["--only"] and len(arguments) > 1:
        only = arguments[1]
        arguments = arguments[2:]
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, file=sys.stderr)
        return 0 if arguments else 2
    if arguments[0] in ("python", "python3"):
        # the same interpreter, which is the one that has brokerless
        arguments[0] = sys.executable
    env = environment(only=only)
    try:
        if hasattr(os, "execvpe"):
            sys.stdout.flush()
            sys.stderr.flush()
            os.execvpe(arguments[0], arguments, env)
        return subprocess.call(arguments, env=env)
    except FileNotFoundError:
        print(f"brokerless run: command not found: {arguments[0]}", file=sys.stderr)
        return 127
