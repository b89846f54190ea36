"""pytest plugin of the upstream run for the time before canvas exists: lets files that import its names be collected.

Each missing name becomes a class that cannot be made, so a test that uses one fails. Does nothing once the
names are there, and is to be deleted with the second Celery shim.
"""

from __future__ import annotations

import importlib
from typing import Any

NAMES = {
    "celery": "chain chord group chunks xmap xstarmap",
    "celery.canvas": "StampingVisitor chain chord group chunks xmap xstarmap _chain _chord maybe_unroll_group",
}


def _missing(name: str) -> type:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"{name}: canvas is not there yet")

    return type(name, (), {"__init__": refuse})


def add_missing() -> None:
    """Add what the package under test does not have."""
    for module_name, names in NAMES.items():
        module = importlib.import_module(module_name)
        for name in names.split():
            try:
                getattr(module, name)
            except (AttributeError, ImportError):
                setattr(module, name, _missing(name))


# At import: the conftest of an integration folder is loaded before any hook of a plugin.
add_missing()
