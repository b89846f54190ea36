"""Messages that are thrown away unread: a purged queue, a closed app, a refused serializer.

Their tasks keep their states, as over a broker. But the chord that waits for one of them fails, instead of waiting
for ever.
"""

from __future__ import annotations

from typing import Any

from ..app.context import Context
from ..exceptions import TaskRevokedError
from ..utils.log import get_logger

__all__ = ("concerns_others", "drop")

logger = get_logger("celery.worker")


def concerns_others(embed: Any) -> bool:
    """True if somebody else waits for the call of such a message."""
    return bool(embed) and bool(embed.get("chord") or embed.get("chain"))


def drop(message: Any, reason: str, app: Any = None) -> None:
    """A message is gone. ``app`` is where its results are kept, by default that of its sender."""
    if not concerns_others(message.embed):
        return
    app = app or (message.sender() if message.sender is not None else None)
    if app is None:
        return
    try:
        app.backend.mark_as_dropped(Context(message.request_dict("")), TaskRevokedError(reason))
    except Exception:
        logger.exception("The chord of %s[%s] could not be failed", message.task, message.id)
