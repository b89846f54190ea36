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
    """The first of these modules (`test.…`) that can be imported; None if there is none on this machine."""
    for folder in (None, *_folders()):
        if folder is not None:
            _look_in(folder)
        for name in names:
            try:
                return importlib.import_module(name)
            except (ImportError, unittest.SkipTest):
                pass
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


def _look_in(folder: Path) -> None:
    """Lets `test` find there what it has not itself; its helpers stay those of the running Python, where it has them."""
    package = sys.modules.get("test")
    if package is None:
        if importlib.util.find_spec("test") is not None:
            package = importlib.import_module("test")
        else:
            package = sys.modules["test"] = types.ModuleType("test")
            package.__path__ = []
    if str(folder) not in package.__path__:
        package.__path__.append(str(folder))
