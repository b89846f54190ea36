"""Monitoring: what happens to tasks and workers, as events that receivers in this process can capture.

Workers send events of tasks when they are told to (``worker_send_task_events``, ``-E``, ``control.enable_events``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dispatcher import EventDispatcher
    from .event import Event, event_exchange, get_exchange, group_from
    from .receiver import EventReceiver

__all__ = ("Event", "EventDispatcher", "EventReceiver", "event_exchange", "get_exchange", "group_from")

_ORIGINS = {"EventDispatcher": ".dispatcher", "EventReceiver": ".receiver"}


def __getattr__(name: str) -> Any:
    # every sender of tasks loads this package for the bus, few need the rest
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_ORIGINS.get(name, ".event"), __name__), name)
    return value
