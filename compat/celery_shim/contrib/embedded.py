"""``embedded(application)``: the line in ``wsgi.py`` or ``asgi.py`` that makes a server process look after the schedule."""

from __future__ import annotations

from typing import Any, TypeVar

from ..runtime import embedded_beat

__all__ = ("embedded",)

T = TypeVar("T")


def embedded(application: T, app: Any = None) -> T:
    """Have beat start once this process has finished its imports; gives ``application`` back as it is.

    ``app``: the Celery app, else every one that there is then. Nothing starts where ``runtime.embedded_beat`` says so,
    such as in test runs and short commands; ``app.start_embedded()`` starts it in any case. Does not block.
    """
    embedded_beat.watch(app._get_current_object() if hasattr(app, "_get_current_object") else app)
    return application
