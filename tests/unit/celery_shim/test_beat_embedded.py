"""Beat in this process: by a clock set by hand, its file, its failures, entries that come later, what stops it."""

from __future__ import annotations

import dbm
import logging
import os
import pickle
import pickletools
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("kombu")
pytest.importorskip("fcntl", reason="host locks need flock")

from brokerless.compat.celery_shim import Celery, beat, signals
from brokerless.compat.celery_shim.contrib.testing.worker import start_worker
from brokerless.compat.celery_shim.runtime import beat_store, embedded_beat, processes
from brokerless.compat.celery_shim.runtime import broker as brokers
from brokerless.compat.celery_shim.schedules import crontab

from brokerless.clocks import ManualClock
from tests.unit.rig import SOON, eventually

START = datetime(2026, 6, 15, 10, 20, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("BROKERLESS_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "0")

    def leave_logging_alone(**kwargs: Any) -> None:
        """A receiver: the worker then configures no logger."""

    signals.setup_logging.connect(leave_logging_alone)
    yield
    signals.setup_logging.disconnect(leave_logging_alone)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Celery]:
    """An app with a broker of its own and a task that notes its argument in `app.ran`."""
    app = Celery("beat", broker=f"memory://{tmp_path.name}", beat_schedule_filename=str(tmp_path / "beat-schedule"))
    app.ran = []

    @app.task(name="note", shared=False)
    def note(what: Any = None) -> None:
        app.ran.append(what)

    yield app
    app.close()


@pytest.fixture
def worker(app: Celery) -> Iterator[Any]:
    """A worker of the app."""
    with start_worker(app, perform_ping_check=False, concurrency=1) as started:
        yield started


@pytest.fixture
def clock(app: Celery, worker: Any) -> ManualClock:
    """A clock of the engine that the app's `now` follows."""
    clock = ManualClock(0.0)
    brokers.engine().clock = clock
    app.now = lambda: START + timedelta(seconds=clock.now())
    return clock


def asleep(running: embedded_beat.EmbeddedBeat) -> Callable[[], bool]:
    """Whether a beat sleeps until its next entry is due, with a timer of the engine."""
    timers = brokers.engine().keeper._timers
    return lambda: running.active and timers.first() is not None and not running.service._woken.is_set()


def test_a_clock_set_by_hand(app: Celery, clock: ManualClock) -> None:
    app.conf.beat_schedule = {
        "ten": {"task": "note", "schedule": 10.0, "args": ("ten",)},
        "quarter": {"task": "note", "schedule": crontab(minute="*/15"), "args": ("quarter",)},
    }
    running = app.start_embedded()
    eventually(asleep(running))
    assert app.ran == []
    for _ in range(2):
        clock.advance(9.989)
        eventually(asleep(running))
        before = list(app.ran)
        clock.advance(0.011)
        eventually(lambda before=before: len(app.ran) == len(before) + 1)
        eventually(asleep(running))
    assert app.ran == ["ten", "ten"]
    clock.advance(600)
    eventually(lambda: len(app.ran) == 4)
    assert sorted(app.ran) == ["quarter", "ten", "ten", "ten"]


def test_it_does_not_wake_up_while_nothing_is_due(app: Celery, worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = []
    tick = beat.Scheduler.tick
    monkeypatch.setattr(beat.Scheduler, "tick", lambda self: ticks.append(1) or tick(self))
    app.conf.beat_schedule = {"soon": {"task": "note", "schedule": 0.3}, "rare": {"task": "note", "schedule": 3600.0}}
    app.start_embedded()
    eventually(lambda: len(app.ran) == 2)
    # the start, and per run: ten milliseconds before, when due, and after
    assert len(ticks) <= 1 + 2 * 4


def test_the_same_beat_is_given_again(app: Celery, worker: Any) -> None:
    first = app.start_embedded()
    assert app.start_embedded() is first
    app.stop_embedded()
    assert not first.alive
    second = app.start_embedded()
    assert second is not first
    eventually(lambda: second.active)


def test_closing_the_app_stops_it(app: Celery, worker: Any) -> None:
    running = app.start_embedded()
    eventually(lambda: running.active)
    app.close()
    assert not running.alive
    assert not running.lock.held


def test_two_apps_have_a_beat_each(app: Celery, worker: Any, tmp_path: Path) -> None:
    with Celery("other", beat_schedule_filename=str(tmp_path / "other")) as other:
        one, two = app.start_embedded(), other.start_embedded()
        eventually(lambda: one.active and two.active)


def test_entries_that_are_added_while_it_runs(app: Celery, worker: Any) -> None:
    app.conf.beat_schedule = {"rare": {"task": "note", "schedule": 3600.0}}
    running = app.start_embedded()
    eventually(lambda: running.active and running.service._last_tick is not None)
    app.add_periodic_task(0.05, app.signature("note", ("added",)), name="added")
    eventually(lambda: "added" in app.ran)


def test_an_entry_that_is_added_again_keeps_its_last_run(app: Celery, worker: Any) -> None:
    app.conf.beat_schedule = {"rare": {"task": "note", "schedule": 3600.0}}
    running = app.start_embedded()
    eventually(lambda: running.active and running.service._last_tick is not None)
    before = running.service.scheduler.schedule["rare"].last_run_at
    app.add_periodic_task(1800.0, app.signature("note", ("other",)), name="rare")
    eventually(lambda: running.service.scheduler.schedule["rare"].args == ("other",))
    found = running.service.scheduler.schedule["rare"]
    assert (found.last_run_at, found.schedule) == (before, timedelta(seconds=1800))


def test_a_worker_with_beat(app: Celery) -> None:
    app.conf.beat_schedule = {"often": {"task": "note", "schedule": 0.05, "args": ("often",)}}
    with start_worker(app, perform_ping_check=False, beat=True) as started:
        eventually(lambda: app.ran)
        running = started.beat
    assert not running.alive


def test_a_worker_of_a_test_has_none(app: Celery, worker: Any) -> None:
    app.conf.beat_schedule = {"often": {"task": "note", "schedule": 0.05}}
    app.send_task("note", ("by hand",)).get(timeout=SOON)
    assert embedded_beat.running(app) is None


def test_a_folder_that_cannot_be_written(app: Celery, worker: Any, caplog: pytest.LogCaptureFixture) -> None:
    app.conf.beat_schedule_filename = "/proc/no/such/place"
    app.conf.beat_schedule = {"often": {"task": "note", "schedule": 0.05}}
    with caplog.at_level(logging.WARNING):
        app.start_embedded()
        eventually(lambda: app.ran)
    assert any("'/proc/no/such/place' cannot be used" in record.getMessage() for record in caplog.records)


def test_a_scheduler_that_fails_is_started_again(
    app: Celery, worker: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(embedded_beat, "_PAUSES", (0.01,))
    tries = []

    class Failing(beat.Scheduler):
        def setup_schedule(self) -> None:
            tries.append(1)
            if len(tries) < 3:
                raise RuntimeError("no such table")
            super().setup_schedule()

    app.conf.beat_schedule = {"often": {"task": "note", "schedule": 0.05}}
    app.start_embedded(scheduler_cls=Failing)
    eventually(lambda: app.ran)
    assert len(tries) == 3
    assert sum("Stopped by an error" in record.getMessage() for record in caplog.records) == 2


def test_a_lock_whose_file_was_removed_is_taken_anew(
    app: Celery, worker: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(embedded_beat, "_REFRESH", 0.0)
    monkeypatch.setattr(embedded_beat, "RETRY", 0.01)
    app.conf.beat_schedule = {"often": {"task": "note", "schedule": 0.05}}
    running = app.start_embedded()
    eventually(lambda: app.ran)
    running.lock.path.unlink()
    eventually(lambda: running.lock.path.exists() and running.active)
    assert any("file is gone" in record.getMessage() for record in caplog.records)


def test_who_takes_over_knows_every_run(app: Celery, worker: Any) -> None:
    app.conf.beat_schedule = {"often": {"task": "note", "schedule": 0.05}}
    running = app.start_embedded()
    eventually(lambda: app.ran)
    assert running.service.scheduler.sync_every_tasks == 1
    app.stop_embedded()
    with beat_store.open(app.conf.beat_schedule_filename) as store:
        assert store["entries"]["often"].total_run_count >= len(app.ran)


# -- the file ----------------------------------------------------------------------------------------------------------


def test_a_file_of_the_real_celery_is_read(app: Celery) -> None:
    entry = beat.ScheduleEntry("old", "note", schedule=crontab(minute=5), last_run_at=START, total_run_count=7)
    # protocol 0 names modules in plain text
    raw = pickle.dumps({"old": entry}, protocol=0).replace(b"brokerless.compat.celery_shim.", b"celery.")
    raw = raw.replace(b"celery.runtime.beat_entries", b"celery.beat")
    assert b"ccelery.beat\nScheduleEntry" in raw
    assert b"brokerless" not in raw
    filename = app.conf.beat_schedule_filename
    with dbm.open(filename, "c") as file:
        file[b"entries"] = raw
        for name, value in (("__version__", "5.7.0"), ("tz", None), ("utc_enabled", True)):
            file[name.encode()] = pickle.dumps(value)
    app.conf.beat_schedule = {"old": {"task": "note", "schedule": crontab(minute=5)}}
    scheduler = beat.PersistentScheduler(app=app, schedule_filename=filename)
    found = scheduler.schedule["old"]
    scheduler.close()
    assert (found.last_run_at, found.total_run_count) == (START, 7)


def test_the_real_celery_can_read_the_file(app: Celery) -> None:
    """Every class is stored under Celery's name, so that unpickling needs nothing of ours."""
    app.conf.beat_schedule = {
        "cron": {"task": "note", "schedule": crontab(minute=5), "args": (1,)},
        "interval": {"task": "note", "schedule": 30.0, "options": {"queue": "q"}},
    }
    filename = app.conf.beat_schedule_filename
    scheduler = beat.PersistentScheduler(app=app, schedule_filename=filename)
    scheduler.schedule["cron"] = scheduler.schedule["cron"].next(START)
    scheduler.close()
    with dbm.open(filename, "r") as file:
        raw = file[b"entries"]
    assert b"brokerless" not in raw
    names = {word for _, word, _ in pickletools.genops(raw) if isinstance(word, str)}
    assert {"celery.beat", "ScheduleEntry", "celery.schedules", "crontab", "schedule"} <= names
    again = beat.PersistentScheduler(app=app, schedule_filename=filename)
    found = again.schedule["cron"]
    again.close()
    assert (type(found), found.last_run_at, found.schedule) == (beat.ScheduleEntry, START, crontab(minute=5))


def test_a_file_of_somebody_else_is_left_alone(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(app.conf.beat_schedule_filename)
    path.write_text("theirs")

    def refuse(filename: str, **kwargs: Any) -> None:
        raise PermissionError(13, "Permission denied", filename)

    monkeypatch.setattr(beat_store, "open", refuse)
    with pytest.raises(PermissionError):
        beat.PersistentScheduler(app=app, schedule_filename=str(path))
    assert path.read_text() == "theirs"


def test_entries_of_a_class_that_is_gone(app: Celery, caplog: pytest.LogCaptureFixture) -> None:
    filename = app.conf.beat_schedule_filename
    with dbm.open(filename, "c") as file:
        file[b"entries"] = b"cno_such_module\nEntry\n."
    app.conf.beat_schedule = {"new": {"task": "note", "schedule": 5}}
    scheduler = beat.PersistentScheduler(app=app, schedule_filename=filename)
    assert list(scheduler.schedule) == ["new"]
    scheduler.close()
    assert any("recreating them from beat_schedule" in record.getMessage() for record in caplog.records)


def test_a_forked_child_does_not_write(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    store = beat_store.open(app.conf.beat_schedule_filename, writeback=True)
    store["entries"] = {"a": 1}
    store.sync()
    store["entries"]["a"] = 2
    own = os.getpid()
    monkeypatch.setattr(beat_store.os, "getpid", lambda: own + 1)
    store.close()
    monkeypatch.undo()
    with beat_store.open(app.conf.beat_schedule_filename) as again:
        assert again["entries"] == {"a": 1}


# -- where it starts by itself -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["manage.py", "migrate"], True),
        (["/srv/app/manage.py", "shell"], True),
        (["manage.py"], True),
        (["manage.py", "runserver", "8000"], False),
        (["manage.py", "runserver_plus"], False),
        (["django-admin", "test"], True),
        (["/usr/lib/django/__main__.py", "migrate"], True),
        (["/bin/flask", "--app", "x", "run"], False),
        (["/bin/flask", "db", "upgrade"], True),
        (["/bin/gunicorn", "proj.wsgi"], False),
        (["/bin/uvicorn", "proj:app"], False),
        (["celery", "-A", "proj", "call", "x"], True),
        (["main.py"], False),
        ([], False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_processes_that_pass_by(monkeypatch: pytest.MonkeyPatch, argv: list[str], expected: bool) -> None:
    monkeypatch.delitem(sys.modules, "_pytest")
    monkeypatch.setattr(sys, "argv", argv)
    assert processes.passes_by() is expected


def test_a_test_run_passes_by(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "1")
    app.conf.beat_schedule = {"often": {"task": "note", "schedule": 0.05}}
    assert embedded_beat.has_schedule(app)
    assert not embedded_beat._wanted(app)
    app.conf.beat_embedded = True
    assert embedded_beat._wanted(app)


def test_the_scheduler_of_the_database_is_found(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"django_celery_beat"}
    apps = SimpleNamespace(ready=True, is_installed=lambda name: name in installed)
    monkeypatch.setitem(sys.modules, "django.apps", SimpleNamespace(apps=apps))
    assert embedded_beat.scheduler_of(app) == "django_celery_beat.schedulers:DatabaseScheduler"
    assert embedded_beat.has_schedule(app)
    installed.clear()
    assert embedded_beat.scheduler_of(app) == "celery.beat:PersistentScheduler"
    assert not embedded_beat.has_schedule(app)
    app.conf.beat_scheduler = "mine:Scheduler"
    installed.add("django_celery_beat")
    assert embedded_beat.scheduler_of(app) == "mine:Scheduler"


def test_rest_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_LOOK", 0.001)
    monkeypatch.setattr(processes, "_REST", 0.01)
    places = iter([None, 1, None, 2, 3])
    seen: list[Any] = []

    def place() -> Any:
        seen.append(next(places, 4))
        return seen[-1]

    monkeypatch.setattr(processes, "_place", place)
    assert processes.wait_until_settled(threading.Event())
    assert seen[:5] == [None, 1, None, 2, 3]
    assert set(seen[5:]) == {4}
    ended = threading.Event()
    ended.set()
    assert not processes.wait_until_settled(ended)


def test_an_import_is_no_rest() -> None:
    code = compile("found = look()", "importing.py", "exec")
    namespace = {"__name__": "importing", "look": processes._place}
    exec(code, namespace)
    assert namespace["found"] is None


def test_the_parent_of_a_reloading_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WERKZEUG_RUN_MAIN", raising=False)
    monkeypatch.delenv("RUN_MAIN", raising=False)
    namespace = {"__name__": "werkzeug._reloader", "look": processes.is_reloader}
    exec("def run_with_reloader(): return look()\n", namespace)
    assert namespace["run_with_reloader"]()
    assert not processes.is_reloader()
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
    assert not namespace["run_with_reloader"]()
