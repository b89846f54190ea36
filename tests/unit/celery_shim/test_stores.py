"""Results outside this process's memory: in a database through SQLAlchemy, and as files."""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from brokerless.compat.celery_shim import Celery, group
from brokerless.compat.celery_shim.exceptions import ImproperlyConfigured

pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy (the extra `database`)")

WAIT = 30


def urls(folder: Path) -> dict[str, str]:
    return {"database": f"db+sqlite:///{folder}/results.db", "memory": "db+sqlite://", "files": f"file://{folder}"}


@pytest.fixture(params=["database", "memory", "files"])
def app(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "1")
    url = urls(tmp_path)[request.param]
    with Celery("stored", broker=f"memory://{tmp_path.name}", backend=url, set_as_current=False) as made:
        yield made


def test_values_and_failures(app: Celery) -> None:
    @app.task(shared=False, name="divide")
    def divide(a: int, b: int) -> float:
        return a / b

    assert divide.delay(6, 3).get(timeout=WAIT) == 2.0
    failed = divide.delay(1, 0)
    with pytest.raises(ZeroDivisionError):
        failed.get(timeout=WAIT)
    again = app.AsyncResult(failed.id)
    assert (again.state, type(again.result)) == ("FAILURE", ZeroDivisionError)
    assert "ZeroDivisionError" in again.traceback
    assert app.AsyncResult("nobody").state == "PENDING"


def test_forgotten(app: Celery) -> None:
    @app.task(shared=False, name="one")
    def one() -> int:
        return 1

    result = one.delay()
    assert result.get(timeout=WAIT) == 1
    assert app.backend.task_result_exists(result.id)
    result.forget()
    assert app.AsyncResult(result.id).state == "PENDING"
    assert not app.backend.task_result_exists(result.id)


def test_a_success_stays(app: Celery) -> None:
    app.backend.mark_as_done("id", {"n": [1, 2]})
    app.backend.mark_as_failure("id", ValueError("late"))
    assert app.AsyncResult("id").get() == {"n": [1, 2]}


def test_groups_are_saved(app: Celery) -> None:
    @app.task(shared=False, name="twice")
    def twice(n: int) -> int:
        return 2 * n

    sent = group(twice.s(n) for n in range(3)).apply_async()
    sent.save()
    found = app.GroupResult.restore(sent.id)
    assert found.get(timeout=WAIT) == [0, 2, 4]
    found.delete()
    assert app.GroupResult.restore(sent.id) is None


def test_a_chord(app: Celery) -> None:
    @app.task(shared=False, name="twice")
    def twice(n: int) -> int:
        return 2 * n

    @app.task(shared=False, name="total")
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    assert (group(twice.s(n) for n in range(4)) | total.s()).delay().get(timeout=WAIT) == 12


def test_many_writers(app: Celery) -> None:
    @app.task(shared=False, name="same")
    def same(n: int) -> int:
        return n

    results = [same.delay(n) for n in range(60)]
    assert [result.get(timeout=WAIT) for result in results] == list(range(60))


@pytest.mark.parametrize("app", ["database", "files"], indirect=True)
def test_another_process_reads_it(app: Celery, tmp_path: Path) -> None:
    app.backend.mark_as_done("kept", [1, "two"])
    code = (
        "from brokerless.compat.celery_shim import Celery\n"
        f"app = Celery('reader', backend={urls(tmp_path)['database' if 'db' in app.conf.result_backend else 'files']!r})\n"
        "print(app.AsyncResult('kept').get(timeout=20))"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[1, 'two']"


@pytest.mark.parametrize("app", ["database"], indirect=True)
def test_the_table_is_celerys(app: Celery, tmp_path: Path) -> None:
    app.conf.result_extended = True

    @app.task(shared=False, name="add")
    def add(a: int, b: int) -> int:
        return a + b

    result = add.delay(1, b=2)
    assert result.get(timeout=WAIT) == 3
    again = app.AsyncResult(result.id)
    assert (again.name, again.args, again.kwargs, again.queue) == ("add", [1], {"b": 2}, "celery")
    with sqlite3.connect(tmp_path / "results.db") as direct:
        direct.row_factory = sqlite3.Row
        row = direct.execute("select * from celery_taskmeta where task_id = ?", (result.id,)).fetchone()
    assert (row["status"], row["result"], row["name"]) == ("SUCCESS", b"3", "add")


@pytest.mark.parametrize("app", ["database"], indirect=True)
def test_an_old_row_and_an_old_table(app: Celery, tmp_path: Path) -> None:
    """A table of an older Celery lacks a column, and its results are pickles."""
    with sqlite3.connect(tmp_path / "results.db") as direct:
        direct.execute(
            "create table celery_taskmeta (id integer primary key autoincrement, task_id varchar(155) unique, "
            "status varchar(50), result blob, date_done datetime, traceback text)"
        )
        row = ("old", "SUCCESS", pickle.dumps({"a": 1}))
        direct.execute("insert into celery_taskmeta (task_id, status, result) values (?, ?, ?)", row)
    assert app.AsyncResult("old").get(timeout=WAIT) == {"a": 1}
    app.backend.mark_as_done("new", 2)
    assert app.AsyncResult("new").get(timeout=WAIT) == 2


def test_what_has_expired_goes(app: Celery) -> None:
    app.backend.mark_as_done("old", 1)
    app.backend.cleanup()
    assert app.backend.task_result_exists("old")
    kind = type(app.backend.expires)  # a timedelta for databases, seconds for files
    app.backend.expires = timedelta(microseconds=1) if kind is timedelta else 1e-6
    app.backend.cleanup()
    assert not app.backend.task_result_exists("old")


def test_a_pickled_store_finds_its_place(app: Celery) -> None:
    assert pickle.loads(pickle.dumps(app.backend)).url == app.backend.url


def test_wrong_places(tmp_path: Path) -> None:
    def backend(url: str, **settings: Any) -> Any:
        made = Celery("wrong", backend=url, set_as_current=False)
        made.conf.update(settings)
        return made.backend

    with pytest.raises(ImproperlyConfigured, match="cannot be written"):
        backend(f"file://{tmp_path}/nowhere")
    with pytest.raises(ImproperlyConfigured, match="Missing connection string"):
        backend("database")
    with pytest.raises(ImproperlyConfigured, match="must be callable"):
        backend("db+sqlite://", database_engine_callback=7)
