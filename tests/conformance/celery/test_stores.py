"""Result stores outside memory: `db+…` through SQLAlchemy and `file://`. What is stored, read, kept, saved and dropped.

The store is used through the application's `backend`, without a worker: the same calls that workers make.
"""

from __future__ import annotations

import pickle
import sqlite3
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy")

SHAPES = {
    "none": None,
    "number": 7,
    "nested": {"a": [1, 2.5, {"b": None}], "c": "ä"},
    "tuple": (1, (2, 3)),
}


@pytest.fixture(params=["database", "files"])
def store(request: pytest.FixtureRequest, tmp_path: Path, api: Any) -> Any:
    url = f"db+sqlite:///{tmp_path}/results.db" if request.param == "database" else f"file://{tmp_path}"
    app = api.Celery("stored", backend=url, set_as_current=False)
    yield app
    app.close()


def without_date(meta: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in sorted(meta.items()) if key != "date_done"}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_value(store: Any, observed: Any, shape: str) -> None:
    store.backend.mark_as_done("id", SHAPES[shape])
    meta = store.backend.get_task_meta("id")
    observed("meta", without_date(meta))
    observed("date", type(meta["date_done"]).__name__)
    observed("result", store.AsyncResult("id").get(timeout=5))


def test_nothing(store: Any, observed: Any) -> None:
    observed("meta", without_date(store.backend.get_task_meta("nobody")))
    observed("exists", store.AsyncResult("nobody").exists())


def test_a_failure(store: Any, observed: Any) -> None:
    store.backend.mark_as_failure("id", ValueError("wrong", 7), traceback="where it was")
    result = store.AsyncResult("id")
    observed("state", result.state)
    observed("result", repr(result.result))
    observed("traceback", result.traceback)
    with pytest.raises(ValueError, match="wrong"):
        result.get(timeout=5)


@pytest.mark.parametrize("first", ["STARTED", "RETRY", "FAILURE", "SUCCESS"])
def test_a_later_write(store: Any, observed: Any, first: str) -> None:
    store.backend.store_result("id", ValueError("first") if first in ("RETRY", "FAILURE") else "first", first)
    store.backend.store_result("id", "second", "CUSTOM")
    observed("state", store.backend.get_task_meta("id", cache=False)["status"])


def test_forgotten(store: Any, observed: Any) -> None:
    store.backend.mark_as_done("id", 1)
    result = store.AsyncResult("id")
    observed("before", result.exists())
    result.forget()
    observed("after", [result.exists(), store.AsyncResult("id").state])


def test_a_saved_group(store: Any, observed: Any) -> None:
    for name in ("one", "two"):
        store.backend.mark_as_done(name, name)
    group = store.GroupResult("of-two", [store.AsyncResult("one"), store.AsyncResult("two")])
    group.save()
    found = store.GroupResult.restore("of-two")
    observed("found", [found.id, [member.id for member in found]])
    observed("values", found.join(timeout=5))
    found.delete()
    store.backend._cache.clear()
    observed("deleted", store.GroupResult.restore("of-two"))


def test_extended(store: Any, observed: Any) -> None:
    store.conf.result_extended = True
    request = SimpleNamespace(
        task="shop.add",
        args=[1, 2],
        kwargs={"x": None},
        hostname="w1",
        retries=3,
        delivery_info={"routing_key": "slow"},
        ignore_result=False,
        chord=None,
        group=None,
        parent_id=None,
        children=[],
        stamps={"who": ["me"]},
        stamped_headers=["who"],
    )
    store.backend.mark_as_done("id", 5, request)
    result = store.AsyncResult("id")
    observed("fields", [result.name, result.args, result.kwargs, result.worker, result.retries, result.queue])
    observed("stamps", result._get_task_meta().get("stamped_headers"))


def test_cleanup_drops_what_has_expired(store: Any, observed: Any) -> None:
    store.backend.mark_as_done("id", 1)
    store.backend.cleanup()
    observed("kept", store.AsyncResult("id").exists())
    expires = store.backend.expires
    observed("expires", type(expires).__name__)
    if isinstance(expires, timedelta):
        store.backend.expires = timedelta(microseconds=1)
        store.backend.cleanup()
        observed("dropped", not store.AsyncResult("id").exists())


def test_a_pickled_backend(store: Any, observed: Any) -> None:
    store.set_current()
    again = pickle.loads(pickle.dumps(store.backend))
    observed("class", type(again).__name__)
    store.backend.mark_as_done("id", 3)
    observed("result", again.get_result("id"))


def test_rows(api: Any, observed: Any, tmp_path: Path) -> None:
    """The table itself: another program reads it."""
    app = api.Celery("stored", backend=f"db+sqlite:///{tmp_path}/results.db", set_as_current=False)
    app.backend.mark_as_done("good", [1, "two"])
    app.backend.mark_as_failure("bad", KeyError("k"))
    with sqlite3.connect(tmp_path / "results.db") as direct:
        tables = direct.execute("select name from sqlite_master where type = 'table' order by name").fetchall()
        columns = [row[1] for row in direct.execute("pragma table_info(celery_taskmeta)")]
        rows = direct.execute("select task_id, status, result from celery_taskmeta order by id").fetchall()
    observed("tables", [name for (name,) in tables])
    observed("columns", sorted(set(columns) - {"name", "args", "kwargs", "worker", "retries", "queue", "stamps"}))
    observed("rows", [[task_id, status, bytes(result).decode()] for task_id, status, result in rows])


@pytest.mark.parametrize("url", ["database", "file:///nowhere/at/all", "db+nothing://"])
def test_impossible_stores(api: Any, observed: Any, url: str) -> None:
    app = api.Celery("stored", backend=url, set_as_current=False)
    with pytest.raises(Exception) as caught:
        app.backend.mark_as_done("id", 1)
    observed("class", type(caught.value).__name__)
