"""Celery's Sphinx extension documents tasks. It is not part of the shim, and importing it says so."""

from __future__ import annotations

raise ImportError(
    "celery.contrib.sphinx is not part of brokerless: build the documentation where the real celery is installed; "
    "autodoc's autofunction documents a task's function"
)
