"""Names of Celery's former ``celery.execute``: views of the current app, made at each use."""

from __future__ import annotations

from typing import Any

from ._state import current_app
from .local import Proxy

send_task: Any = Proxy(lambda: current_app.send_task)

__all__ = ("send_task",)
