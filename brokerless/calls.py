"""`Call`: one function with its arguments and checked options, not submitted yet. Batches, chains and groups are made
of them; here the forms in which callers write them are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .decorators import TaskFunction
from .options import DEFAULTS, Settings, check_callable

__all__ = ["CALL_KEYS", "Call", "call_of", "unwrap"]

CALL_KEYS = frozenset(("func", "args", "kwargs"))


@dataclass(frozen=True)
class Call:
    """What is to be called, how, and with which options."""

    func: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    settings: Settings = DEFAULTS


def unwrap(func: Any, defaults: Settings = DEFAULTS) -> tuple[Settings, Callable[..., Any]]:
    """The options and the function itself of a decorated function; `defaults` and the function of any other.

    Raises TypeError for what cannot be called.
    """
    if isinstance(func, TaskFunction):
        return func.settings, func.func
    check_callable(func)
    return defaults, func


def call_of(item: Any, defaults: Settings = DEFAULTS) -> Call:
    """Reads a function, or a mapping with `func`, `args`, `kwargs` and options of `add_task`.

    `defaults` hold where neither the mapping nor a decorator says anything. Raises TypeError or ValueError.
    """
    if not isinstance(item, Mapping):
        settings, func = unwrap(item, defaults)
        return Call(func, settings=settings)
    if "func" not in item:
        raise TypeError(f"{item!r} has no 'func'; a task is a mapping with func and maybe args, kwargs, options")
    settings, func = unwrap(item["func"], defaults)
    args, kwargs = item.get("args", ()), item.get("kwargs") or {}
    if isinstance(args, (str, bytes)) or not isinstance(args, Sequence):
        raise TypeError(f"args={args!r} of {func!r}: expected a tuple or list of positional arguments")
    if not isinstance(kwargs, Mapping):
        raise TypeError(f"kwargs={kwargs!r} of {func!r}: expected a mapping of keyword arguments")
    given = {name: value for name, value in item.items() if name not in CALL_KEYS}
    return Call(func, tuple(args), kwargs, settings.updated(given).once())
