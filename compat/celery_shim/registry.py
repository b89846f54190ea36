"""Names of Celery's former ``celery.registry``: views of the current app, made at each use."""

from __future__ import annotations

from typing import Any

from ._state import current_app
from .local import Proxy

tasks: Any = Proxy(lambda: current_app.tasks)

__all__ = ("tasks",)
