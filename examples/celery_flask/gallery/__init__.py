"""A small Flask program written for Celery; see README.md beside this folder. The engine comes first."""

from __future__ import annotations

from . import engine as engine
