"""The scheduler with a file: last runs survive, settings that change reset it, broken files are made anew."""

from __future__ import annotations

import logging
import shelve
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

LAST = datetime(2026, 6, 15, 10, 20, tzinfo=timezone.utc)
TWO = {"a": {"task": "t.a", "schedule": 10}, "b": {"task": "t.b", "schedule": 20, "args": (1,)}}


@pytest.fixture
def opened(api: Any, make_app: Any, tmp_path: Path) -> Callable[..., Any]:
    """A maker of schedulers over one file."""

    def make(**conf: Any) -> Any:
        app = make_app(**{"beat_schedule": TWO, **conf})
        return api.mod("beat").PersistentScheduler(app=app, schedule_filename=str(tmp_path / "beat-schedule"))

    return make


def shown(scheduler: Any) -> dict[str, Any]:
    """Task, schedule, count and last run of each entry."""
    entries = {
        name: [entry.task, repr(entry.schedule), list(entry.args), entry.total_run_count, entry.last_run_at == LAST]
        for name, entry in scheduler.schedule.items()
    }
    return dict(sorted(entries.items()))


def ran(scheduler: Any, name: str) -> None:
    """Note a run at a fixed time."""
    entry = scheduler.schedule[name]
    scheduler.schedule[name] = entry.next(LAST)


def test_a_new_file(opened: Any, tmp_path: Path, observed: Any) -> None:
    scheduler = opened()
    observed("schedule", shown(scheduler))
    observed("info", scheduler.info.replace(str(tmp_path), ""))
    scheduler.close()
    assert [path for path in tmp_path.iterdir() if path.name.startswith("beat-schedule")]


def test_last_runs_survive(opened: Any, observed: Any) -> None:
    first = opened()
    ran(first, "a")
    ran(first, "a")
    first.close()
    second = opened()
    observed("schedule", shown(second))
    second.close()


def test_what_was_edited_in_the_settings_counts(opened: Any, observed: Any) -> None:
    first = opened()
    ran(first, "a")
    ran(first, "b")
    first.close()
    second = opened(beat_schedule={"a": {"task": "t.other", "schedule": 99}, "c": {"task": "t.c", "schedule": 1}})
    observed("schedule", shown(second))
    second.close()


def test_sync_writes_while_it_is_open(opened: Any, tmp_path: Path, observed: Any) -> None:
    scheduler = opened()
    ran(scheduler, "b")
    scheduler.sync()
    observed("again", shown(scheduler))
    scheduler.close()
    with shelve.open(str(tmp_path / "beat-schedule")) as store:
        observed("keys", sorted(store))
        observed("settings", [store["__version__"], store["tz"], store["utc_enabled"]])


@pytest.mark.parametrize(
    "conf",
    [{"timezone": "Europe/Berlin"}, {"enable_utc": False}, {"result_expires": 5}],
    ids=["zone", "utc", "expires"],
)
def test_settings_that_reset_the_file(
    opened: Any, observed: Any, caplog: pytest.LogCaptureFixture, conf: dict[str, Any]
) -> None:
    first = opened(timezone="UTC")
    ran(first, "a")
    first.close()
    with caplog.at_level(logging.WARNING):
        second = opened(**{"timezone": "UTC", **conf})
    observed("schedule", shown(second))
    observed("log", [record.getMessage() for record in caplog.records])
    second.close()


def test_no_zone_takes_no_notice(opened: Any, observed: Any) -> None:
    first = opened()
    ran(first, "a")
    first.close()
    second = opened(timezone="Asia/Tokyo")
    observed("schedule", shown(second))
    second.close()


@pytest.mark.parametrize("missing", ["__version__", "tz", "utc_enabled", "entries"])
def test_an_older_file(
    opened: Any, tmp_path: Path, observed: Any, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    first = opened()
    ran(first, "a")
    first.close()
    with shelve.open(str(tmp_path / "beat-schedule")) as store:
        del store[missing]
    with caplog.at_level(logging.WARNING):
        second = opened()
    observed("schedule", shown(second))
    observed("log", [record.getMessage() for record in caplog.records])
    second.close()


def test_a_broken_file_is_made_anew(opened: Any, tmp_path: Path, observed: Any, caplog: Any) -> None:
    (tmp_path / "beat-schedule").write_bytes(b"this is no database" * 20)
    scheduler = opened()
    observed("schedule", shown(scheduler))
    observed("log", [record.levelname for record in caplog.records if "corrupted" in record.getMessage()])
    scheduler.close()


def test_entries_that_cannot_be_read(opened: Any, tmp_path: Path, observed: Any) -> None:
    first = opened()
    ran(first, "a")
    first.close()
    with shelve.open(str(tmp_path / "beat-schedule")) as store:
        store.dict[b"entries"] = b"no pickle"
    second = opened()
    observed("schedule", shown(second))
    second.close()


def test_close_twice(opened: Any, observed: Any) -> None:
    scheduler = opened()
    scheduler.close()
    scheduler.close()
    scheduler.sync()


def test_a_folder_that_is_not_there(opened: Any, api: Any, app: Any, tmp_path: Path, observed: Any) -> None:
    with pytest.raises(Exception) as caught:
        api.mod("beat").PersistentScheduler(app=app, schedule_filename=str(tmp_path / "none" / "beat"))
    observed("error", isinstance(caught.value, OSError))


def test_due_after_a_restart(opened: Any, monkeypatch: pytest.MonkeyPatch, observed: Any) -> None:
    """What fell due while nothing ran is sent once, at the start."""
    first = opened()
    ran(first, "a")
    ran(first, "b")
    first.close()
    second = opened()
    now = LAST + timedelta(seconds=15)
    monkeypatch.setattr(second.app, "now", lambda: now)
    for entry in second.schedule.values():
        entry.schedule.app = second.app
    sent: list[str] = []
    monkeypatch.setattr(second, "send_task", lambda name, *args, **kwargs: sent.append(name))
    answers = [round(second.tick(), 3) for _ in range(3)]
    observed("sent", sent)
    observed("ticks", answers)
    second.close()


def test_a_lazy_one_opens_nothing(api: Any, app: Any, tmp_path: Path, observed: Any) -> None:
    scheduler = api.mod("beat").PersistentScheduler(app=app, schedule_filename=str(tmp_path / "beat"), lazy=True)
    observed("info", scheduler.info.replace(str(tmp_path), ""))
    assert not list(tmp_path.iterdir())
    scheduler.close()
