"""`LocalStack`: a stack of which each thread sees its own. RQ 2 kept the current job in one; programs import it."""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["LocalStack", "release_local"]


class LocalStack:
    """Push and pop; `top` is the last one pushed by this thread, or None."""

    def __init__(self) -> None:
        self._local = threading.local()

    def _items(self) -> list[Any]:
        items: list[Any] | None = getattr(self._local, "items", None)
        if items is None:
            items = self._local.items = []
        return items

    def push(self, obj: Any) -> list[Any]:
        """Puts `obj` on top and returns the whole stack."""
        items = self._items()
        items.append(obj)
        return items

    def pop(self) -> Any:
        """Takes the top away and returns it; None when empty."""
        items = self._items()
        return items.pop() if items else None

    @property
    def top(self) -> Any:
        items = self._items()
        return items[-1] if items else None

    def __release_local__(self) -> None:
        self._items().clear()

    def __len__(self) -> int:
        return len(self._items())


def release_local(local: LocalStack) -> None:
    """Empties a stack for this thread."""
    local.__release_local__()
