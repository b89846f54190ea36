"""Where CPython's own tests are: in the `test` package of the running Python or, where a distribution has left the wanted
ones out, in that of another CPython on this machine, the nearest version first. Nothing is downloaded or copied.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import types
import unittest
from collections.abc import Iterator
from pathlib import Path

__all__ = ["found"]


def found(*names: str) -> types.ModuleType | None:
    """The first of these modules of tests (`test.…`) that can be imported; None if there is none on this machine."""
    for folder in (None, *_folders()):
        for whole in (False, True) if folder is not None else (False,):
            if folder is not None:
                _look_in(folder, whole)
            for name in names:
                try:
                    module = importlib.import_module(name)
                except (ImportError, unittest.SkipTest):
                    continue
                if not hasattr(module, "__path__"):  # a package is a folder, and has no tests itself
                    return module
    return None


def _folders() -> list[Path]:
    """The `test` packages of other interpreters, the nearest version first, an older one before a newer one."""

    def distance(folder: Path) -> tuple[int, int]:
        minor = int(re.findall(r"python3\.(\d+)", folder.as_posix())[-1])
        return abs(minor - sys.version_info.minor), minor

    return sorted({folder for folder in _candidates() if (folder / "__init__.py").is_file()}, key=distance)


def _candidates() -> Iterator[Path]:
    for prefix in (*Path(sys.base_prefix).parent.glob("*"), Path("/usr"), Path("/usr/local")):
        for library in (prefix / "lib").glob("python3.*"):
            if re.fullmatch(r"python3\.1\d", library.name):
                yield library / "test"


def _look_in(folder: Path, whole: bool) -> None:
    """Lets `test` find there what it has not itself. `whole`: also what it has, because newer tests want newer helpers."""
    package = sys.modules.get("test")
    if package is None:
        if importlib.util.find_spec("test") is not None:
            package = importlib.import_module("test")
        else:
            package = sys.modules["test"] = types.ModuleType("test")
            package.__path__ = []
    others = [path for path in package.__path__ if path != str(folder)]
    package.__path__ = [str(folder), *others] if whole else [*others, str(folder)]
    for name in [name for name in sys.modules if name.startswith("test.")]:
        del sys.modules[name]
