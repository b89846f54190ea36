"""The command line: ``brokerless run -- CMD …`` starts a program in which Celery's and RQ's names are the shims.

``celery`` and ``rq`` are handed to the shims' own command lines. Nothing here imports an engine, and ``run`` becomes
the command (exec), so that signals, exit codes and standard streams are the command's own.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["LAUNCH_FOLDER", "environment", "main"]

LAUNCH_FOLDER = Path(__file__).resolve().parent / "launch"
"""Holds the ``sitecustomize`` that every Python of the command runs at its start."""

ALIASES_VARIABLE = "BROKERLESS_ALIASES"
_COMPAT = f"{__package__}.compat"
_COMMAND_LINES = {"celery": f"{_COMPAT}.celery_shim.__main__", "rq": f"{_COMPAT}.rq_shim.cli"}
_NOT_FOUND, _NOT_EXECUTABLE, _USAGE = 127, 126, 2


def environment(names: Sequence[str], base: dict[str, str] | None = None) -> dict[str, str]:
    """The environment in which every Python process resolves ``names`` (none: all there are) to the shims."""
    result = dict(os.environ if base is None else base)
    kept = [part for part in result.get("PYTHONPATH", "").split(os.pathsep) if part and Path(part) != LAUNCH_FOLDER]
    result["PYTHONPATH"] = os.pathsep.join([str(LAUNCH_FOLDER), *kept])
    result[ALIASES_VARIABLE] = ",".join(names)
    return result


def _run(names: Sequence[str], command: Sequence[str]) -> int:
    if command and command[0] == "--":
        command = command[1:]
    if not command:
        print("brokerless run: give a command, as in: brokerless run -- python manage.py runserver", file=sys.stderr)
        return _USAGE
    surroundings = environment(names)
    program = shutil.which(command[0], path=surroundings.get("PATH"))
    if program is None and command[0] in _COMMAND_LINES:
        # the command of a package that is not installed: the shim's
        command = [sys.executable, "-m", __package__, *command]
        program = sys.executable
    if program is None:
        exists = Path(command[0]).exists()
        print(f"brokerless run: {command[0]}: {'not executable' if exists else 'not found'}", file=sys.stderr)
        return _NOT_EXECUTABLE if exists else _NOT_FOUND
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(program, list(command), surroundings)


def _delegate(name: str, arguments: Sequence[str]) -> int:
    """The shim's command line, called as its console script would be."""
    target = _COMMAND_LINES[name]
    try:
        found = importlib.util.find_spec(target) is not None
    except ModuleNotFoundError:
        found = False
    entry = None
    if found:
        importlib.import_module(_COMPAT).install(name)
        entry = getattr(importlib.import_module(target), "main", None)
    if entry is None:
        print(f"brokerless {name}: this version has no command line for {name} ({target} is missing)", file=sys.stderr)
        return _USAGE
    sys.argv = [name, *arguments]
    outcome = entry()
    return outcome if isinstance(outcome, int) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="brokerless", description="Background tasks inside your Python process.")
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    commands = parser.add_subparsers(dest="command", metavar="{run,celery,rq,explain}")
    run = commands.add_parser("run", help="start a program in which `import celery` and `import rq` are the shims")
    run.add_argument(
        "--only", action="append", default=[], choices=sorted(_COMMAND_LINES), help="leave the other package alone"
    )
    run.add_argument("program", nargs=argparse.REMAINDER, metavar="-- CMD ...")
    explain = commands.add_parser("explain", help="whether a function can be compiled to C, and the C or the reason")
    explain.add_argument("target", metavar="MODULE:FUNCTION")
    explain.add_argument("--runtime", action="store_true", help="show the C that opens every file too")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``brokerless`` and ``python -m brokerless``; gives the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in _COMMAND_LINES:
        return _delegate(given[0], given[1:])
    parser = _parser()
    said = parser.parse_args(given)
    if said.version:
        print(importlib.import_module(__package__).__version__)
        return 0
    if said.command == "run":
        return _run(said.only, said.program)
    if said.command == "explain":
        from .compiler.command import explain_target

        return explain_target(said.target, said.runtime)
    parser.print_help()
    return _USAGE
