"""`celery.contrib.abortable`: tasks that look whether they were asked to stop."""

from __future__ import annotations

import threading
from typing import Any

from .waiting import until, value_of


def test_abort_while_running(api: Any, app: Any, worker: Any) -> None:
    abortable = api.mod("contrib.abortable")
    started = threading.Event()

    @app.task(bind=True, base=abortable.AbortableTask)
    def loop(self: Any) -> str:
        started.set()
        until(self.is_aborted)
        return "aborted"

    with worker(app):
        result = loop.delay()
        assert isinstance(result, abortable.AbortableAsyncResult)
        assert started.wait(10)
        result.abort()
        assert value_of(result) == "aborted"


def test_state(api: Any, app: Any) -> None:
    abortable = api.mod("contrib.abortable")

    @app.task(bind=True, base=abortable.AbortableTask)
    def loop(self: Any) -> None:
        """Nothing."""

    result = loop.AsyncResult("abort-me")
    assert isinstance(result, abortable.AbortableAsyncResult)
    assert result.is_aborted() is False
    result.abort()
    assert result.is_aborted() is True
    assert result.state == abortable.ABORTED == "ABORTED"


def test_is_not_aborted(api: Any, app: Any, worker: Any) -> None:
    @app.task(bind=True, base=api.mod("contrib.abortable").AbortableTask)
    def look(self: Any) -> bool:
        return bool(self.is_aborted())

    with worker(app):
        assert value_of(look.delay()) is False


def test_is_aborted_by_id(api: Any, app: Any) -> None:
    @app.task(bind=True, base=api.mod("contrib.abortable").AbortableTask)
    def look(self: Any) -> None:
        """Nothing."""

    look.AsyncResult("by-id").abort()
    assert look.is_aborted(task_id="by-id") is True
    assert look.is_aborted(task_id="another") is False


def test_class_attributes(api: Any) -> None:
    task = api.mod("contrib.abortable").AbortableTask
    assert task.abstract is True
    assert issubclass(task, api.Task)
