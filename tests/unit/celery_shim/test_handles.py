"""Handles of results in this process's memory: what they know once they have been read, and what they cost."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from brokerless.compat.celery_shim import Celery

WAIT = 30


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "1")
    url = f"memory://{tmp_path.name}"
    with Celery("handles", broker=url, backend=url, set_as_current=False) as made:

        @made.task(shared=False, name="same")
        def same(value: Any) -> Any:
            return value

        yield made


def test_a_read_handle_knows_the_success_without_the_store(app: Celery) -> None:
    handle = app.tasks["same"].delay(7)
    assert handle.get(timeout=WAIT) == 7
    handle.backend.forget(handle.id)
    assert app.AsyncResult(handle.id).state == "PENDING"
    assert (handle.state, handle.result, handle.children, handle.traceback) == ("SUCCESS", 7, [], None)
    assert isinstance(handle.date_done, datetime)


def test_what_a_reader_changes_is_not_in_the_store(app: Celery) -> None:
    handle = app.tasks["same"].delay([1])
    value = handle.get(timeout=WAIT)
    value.append(2)
    assert handle.result is value
    assert app.AsyncResult(handle.id).get(timeout=WAIT) == [1]


def test_a_read_handle_is_little_work_for_the_collector(app: Celery) -> None:
    delay = app.tasks["same"].delay
    delay(0).get(timeout=WAIT)
    gc.collect()
    before = len(gc.get_objects())
    handles = [delay(number) for number in range(1000)]
    assert [handle.get(timeout=WAIT) for handle in handles] == list(range(1000))
    gc.collect()
    # the handle, and on CPython 3.10 its dictionary; the store's record holds nothing to follow
    assert (len(gc.get_objects()) - before) / len(handles) <= 2.2
