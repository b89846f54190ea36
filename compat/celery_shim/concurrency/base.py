"""Base of pools, kept for type checks of other packages."""

from __future__ import annotations

import os
from typing import Any

__all__ = ("BasePool", "apply_target")


def apply_target(
    target: Any,
    args: Any = (),
    kwargs: Any = None,
    callback: Any = None,
    accept_callback: Any = None,
    getpid: Any = os.getpid,
    **_: Any,
) -> None:
    """Call a function here, with the callbacks of a pool."""
    if accept_callback:
        accept_callback(getpid(), None)
    callback(target(*args, **(kwargs or {})))


class BasePool:
    """What a pool is."""

    is_green = False
    signal_safe = True

    def __init__(self, limit: int | None = None, **options: Any) -> None:
        self.limit, self.options = limit, options
