"""A pytest plugin for the run on a CPython without a GIL: tests whose packages cannot be installed there are skipped, with
that as the reason.

    BROKERLESS_NO_BUILD="cffi pydantic" pytest -p tests.free_threaded …

Only an import that a test asks for skips it. Our own modules find that the package is missing, as they would anywhere.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FrameType, ModuleType

import pytest

HERE = str(Path(__file__).parent)
MISSING = frozenset(os.environ.get("BROKERLESS_NO_BUILD", "").replace("-", "_").split())
NEED_CFFI = ("tests/unit/celery_shim/test_compile_to_c.py", "tests/unit/rq_shim/test_compile_to_c.py")
"""They compile, and nobody imports cffi before the first call."""


def _asked_by_a_test(frame: FrameType | None) -> bool:
    """Whether the import statement, or importorskip(), is in the tests."""
    while frame is not None and ("importlib" in frame.f_code.co_filename or frame.f_code.co_filename == __file__):
        frame = frame.f_back
    return frame is not None and (frame.f_code.co_filename.startswith(HERE) or "_pytest" in frame.f_code.co_filename)


class NoBuild:
    """Stands last among the finders: what is asked of it is installed nowhere."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Never finds anything; for a package that could not be installed it skips the test that asks."""
        if name.partition(".")[0] in MISSING and _asked_by_a_test(sys._getframe()):
            pytest.skip(f"{name}: no build for this interpreter", allow_module_level=True)
        return None


def pytest_configure() -> None:
    """Begin."""
    sys.meta_path.append(NoBuild)
    importlib.invalidate_caches()


def pytest_unconfigure() -> None:
    """End."""
    sys.meta_path.remove(NoBuild)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need cffi without importing it."""
    if "cffi" in MISSING:
        for item in items:
            if item.nodeid.startswith(NEED_CFFI):
                item.add_marker(pytest.mark.skip(reason="cffi: no build for this interpreter"))
