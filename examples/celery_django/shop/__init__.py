"""The project. The engine comes first: it decides what `celery` is."""

from __future__ import annotations

from . import engine as engine

from .celery import app as celery_app  # isort: skip

__all__ = ("celery_app",)
