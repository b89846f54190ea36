"""Writes events as they come, one a line."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import Any, TextIO

from ..app import app_or_default
from ..utils.functional import LRUCache

__all__ = ("Dumper", "evdump")

#: What a task was called with is said when it is sent or received, and repeated with its later events.
TASK_NAMES = LRUCache(limit=4095)

HUMAN_TYPES = {"worker-offline": "shutdown", "worker-online": "started", "worker-heartbeat": "heartbeat"}


def humanize_type(type: str) -> str:
    """``'task received'`` of ``'task-received'``."""
    lower = type.lower()
    return HUMAN_TYPES.get(lower, lower.replace("-", " "))


class Dumper:
    """Writes each event to ``out``."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = sys.stdout if out is None else out

    def say(self, msg: str) -> None:
        print(msg, file=self.out)
        if hasattr(self.out, "flush"):
            self.out.flush()

    def on_event(self, ev: dict[str, Any]) -> None:
        moment = datetime.fromtimestamp(ev.pop("timestamp"), timezone.utc)
        type = ev.pop("type").lower()
        hostname = ev.pop("hostname")
        task = ""
        if type.startswith("task-"):
            id = ev.pop("uuid")
            if type in ("task-received", "task-sent"):
                TASK_NAMES[id] = f"{ev.pop('name')}({id}) args={ev.pop('args')} kwargs={ev.pop('kwargs')}"
            task = TASK_NAMES.get(id, "")
        self.format_task_event(hostname, moment, type, task, ev)

    def format_task_event(
        self, hostname: str, timestamp: datetime, type: str, task: str, event: dict[str, Any]
    ) -> None:
        fields = ", ".join(f"{key}={event[key]}" for key in sorted(event))
        said = " ".join(part for part in (task, fields) if part)
        self.say(f"{hostname} [{timestamp}] {humanize_type(type)}{':' if fields else ''} {said}".rstrip())


def evdump(app: Any = None, out: TextIO | None = None) -> None:
    """Write the events of this process until interrupted."""
    app = app_or_default(app)
    dumper = Dumper(out)
    dumper.say("-> evdump: listening")
    try:
        app.events.Receiver(app.connection_for_read(), handlers={"*": dumper.on_event}).capture()
    except (KeyboardInterrupt, SystemExit):
        pass
