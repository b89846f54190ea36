"""Entries of beat: fields, the next one, equality, update, pickle; how they come into `beat_schedule`."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

LAST = datetime(2026, 6, 15, 10, 20, tzinfo=timezone.utc)


@pytest.fixture
def entry(api: Any, app: Any) -> Callable[..., Any]:
    """A maker of entries with a fixed last run."""

    def make(**fields: Any) -> Any:
        return api.mod("beat").ScheduleEntry(
            **{"name": "one", "task": "c.add", "schedule": 10, "last_run_at": LAST, "app": app, **fields}
        )

    return make


def shown(entry: Any) -> dict[str, Any]:
    """The fields of an entry but the app."""
    return {key: value for key, value in sorted(dict(entry).items()) if key != "app"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"args": (1, 2), "kwargs": {"a": 1}},
        {"args": None, "kwargs": None, "options": None},
        {"options": {"queue": "q", "expires": 5}},
        {"schedule": timedelta(minutes=2)},
        {"schedule": 0.5, "relative": True},
        {"total_run_count": 4},
        {"schedule": None},
    ],
    ids=["plain", "arguments", "none", "options", "delta", "relative", "count", "no schedule"],
)
def test_fields(entry: Any, app: Any, observed: Any, fields: dict[str, Any]) -> None:
    made = entry(**fields)
    observed("fields", shown(made))
    observed("repr", repr(made))
    assert made.app is app
    if made.schedule is not None:
        observed("relative", made.schedule.relative)
        assert made.schedule.app is app


def test_class_attributes(api: Any, observed: Any) -> None:
    cls = api.mod("beat").ScheduleEntry
    names = ("name", "schedule", "args", "kwargs", "options", "last_run_at", "total_run_count")
    observed("values", [getattr(cls, name) for name in names])
    observed("hashable", cls.__hash__ is not None)


def test_next(entry: Any, observed: Any) -> None:
    first = entry(args=(1,), kwargs={"a": 2}, options={"queue": "q"}, total_run_count=3)
    second = next(first)
    third = second.next(LAST + timedelta(days=1))
    observed("kept", [second.name, second.task, second.args, second.kwargs, second.options, second.schedule])
    observed("counts", [first.total_run_count, second.total_run_count, third.total_run_count])
    assert second.last_run_at > LAST
    assert third.last_run_at == LAST + timedelta(days=1)
    assert second == first


def test_first_run_is_one_interval_after_the_start(api: Any, app: Any) -> None:
    made = api.mod("beat").ScheduleEntry(name="n", task="t", schedule=1000, app=app)
    due, following = made.is_due()
    assert due is False
    assert 990 < following <= 1000
    assert abs((made.last_run_at - app.now()).total_seconds()) < 10


def test_equality_is_that_of_what_is_sent(entry: Any, observed: Any) -> None:
    one = entry()
    others = {
        "name": entry(name="two"),
        "task": entry(task="c.mul"),
        "schedule": entry(schedule=11),
        "same schedule": entry(schedule=timedelta(seconds=10)),
        "args": entry(args=(1,)),
        "kwargs": entry(kwargs={"a": 1}),
        "options": entry(options={"queue": "q"}),
        "last run": entry(last_run_at=LAST + timedelta(days=1)),
        "count": entry(total_run_count=9),
    }
    observed("equal", {key: one == other for key, other in others.items()})
    observed("editable", {key: one.editable_fields_equal(other) for key, other in others.items()})
    with pytest.raises(TypeError):
        one < 3  # noqa: B015


def test_update_keeps_the_last_run(entry: Any, observed: Any) -> None:
    one = entry(total_run_count=7)
    one.update(entry(name="two", task="c.mul", schedule=99, args=(3,), kwargs={"k": 1}, options={"queue": "z"}))
    observed("fields", shown(one))


def test_pickle_drops_the_app(entry: Any, observed: Any) -> None:
    again = pickle.loads(pickle.dumps(entry(args=(1,), total_run_count=5)))
    observed("fields", shown(again))
    assert again.app is None
    assert again == entry(args=(1,))


def test_lazy_arguments(api: Any, observed: Any) -> None:
    lazy = api.mod("beat").BeatLazyFunc(lambda a, b=2: a * b, 4, b=5)
    observed("values", [lazy(), lazy.delay()])


# -- how entries come into the settings --------------------------------------------------------------------------------


def schedule_of(app: Any) -> dict[str, Any]:
    """`beat_schedule` as plain values."""
    return {name: {key: repr(value) for key, value in entry.items()} for name, entry in app.conf.beat_schedule.items()}


@pytest.mark.parametrize("configured", [True, False])
def test_add_periodic_task(app: Any, observed: Any, configured: bool) -> None:
    @app.task(name="add")
    def add(x: int, y: int = 0) -> int:
        return x + y

    if configured:
        assert app.conf.timezone is None
    key = app.add_periodic_task(10.0, add.s(1, y=2), expires=30)
    observed("keys", [key, app.add_periodic_task(20, add.s(1).set(queue="q"), name="named", priority=3)])
    observed("unbound", app.add_periodic_task(30, add, args=(4,), kwargs={"y": 5}))
    observed("schedule", schedule_of(app))


def test_an_unnamed_entry_shadows_its_like(app: Any, observed: Any, caplog: pytest.LogCaptureFixture) -> None:
    @app.task(name="add")
    def add(x: int) -> int:
        return x

    app.add_periodic_task(10, add.s(1))
    app.add_periodic_task(20, add.s(1))
    app.add_periodic_task(30, add.s(1), name="n")
    app.add_periodic_task(40, add.s(1), name="n")
    observed("schedule", schedule_of(app))
    observed("warnings", [record.levelname for record in caplog.records])


@pytest.mark.parametrize("signal", ["on_after_configure", "on_after_finalize"])
def test_periodic_tasks_from_a_signal(app: Any, observed: Any, signal: str) -> None:
    @app.task(name="add")
    def add(x: int) -> int:
        return x

    seen = []

    def setup(sender: Any, **kwargs: Any) -> None:
        seen.append([sender is app, sorted(set(kwargs) - {"signal"})])
        sender.add_periodic_task(10.0, add.s(1), name="from the signal")

    getattr(app, signal).connect(setup)
    app.finalize()
    observed("schedule", schedule_of(app))
    observed("seen", seen)


def test_schedule_from_the_settings(make_app: Any, observed: Any) -> None:
    app = make_app(beat_schedule={"a": {"task": "t", "schedule": 5}})
    app.add_periodic_task(7, app.signature("u"), name="b")
    observed("schedule", schedule_of(app))


def test_names_of_the_module(api: Any, observed: Any) -> None:
    beat = api.mod("beat")
    observed("all", sorted(beat.__all__))
    others = ("BeatLazyFunc", "event_t", "DEFAULT_MAX_INTERVAL", "NODENAME_DEFAULT", "beat_nodename", "logger")
    observed("others", {name: hasattr(beat, name) for name in others})
    observed("event", list(beat.event_t._fields))
    observed("interval", beat.DEFAULT_MAX_INTERVAL)
    assert issubclass(beat.PersistentScheduler, beat.Scheduler)
    assert beat.Service.scheduler_cls is beat.PersistentScheduler
