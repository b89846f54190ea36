"""What is written about some tasks while somebody waits for them: ``get(on_message=…)``.

A store in this process hears of each write. Records are taken as they are, by the thread that writes, and read by
the thread that waits, which is the one that calls ``on_message``. Not for stores that others write too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from .. import states
from ..exceptions import TimeoutError
from ..runtime import waiting

__all__ = ("Changes", "follow")


class Changes(waiting.Waiter):
    """A waiter that keeps each record written since it began; ``tell`` hands them on in their order.

    ``told`` are the ids of which a record was handed on.
    """

    def __init__(self, ids: Iterable[Any], records: dict[str, Any]) -> None:
        super().__init__(ids)
        self._records = records
        self._written: deque[tuple[str, Any]] = deque()
        self.told: set[Any] = set()

    def changed(self, id: Any) -> None:
        record = self._records.get(id)
        if record is not None:
            self._written.append((id, record))
        super().changed(id)

    def tell(self, read: Callable[[str, Any], Any], on_message: Callable[[Any], Any]) -> Any:
        """Call ``on_message`` with each record that was kept, as ``read`` gives it; give the last one, if any."""
        meta = None
        while self._written:
            id, record = self._written.popleft()
            self.told.add(id)
            meta = read(id, record)
            on_message(meta)
        return meta


def follow(
    backend: Any, task_id: str, timeout: float | None, interval: float, on_message: Any, on_interval: Any
) -> None:
    """Wait until a task has ended, and tell each state that is stored meanwhile. Raises ``TimeoutError``."""
    until = waiting.deadline(timeout)
    changes = Changes((task_id,), backend._results)
    with changes:
        meta = backend._get_task_meta_for(task_id)
        while meta["status"] not in states.READY_STATES:
            if on_interval:
                on_interval()
            left = waiting.left(until)
            if left is not None and left <= 0:
                raise TimeoutError("The operation timed out.")
            if on_interval:
                left = interval if left is None else min(left, interval)
            changes.wait(left)
            meta = changes.tell(backend._read, on_message) or meta
