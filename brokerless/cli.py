"""The command line: `python -m brokerless COMMAND`. Each command is a function here; what it does is elsewhere."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, 1 when it failed, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="python -m brokerless")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    explain = commands.add_parser("explain", help="whether a function can be compiled to C, and the C or the reason")
    explain.add_argument("target", metavar="MODULE:FUNCTION")
    explain.add_argument("--runtime", action="store_true", help="show the C that opens every file too")
    explain.set_defaults(run=_explain)
    options = parser.parse_args(argv)
    code: int = options.run(options)
    return code


def _explain(options: argparse.Namespace) -> int:
    from .compiler import analyse
    from .compiler import explain as explained

    module_name, _, path = options.target.partition(":")
    if not module_name or not path:
        print(f"{options.target!r}: expected MODULE:FUNCTION", file=sys.stderr)
        return 2
    sys.path.insert(0, os.getcwd())
    try:
        found = importlib.import_module(module_name)
        for name in path.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        print(f"{options.target}: {error}", file=sys.stderr)
        return 1
    func = getattr(found, "func", found)  # what a decorator of ours holds
    print(explained(func, runtime=options.runtime), end="")
    return 0 if analyse(func).can_compile else 1
