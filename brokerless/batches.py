"""The items of one batch as the core wants them: tuples of a call and what its options mean.

Most batches call few functions with many arguments. What does not depend on the arguments (the options, whether it is a
coroutine function, its compiled form) is worked out once for each function. The core itself reads plain dicts of
functions that it knows, and asks for all others here.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from .calls import CALL_KEYS

__all__ = ["BatchReader", "Item"]

#: (func, args, kwargs, lane, delay, expires, timeout, options, extra, queue)
Item = tuple[Any, ...]


class BatchReader:
    """For one batch; `read` works out an item that is like none before it."""

    def __init__(self, read: Callable[[Any], Item]) -> None:
        self._read = read
        self._seen: dict[FunctionType, tuple[Callable[..., Any], Item]] = {}

    def __call__(self, item: Any) -> Item:
        func = item.get("func") if type(item) is dict and item.keys() <= CALL_KEYS else None
        if type(func) is not FunctionType:
            return self._read(item)
        like = self._seen.get(func)
        if like is None:
            made = self._read(item)
            if made[8] is None:  # each task has tags and metadata of its own
                self._seen[func] = made[0], made[3:]
            return made
        args, kwargs = item.get("args", ()), item.get("kwargs")
        if type(args) is not tuple or (kwargs and type(kwargs) is not dict):
            return self._read(item)
        return (like[0], args, dict(kwargs) if kwargs else None, *like[1])
