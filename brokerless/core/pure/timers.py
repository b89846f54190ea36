"""Tasks by due time: a heap whose entries are blanked when their task leaves early.

A task has at most one entry: its due time while it is delayed, else its expiry. Equal times leave in the order in
which they came.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any

from .states import NEVER

if TYPE_CHECKING:
    from .task import Task

_FEW = 64  # below this many blanks a rebuild is not worth its while


class Timers:
    __slots__ = ("_blanks", "_heap", "_serial")

    def __init__(self) -> None:
        self._heap: list[list[Any]] = []
        self._serial = 0
        self._blanks = 0

    def add(self, task: Task, when: float) -> None:
        self._serial += 1
        entry = [when, self._serial, task]
        task._timer = entry
        heappush(self._heap, entry)

    def remove(self, task: Task) -> None:
        entry = task._timer
        if entry is None:
            return
        task._timer = None
        entry[2] = None
        self._blanks += 1
        if self._blanks > _FEW and self._blanks * 2 > len(self._heap):
            self._heap = [kept for kept in self._heap if kept[2] is not None]
            heapify(self._heap)
            self._blanks = 0

    def _settle(self) -> None:
        heap = self._heap
        while heap and heap[0][2] is None:
            heappop(heap)
            self._blanks -= 1

    def next(self) -> float:
        self._settle()
        return self._heap[0][0] if self._heap else NEVER

    def pop_due(self, now: float) -> Task | None:
        self._settle()
        if not self._heap or self._heap[0][0] > now:
            return None
        task: Task = heappop(self._heap)[2]
        task._timer = None
        return task

    def tasks(self) -> list[Task]:
        """In due order."""
        return [entry[2] for entry in sorted(self._heap) if entry[2] is not None]

    def __len__(self) -> int:
        return len(self._heap) - self._blanks
