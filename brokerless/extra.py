"""What only few tasks have: earlier errors, tags, progress, log lines, what they retry. Kept in `task.extra`, which is
None for the others, so that a plain task costs nothing for it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .chains import Group
    from .core import Task

__all__ = ["MAX_LOG_LINES", "Extra", "Progress", "extra_of"]

MAX_LOG_LINES = 1000
"""A task keeps its last so many log lines."""


class Progress:
    """How far a task says it is. `percent` is 0..100, None without a total."""

    __slots__ = ("current", "message", "total")

    def __init__(self, current: float = 0, total: float | None = None, message: str = "") -> None:
        self.current = current
        self.total = total
        self.message = message

    @property
    def percent(self) -> float | None:
        if not self.total:
            return None
        return 100.0 * self.current / self.total

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Progress):
            return NotImplemented
        return (self.current, self.total, self.message) == (other.current, other.total, other.message)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Progress(current={self.current!r}, total={self.total!r}, message={self.message!r})"


class Extra:
    """The rare parts of one task."""

    __slots__ = ("errors", "group", "held", "holds", "logs", "metadata", "progress", "retry_of", "tags", "user")

    def __init__(self, tags: tuple[str, ...] = (), metadata: Mapping[str, Any] | None = None) -> None:
        self.tags = tags
        self.metadata: dict[str, Any] = dict(metadata) if metadata else {}
        self.errors: list[BaseException] = []
        """Of attempts that were followed by another one; the last error is `task.error`."""
        self.holds = 0
        """Attempt numbers that were used up by a time limit instead of a call."""
        self.held: BaseException | None = None
        """The error of a time limit that waits for the attempt's thread to leave."""
        self.progress: Progress | None = None
        self.logs: list[str] = []
        self.retry_of: Task | None = None
        self.group: Group | None = None
        """The chain or parallel group that this handle stands for."""
        self.user: Any = None
        """For whoever builds on the engine; never read here."""


_making = threading.Lock()


def _after_fork() -> None:
    global _making
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def extra_of(task: Task) -> Extra:
    """The task's `Extra`, made if there is none yet. Any thread may ask."""
    extra = task.extra
    if extra is None:
        with _making:
            extra = task.extra
            if extra is None:
                extra = task.extra = Extra()
    return extra  # type: ignore[no-any-return]
