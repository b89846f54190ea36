"""Handles of results: of one task, of several, of a group, and of a task that ran at once.

The classes are in ``result_handle``, ``result_sets`` and ``result_eager``; this is where they are imported from.
"""

from __future__ import annotations

from typing import Any

from ._state import task_join_will_block
from .app import app_or_default
from .result_eager import EagerResult
from .result_guard import E_WOULDBLOCK, allow_join_result, assert_will_not_block, denied_join_result
from .result_handle import AsyncResult, ResultBase
from .result_sets import GroupResult, ResultSet

__all__ = (
    "E_WOULDBLOCK",
    "AsyncResult",
    "EagerResult",
    "GroupResult",
    "ResultBase",
    "ResultSet",
    "allow_join_result",
    "assert_will_not_block",
    "denied_join_result",
    "result_from_tuple",
    "task_join_will_block",
)


def result_from_tuple(r: Any, app: Any = None) -> Any:
    """The handle that ``as_tuple`` described."""
    if isinstance(r, ResultBase):
        return r
    app = app_or_default(app)
    node, members = r
    id, parent = node if isinstance(node, (list, tuple)) else (node, None)
    if parent:
        parent = result_from_tuple(parent, app)
    if members is None:
        return app.AsyncResult(id, parent=parent)
    return app.GroupResult(id, [result_from_tuple(member, app) for member in members], parent=parent)
