"""Monitoring. Events are not collected yet: a dispatcher takes them and has nobody to tell."""

from __future__ import annotations

import time
from typing import Any

__all__ = ("Event", "group_from")


def Event(type: str, _fields: Any = None, __dict__: Any = dict, __now__: Any = time.time, **fields: Any) -> Any:
    """An event: a dict with a type and a time."""
    event = {**(_fields or {}), **fields, "type": type}
    event.setdefault("timestamp", __now__())
    return event


def group_from(type: str) -> str:
    """``'task'`` of ``'task-sent'``."""
    return type.split("-", 1)[0]
