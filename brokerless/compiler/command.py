"""`python -m brokerless explain MODULE:FUNCTION`: finds the function and prints what the compiler says of it.

The wording is in `explain`; the command line's other half is `brokerless.cli`.
"""

from __future__ import annotations

import importlib
import os
import sys

from . import analyse
from . import explain as explained

__all__ = ["explain_target"]


def explain_target(target: str, runtime: bool) -> int:
    """Prints verdict, C and refusals. Returns 0 when it can be compiled, 1 when not (or not found), 2 for a bad target.

    `runtime`: the C that opens every file is shown too.
    """
    module_name, _, path = target.partition(":")
    if not module_name or not path:
        print(f"{target!r}: expected MODULE:FUNCTION", file=sys.stderr)
        return 2
    sys.path.insert(0, os.getcwd())
    try:
        found = importlib.import_module(module_name)
        for name in path.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        print(f"{target}: {error}", file=sys.stderr)
        return 1
    func = getattr(found, "func", found)  # what a decorator of ours holds
    print(explained(func, runtime=runtime), end="")
    return 0 if analyse(func).can_compile else 1
