"""``DjangoTask``: tasks that can be sent when the database transaction commits."""

from __future__ import annotations

import functools
from typing import Any

from django.db import transaction

from ...app.task import Task

__all__ = ("DjangoTask",)


class DjangoTask(Task):
    """The base of tasks in a Django project."""

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """``delay`` once the transaction has been committed; there is no result handle yet."""
        transaction.on_commit(functools.partial(self.delay, *args, **kwargs))

    def apply_async_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """``apply_async`` once the transaction has been committed."""
        transaction.on_commit(functools.partial(self.apply_async, *args, **kwargs))
