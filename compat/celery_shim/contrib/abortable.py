"""Tasks that look now and then whether they should stop: ``self.is_aborted()``."""

from __future__ import annotations

from typing import Any

from ..app.task import Task
from ..result import AsyncResult

__all__ = ("AbortableAsyncResult", "AbortableTask")

#: The state of a task that was asked to stop.
ABORTED = "ABORTED"


class AbortableAsyncResult(AsyncResult):
    """The handle of such a task."""

    def is_aborted(self) -> bool:
        return bool(self.state == ABORTED)

    def abort(self) -> Any:
        """Ask the task to stop."""
        return self.backend.store_result(self.id, result=None, state=ABORTED, traceback=None)


class AbortableTask(Task):
    """Base of such tasks."""

    abstract = True

    def AsyncResult(self, task_id: str, **kwargs: Any) -> AbortableAsyncResult:
        return AbortableAsyncResult(task_id, backend=self.backend)

    def is_aborted(self, **kwargs: Any) -> bool:
        """True if somebody asked this call to stop."""
        result = self.AsyncResult(kwargs.get("task_id", self.request.id))
        return isinstance(result, AbortableAsyncResult) and result.is_aborted()
