"""The short way of sending what is part of a composition: a step of a chain, a member of a group, the body of a chord.

It is the plan of ``fast`` with what such a call carries besides its arguments. Options that it does not know make it
say None, and the long way is taken; the outcome is the same.
"""

from __future__ import annotations

from typing import Any

from .._state import _task_stack
from .shared import arrived

__all__ = ("send",)

#: Options of ``apply_async`` and what they are called in a request.
_NAMES = {
    "task_id": "id",
    "root_id": "root_id",
    "parent_id": "parent_id",
    "group_id": "group",
    "group_index": "group_index",
    "reply_to": "reply_to",
    "chord": "chord",
    "chain": "chain",
    "link": "callbacks",
    "link_error": "errbacks",
}
_CARRIED = frozenset({"chord", "chain", "link", "link_error"})
#: Options that mean nothing to a queue of this process, or are dealt with here.
_PASSED = frozenset({"add_to_parent", "producer"})


def send(plan: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> Any:
    """Send a call with these options; None where the long way has to be taken."""
    embed: dict[str, Any] = {}
    for option, value in options.items():
        name = _NAMES.get(option)
        if name is None:
            if option not in _PASSED:
                return None
        elif value is not None:
            if option in _CARRIED:
                if not value and name != "chain":
                    continue
                if name in ("callbacks", "errbacks") and not isinstance(value, (list, tuple)):
                    value = [value]
                value = arrived(option, value, "json")
            elif type(value) is not str and type(value) is not int:
                return None
            embed[name] = value
    parent = None
    if _task_stack.stack:
        parent = _running()
        if parent is not None:
            request = parent.request
            if "root_id" not in embed:
                embed["root_id"] = request.root_id or request.id
            if "parent_id" not in embed:
                embed["parent_id"] = request.id
    result = plan(args, kwargs, embed)
    if result is not None and parent is not None and options.get("add_to_parent", True):
        parent.add_trail(result)
    return result


def _running() -> Any:
    """The task that a worker runs on this thread."""
    for task in reversed(_task_stack.stack):
        if not task.request.called_directly:
            return task
    return None
