"""The scheduler: what a tick sends and answers, by a clock that the test sets; merging, updates, order, failures."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

START = datetime(2026, 6, 15, 10, 20, tzinfo=timezone.utc)


class Clock:
    """`app.now` of a test."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock(app: Any, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the app."""
    clock = Clock()
    monkeypatch.setattr(app, "now", clock)
    return clock


@pytest.fixture
def scheduler(api: Any, app: Any, clock: Clock) -> Any:
    """A scheduler that notes what it sends: `sent`."""

    class Noting(api.mod("beat").Scheduler):  # type: ignore[misc, name-defined]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.sent: list[Any] = []
            super().__init__(*args, **kwargs)

        def send_task(self, name: str, args: Any, kwargs: Any, producer: Any = None, **options: Any) -> Any:
            self.sent.append([(clock.time - START).total_seconds(), name, list(args), kwargs, options])
            return app.AsyncResult("id")

    return Noting(app=app)


def run(scheduler: Any, clock: Clock, until: float) -> list[Any]:
    """Tick as the service would, on the test's clock; the names sent, with their times."""
    begun = clock.time
    for _ in range(1000):
        interval = scheduler.tick()
        if not interval:
            continue
        left = until - (clock.time - begun).total_seconds()
        step = interval if interval > 0 else 0.010
        if step > left:
            break
        clock.advance(step)
    return [[round(when, 2), name] for when, name, *_ in scheduler.sent]


def test_nothing_to_do(scheduler: Any, observed: Any) -> None:
    observed("tick", [scheduler.tick(), scheduler.tick(), scheduler.max_interval])


def test_one_entry(scheduler: Any, clock: Clock, observed: Any) -> None:
    scheduler.add(name="one", task="t.one", schedule=10, args=(1,), kwargs={"k": 2}, options={"queue": "q"})
    answers = []
    for step in (0, 5, 4.99, 0.01, 0, 10, 0):
        clock.advance(step)
        answers.append(round(scheduler.tick(), 3))
    observed("ticks", answers)
    observed("sent", scheduler.sent)
    observed("entry", [scheduler.schedule["one"].total_run_count, scheduler.schedule["one"].last_run_at])


def test_a_tick_sends_one(scheduler: Any, clock: Clock, observed: Any) -> None:
    for name in "abc":
        scheduler.add(name=name, task=f"t.{name}", schedule=10)
    clock.advance(10)
    counts = []
    for _ in range(4):
        scheduler.tick()
        counts.append(len(scheduler.sent))
    observed("counts", counts)


def test_order_of_due_times(scheduler: Any, clock: Clock, observed: Any) -> None:
    for name, seconds in {"slow": 7, "fast": 2, "middle": 3}.items():
        scheduler.add(name=name, task=f"t.{name}", schedule=seconds)
    observed("sent", run(scheduler, clock, 12.5))


def test_missed_runs_are_sent_once(scheduler: Any, clock: Clock, observed: Any) -> None:
    scheduler.add(name="often", task="t.often", schedule=2)
    scheduler.add(name="rare", task="t.rare", schedule=50)
    scheduler.tick()
    clock.advance(101)
    observed("sent", run(scheduler, clock, 1))
    observed("last", {name: entry.last_run_at for name, entry in scheduler.schedule.items()})


def test_relative_entries_run_at_round_times(scheduler: Any, clock: Clock, observed: Any) -> None:
    clock.advance(25)
    scheduler.add(name="minute", task="t.minute", schedule=60, relative=True, last_run_at=clock.time)
    observed("sent", run(scheduler, clock, 130))


def test_crontab_entries(api: Any, scheduler: Any, clock: Clock, observed: Any) -> None:
    scheduler.add(name="minutes", task="t.minutes", schedule=api.schedules.crontab(minute="*/2"))
    scheduler.add(name="hour", task="t.hour", schedule=api.schedules.crontab(minute=25))
    observed("sent", run(scheduler, clock, 420))


def test_crontab_in_the_zone_of_the_app(
    api: Any, make_app: Any, monkeypatch: pytest.MonkeyPatch, observed: Any
) -> None:
    app = make_app(timezone="Asia/Kolkata")
    clock = Clock()
    monkeypatch.setattr(app, "now", lambda: clock.time.astimezone(app.timezone))
    sent: list[Any] = []

    class Noting(api.mod("beat").Scheduler):  # type: ignore[misc, name-defined]
        def send_task(self, name: str, *args: Any, **kwargs: Any) -> None:
            sent.append([name, clock.time.isoformat()])

    scheduler = Noting(app=app)
    scheduler.sent = []
    scheduler.add(name="evening", task="t.evening", schedule=api.schedules.crontab(minute=0, hour=16))
    run(scheduler, clock, 3600)
    observed("sent", sent)


@pytest.mark.parametrize("seconds", [None, 60, 600])
def test_deadline(api: Any, make_app: Any, monkeypatch: pytest.MonkeyPatch, observed: Any, seconds: int | None) -> None:
    app = make_app(beat_cron_starting_deadline=seconds)
    clock = Clock()
    monkeypatch.setattr(app, "now", clock)
    scheduler = api.mod("beat").Scheduler(app=app)
    sent: list[str] = []
    monkeypatch.setattr(scheduler, "send_task", lambda name, *args, **kwargs: sent.append(name))
    cron = api.schedules.crontab(minute=15)
    scheduler.add(name="quarter", task="t.quarter", schedule=cron, last_run_at=START - timedelta(hours=2))
    observed("tick", round(scheduler.tick(), 3))
    observed("sent", sent)


def test_header_and_options(scheduler: Any, clock: Clock, observed: Any) -> None:
    headers = {"mine": 1}
    scheduler.add(name="one", task="t.one", schedule=1, options={"headers": headers, "priority": 3})
    scheduler.add(name="two", task="t.two", schedule=1, args=None, kwargs=None)
    clock.advance(1)
    scheduler.tick()
    scheduler.tick()
    observed("sent", sorted(scheduler.sent, key=lambda sent: sent[1]))


def test_lazy_arguments_are_computed_at_each_run(api: Any, scheduler: Any, clock: Clock, observed: Any) -> None:
    lazy = api.mod("beat").BeatLazyFunc(lambda: (clock.time - START).total_seconds())
    scheduler.add(name="one", task="t.one", schedule=5, args=(lazy, 1), kwargs={"at": lazy})
    for _ in range(2):
        clock.advance(5)
        scheduler.tick()
    observed("sent", [sent[2:4] for sent in scheduler.sent])


def test_a_registered_task_is_called_by_its_own_method(
    app: Any, scheduler: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch, observed: Any
) -> None:
    @app.task(name="t.known")
    def known() -> None:
        """Not run."""

    calls: list[Any] = []
    monkeypatch.setattr(known, "apply_async", lambda *args, producer=None, **options: calls.append([args, options]))
    scheduler.add(name="one", task="t.known", schedule=5, args=(1,), options={"expires": 3})
    clock.advance(5)
    scheduler.tick()
    observed("calls", calls)
    observed("sent", scheduler.sent)


def test_a_task_that_cannot_be_sent(
    scheduler: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch, observed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise ValueError("no way")

    monkeypatch.setattr(scheduler, "send_task", refuse)
    scheduler.add(name="one", task="t.one", schedule=5)
    clock.advance(5)
    with caplog.at_level(logging.ERROR):
        observed("tick", scheduler.tick())
    observed("next", round(scheduler.tick(), 3))
    observed("count", scheduler.schedule["one"].total_run_count)
    observed("log", [record.getMessage().splitlines()[0] for record in caplog.records])


def test_sending_by_hand(api: Any, scheduler: Any, monkeypatch: pytest.MonkeyPatch, observed: Any) -> None:
    entry = scheduler.add(name="one", task="t.one", schedule=5)
    result = scheduler.apply_async(entry)
    observed("counts", [result.id, scheduler.schedule["one"].total_run_count, entry.total_run_count])
    scheduler.apply_async(entry, advance=False)
    observed("not advanced", scheduler.schedule["one"].total_run_count)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise ValueError("no way")

    monkeypatch.setattr(scheduler, "send_task", refuse)
    with pytest.raises(api.mod("beat").SchedulingError) as caught:
        scheduler.apply_async(entry)
    observed("error", str(caught.value))


def test_an_entry_that_cannot_be_asked(
    scheduler: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch, observed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    broken = scheduler.add(name="broken", task="t.broken", schedule=5)
    scheduler.add(name="fine", task="t.fine", schedule=5)

    def fail(last_run_at: Any) -> Any:
        raise RuntimeError("cannot say")

    monkeypatch.setattr(broken.schedule, "is_due", fail)
    clock.advance(5)
    observed("ticks", [round(scheduler.tick(), 3) for _ in range(3)])
    observed("sent", [sent[1] for sent in scheduler.sent])
    observed("log", [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR])


def test_entries_may_come_and_go(scheduler: Any, clock: Clock, observed: Any) -> None:
    scheduler.add(name="one", task="t.one", schedule=10)
    observed("first", round(scheduler.tick(), 3))
    scheduler.add(name="two", task="t.two", schedule=3)
    observed("second", round(scheduler.tick(), 3))
    del scheduler.schedule["two"]
    observed("third", round(scheduler.tick(), 3))
    scheduler.schedule["one"].update(scheduler.Entry(name="one", task="t.other", schedule=6, app=scheduler.app))
    observed("fourth", round(scheduler.tick(), 3))
    observed("sent", run(scheduler, clock, 13))


def test_merge(scheduler: Any, clock: Clock, observed: Any) -> None:
    scheduler.update_from_dict({"kept": {"task": "t.kept", "schedule": 10}, "gone": {"task": "t.gone", "schedule": 5}})
    clock.advance(10)
    scheduler.tick()
    scheduler.tick()
    scheduler.merge_inplace({"kept": {"task": "t.kept", "schedule": 20}, "new": {"task": "t.new", "schedule": 1}})
    found = {
        name: [entry.task, repr(entry.schedule), entry.total_run_count] for name, entry in scheduler.schedule.items()
    }
    observed("schedule", dict(sorted(found.items())))


def test_update_from_dict_replaces(scheduler: Any, observed: Any) -> None:
    entry = scheduler.Entry(name="ready", task="t.ready", schedule=3)
    scheduler.update_from_dict({"ready": entry, "made": {"task": "t.made", "schedule": 4, "args": [1]}})
    assert scheduler.schedule["ready"] is entry
    assert entry.app is scheduler.app
    observed("made", [scheduler.schedule["made"].name, scheduler.schedule["made"].args])


@pytest.mark.parametrize("expires", [None, 0, 3600, 86400])
@pytest.mark.parametrize("autoexpires", [True, False])
def test_clean_up_of_results(
    api: Any, make_app: Any, monkeypatch: pytest.MonkeyPatch, observed: Any, expires: Any, autoexpires: bool
) -> None:
    app = make_app(result_expires=expires)
    monkeypatch.setattr(app.backend, "supports_autoexpire", autoexpires)
    scheduler = api.mod("beat").Scheduler(app=app)
    observed("at first", sorted(scheduler.schedule))
    scheduler.install_default_entries(scheduler.schedule)
    schedule = scheduler.schedule
    observed("schedule", {name: [e.task, repr(e.schedule), e.options, e.args] for name, e in schedule.items()})


def test_settings_of_the_scheduler(api: Any, make_app: Any, observed: Any) -> None:
    beat = api.mod("beat")
    app = make_app(beat_max_loop_interval=7, beat_sync_every=3)
    by_setting, by_hand = beat.Scheduler(app=app), beat.Scheduler(app=app, max_interval=2, sync_every_tasks=5)
    observed("setting", [by_setting.max_interval, by_setting.sync_every_tasks, by_setting.sync_every, by_setting.info])
    observed("hand", [by_hand.max_interval, by_hand.sync_every_tasks])
    plain = beat.Scheduler(app=make_app())
    observed("plain", [plain.max_interval, plain.sync_every_tasks, plain.schedule])


def test_a_lazy_scheduler_has_no_entries(api: Any, make_app: Any, observed: Any) -> None:
    app = make_app(beat_schedule={"a": {"task": "t", "schedule": 5}})
    beat = api.mod("beat")
    observed("lazy", sorted(beat.Scheduler(app=app, lazy=True).schedule))
    observed("not lazy", sorted(beat.Scheduler(app=app).schedule))


def test_max_interval_bounds_the_sleep(api: Any, app: Any, clock: Clock, observed: Any) -> None:
    scheduler = api.mod("beat").Scheduler(app=app, max_interval=4)
    scheduler.add(name="one", task="t.one", schedule=1000)
    observed("tick", scheduler.tick())


@pytest.mark.parametrize("delay", [None, -1, 0, 0.005, 0.010, 0.5, 60])
def test_adjust(scheduler: Any, observed: Any, delay: float | None) -> None:
    observed("adjusted", scheduler.adjust(delay))
    observed("by hand", scheduler.adjust(delay, drift=-0.25))


def test_when_to_sync(api: Any, make_app: Any, monkeypatch: pytest.MonkeyPatch, observed: Any) -> None:
    app = make_app(beat_sync_every=2)
    scheduler = api.mod("beat").Scheduler(app=app)
    synced: list[int] = []
    monkeypatch.setattr(scheduler, "sync", lambda: synced.append(scheduler._tasks_since_sync))
    monkeypatch.setattr(scheduler, "send_task", lambda *args, **kwargs: None)
    entry = scheduler.add(name="one", task="t.one", schedule=5)
    for _ in range(5):
        scheduler.apply_async(entry)
    observed("synced", synced)
    observed("now", bool(scheduler.should_sync()))
    scheduler.sync_every = -1
    observed("by time", bool(scheduler.should_sync()))


def test_equal_schedules(scheduler: Any, observed: Any) -> None:
    def entries(**schedules: Any) -> dict[str, Any]:
        return {
            name: scheduler.Entry(name=name, task="t", schedule=every, app=scheduler.app)
            for name, every in schedules.items()
        }

    equal = scheduler.schedules_equal
    pairs = {
        "same": equal(entries(a=1), entries(a=1)),
        "other": equal(entries(a=1), entries(a=2)),
        "more": equal(entries(a=1), entries(a=1, b=1)),
        "fewer": equal(entries(a=1, b=1), entries(a=1)),
        "renamed": equal(entries(a=1), entries(b=1)),
        "none": equal(None, None),
        "first none": equal(None, entries(a=1)),
        "second none": equal(entries(a=1), None),
        "empty": equal({}, {}),
        "gone": equal(entries(a=1), {"a": None}),
    }
    observed("pairs", pairs)


def test_subclass_may_say_when(api: Any, app: Any, clock: Clock, observed: Any) -> None:
    """As django-celery-beat does: entries of its own class, `is_due` with its own answers."""
    beat = api.mod("beat")

    class OwnEntry(beat.ScheduleEntry):  # type: ignore[misc, name-defined]
        def is_due(self) -> Any:
            if self.options.get("disabled"):
                return api.schedules.schedstate(False, 5.0)
            return super().is_due()

    class Own(beat.Scheduler):  # type: ignore[misc, name-defined]
        Entry = OwnEntry
        sent: list[Any] = []

        def apply_entry(self, entry: Any, producer: Any = None) -> None:
            self.sent.append([entry.name, producer is not None])

    scheduler = Own(app=app)
    scheduler.add(name="off", task="t.off", schedule=1, options={"disabled": True})
    scheduler.add(name="on", task="t.on", schedule=1)
    run_clock = clock
    run_clock.advance(1)
    answers = []
    for _ in range(3):
        answers.append(round(scheduler.tick(), 3))
    observed("ticks", answers)
    observed("sent", Own.sent)
    observed("kinds", sorted(type(entry).__name__ for entry in scheduler.schedule.values()))
