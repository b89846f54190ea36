"""What ``|`` makes of two signatures, and ``chain(...)`` of many.

A step after a group needs the results of all members, so the two become a chord; a step after a chord belongs to its
body. The rules know compositions by their ``_kind`` and make new ones through ``Signature.TYPES``.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

from ..utils.functional import seq_concat_item, seq_concat_seq
from .base import Signature

__all__ = ("is_empty_group", "join", "maybe_unroll_group")

#: Options of a chain that are its own, not those of its first step.
_OF_THE_CHAIN = frozenset(
    {"chord", "group_id", "group_index", "link", "link_error", "parent_id", "root_id", "task_id"},
)


def _kind_of(sig: Any) -> Any:
    """None for what is no signature of ours, such as a plain dict."""
    return getattr(sig, "_kind", None)


def is_empty_group(sig: Any) -> bool:
    return _kind_of(sig) == "group" and isinstance(sig.tasks, (list, tuple)) and not sig.tasks


def maybe_unroll_group(group: Any) -> Any:
    """The only member of a group of one; any other group as it is."""
    members = group.tasks
    try:
        size = len(members)
    except TypeError:
        try:
            size = members.__length_hint__()
        except (AttributeError, TypeError):
            return group  # nobody knows how many there are without making them
        return next(iter(members)) if size == 1 else group
    return members[0] if size == 1 else group


def join(left: Any, right: Any) -> Any:
    """``left | right``; ``NotImplemented`` unless both are signatures."""
    if not isinstance(right, Signature):
        return NotImplemented
    return _JOIN[left._kind](left, right)


def _join_task(left: Any, right: Any) -> Any:
    chain = Signature.TYPES["chain"]
    if right._kind == "chain":
        return chain(seq_concat_seq((left,), right.unchain_tasks()), app=left._app)
    if right._kind == "group":
        return chain(left, maybe_unroll_group(right), app=left.app)
    return chain(left, right, app=left._app)


def _join_group(left: Any, right: Any) -> Any:
    if right._kind == "group" and type(right.tasks) in (list, tuple) and not right.tasks:
        return left
    return Signature.TYPES["chord"](left, body=right, app=left._app)


def _join_chord(left: Any, right: Any) -> Any:
    if right._kind == "group" and len(right.tasks) == 1:
        right = maybe_unroll_group(right)
    elif right._kind in ("group", "chain"):
        return _join_task(left, right)
    joined = left.clone()
    joined.body = joined.body | right
    return joined


def _join_chain(left: Any, right: Any) -> Any:
    kind = right._kind
    if kind == "chain":
        return reduce(or_, right.unchain_tasks(), left)
    if kind == "group":
        if is_empty_group(right):
            return left
        right = maybe_unroll_group(right)
        if right._kind != "group":
            return left | right
        steps = left.unchain_tasks()
        if not steps:
            return right
        if steps[-1]._kind == "chord":
            steps[-1].body = steps[-1].body | right
            return type(left)(steps, app=left.app)
        return type(left)(seq_concat_item(steps, right), app=left._app)
    last = left.tasks[-1]._kind if left.tasks else None
    if last == "group":
        joined = left.clone()
        steps = joined.tasks
        steps[-1] = Signature.TYPES["chord"](steps[-1], right, app=left._app)
        if len(steps) > 1 and steps[-2]._kind == "chord":
            steps[-2].body = steps[-2].body | steps[-1]
            joined.tasks = steps[:-1]
        return joined
    if last == "chord" and kind != "chord":
        joined = left.clone()
        joined.tasks[-1].body = joined.tasks[-1].body | right
        return joined
    return type(left)(seq_concat_item(left.unchain_tasks(), right), app=left._app)


_JOIN = {"task": _join_task, "group": _join_group, "chord": _join_chord, "chain": _join_chain}


def _merge_chain_step(steps: list[Any], other: Any, clone_other: bool = True) -> Any:
    """Add a step in place by the rules of ``chain | other``, without copying the steps before it.

    Gives ``steps``, or what the chain has turned into, or ``NotImplemented``.
    """
    if not isinstance(other, Signature):
        return NotImplemented
    kind = other._kind
    if kind == "group":
        if is_empty_group(other):
            return steps
        alone = maybe_unroll_group(other)
        if alone._kind != "group":
            return _merge_chain_step(steps, alone, clone_other)
        if not steps:
            return alone
        if steps[-1]._kind == "chord":
            steps[-1].body = steps[-1].body | alone
            return steps
    elif kind == "chain":
        joined: Any = other
        inner = joined.unchain_tasks()
        for place, step in enumerate(inner):
            result = _merge_chain_step(steps, step, clone_other or place != len(inner) - 1)
            if result is NotImplemented:
                return result
            if result is not steps:
                return reduce(or_, inner[place + 1 :], result)
        return steps
    elif steps and steps[-1]._kind == "group":
        steps[-1] = Signature.TYPES["chord"](steps[-1], other.clone() if clone_other else other)
        return steps
    elif steps and steps[-1]._kind == "chord" and kind != "chord":
        steps[-1].body = steps[-1].body | other
        return steps
    steps.append(other.clone() if clone_other else other)
    return steps


def _fold_chain(tasks: Iterable[Any]) -> Any:
    """The same as joining all tasks by ``|``, at the price of one copy of each."""
    tasks = list(tasks)
    chain = Signature.TYPES["chain"]
    steps: list[Any] = []
    for place, task in enumerate(tasks):
        result = _merge_chain_step(steps, task, place != len(tasks) - 1)
        if result is NotImplemented:
            return reduce(or_, tasks, chain())  # whatever the types themselves say
        if result is not steps:
            return reduce(or_, tasks[place + 1 :], result)
    return chain([step.clone() for step in steps[:-1]] + steps[-1:])


def led_by_task(body: Any) -> bool:
    """True for a chain that does not begin with a group: its first step alone can be the body of a chord."""
    return _kind_of(body) == "chain" and bool(body.tasks) and _kind_of(body.tasks[0]) != "group"


def first_step_options(chain: Any) -> dict[str, Any]:
    """Options of a chain that its first step takes over."""
    return {key: value for key, value in chain.options.items() if key not in _OF_THE_CHAIN}
