"""Names of Celery for a conformance test: from the real package or from the shim.

``Namespace("celery").signals.task_success`` is ``celery.signals.task_success`` on the oracle side and
the shim's on the other one. An attribute of the root package wins over a module of the same name, as
in ``from celery import x``. Does not start workers: conftest.py does.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from tests.conformance.recording import SIDE

ROOT = "celery" if SIDE == "oracle" else "brokerless.compat.celery_shim"


class Namespace:
    """The package under test; attributes are its public names, else its submodules."""

    def __init__(self, root: str) -> None:
        self.root = root

    def mod(self, name: str) -> ModuleType:
        """Return the submodule ``name`` (dotted, relative to the package)."""
        return importlib.import_module(f"{self.root}.{name}")

    def __getattr__(self, name: str) -> Any:
        package = importlib.import_module(self.root)
        try:
            return getattr(package, name)
        except AttributeError:
            if name.startswith("__"):
                raise
            return self.mod(name)


API = Namespace(ROOT)
