"""Signatures that will not be sent any more: the rest of a chain after a failure, the body of a chord that failed.

Every task in them ends, so that nobody waits for ever: its state is stored, and where it is a member of a chord that
is running, it counts there. Works on frozen signatures; it does not call errbacks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import states
from ..app.context import Context
from ..runtime import waiting
from ..utils.lean import maybe_list

__all__ = ("Unsent", "errbacks_of", "tasks_of")


def tasks_of(sig: Any, counts: bool = True) -> Iterator[tuple[Any, bool]]:
    """The single tasks of a signature, each with whether it is a member of a chord outside of it."""
    kind, kwargs = sig.get("subtask_type"), sig.get("kwargs") or {}
    if kind == "chain":
        for step in reversed(kwargs.get("tasks") or ()):
            yield from tasks_of(step, counts)
    elif kind == "group":
        for task in kwargs.get("tasks") or ():
            yield from tasks_of(task, counts)
    elif kind == "chord":
        body, header = kwargs.get("body"), kwargs.get("header") or ()
        if isinstance(header, dict):
            header = (header.get("kwargs") or {}).get("tasks") or ()
        if body is not None:
            yield from tasks_of(body, counts)
        for task in header:
            yield from tasks_of(task, False)
    else:
        yield sig, counts and "chord" in (sig.get("options") or {})


def errbacks_of(sig: Any) -> list[Any]:
    """Who has to hear that a signature failed before it was sent."""
    kind, kwargs = sig.get("subtask_type"), sig.get("kwargs") or {}
    found = list(maybe_list((sig.get("options") or {}).get("link_error")) or ())
    if kind == "chord" and kwargs.get("body") is not None:
        found += errbacks_of(kwargs["body"])
    elif kind == "group":
        for task in kwargs.get("tasks") or ():
            found += errbacks_of(task)
    elif kind == "chain" and kwargs.get("tasks"):
        found += errbacks_of(kwargs["tasks"][0])
    once: list[Any] = []
    for errback in found:
        if errback not in once:
            once.append(errback)
    return once


class Unsent:
    """Mixed into ``Backend``."""

    #: True for stores that count a member of a chord once, however often its end is reported.
    counts_once = False

    store_result: Any
    get_state: Any
    on_chord_part_return: Any

    def _fail_chain(
        self, chain: Any, exc: Any, traceback: Any = None, store_result: bool = True, state: str = states.FAILURE
    ) -> None:
        """End every later step of a chain, as it is in a message: the next step last."""
        for step in chain if isinstance(chain, (list, tuple)) else ():
            self._fail_unsent(step, exc, traceback, store_result, state)

    def _fail_unsent(
        self, sig: Any, exc: Any, traceback: Any = None, store_result: bool = True, state: str = states.FAILURE
    ) -> None:
        """End every task of a signature; with ``store_result=False`` they only count in their chords."""
        store_result = store_result and state in states.PROPAGATE_STATES
        for task, member in tasks_of(sig):
            options = task.get("options") or {}
            task_id = options.get("task_id")
            if task_id and not store_result:
                waiting.notify(task_id)  # who waits looks at the steps before it again
            if not (member or (store_result and task_id)):
                continue
            request = Context({**task, **options, "id": task_id, "group": options.get("group_id")})
            counted = member and not self.counts_once and task_id and self.get_state(task_id) in states.PROPAGATE_STATES
            if store_result and task_id:
                self.store_result(task_id, exc, state, traceback=traceback, request=request)
            if member and not counted:
                self.on_chord_part_return(request, state, exc)
