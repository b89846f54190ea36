"""Schedules as objects: fields of a crontab, when something is due, equality, text, pickle. No scheduler runs."""

from __future__ import annotations

import pickle
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

MONDAY = datetime(2026, 6, 15, 10, 20, 30, tzinfo=timezone.utc)

FORMS = {
    "stars": {},
    "minute 5": {"minute": 5},
    "minute text": {"minute": "5"},
    "every quarter": {"minute": "*/15"},
    "list of minutes": {"minute": "1,13,30-45,50-59/2"},
    "set of minutes": {"minute": {3, 1, 2}},
    "tuple of minutes": {"minute": (3, 1)},
    "generator": {"minute": range(0, 60, 20)},
    "round the end": {"minute": "58-2"},
    "round the end in steps": {"minute": "50-10/5"},
    "office hours": {"hour": "0,8-17/2"},
    "step of an hour": {"hour": "*/5"},
    "weekday name": {"day_of_week": "sunday"},
    "short weekday": {"day_of_week": "TUE"},
    "weekday range": {"day_of_week": "mon-fri"},
    "weekend": {"day_of_week": "fri-mon"},
    "weekday numbers": {"day_of_week": "1,3,5"},
    "even weekdays": {"day_of_week": "*/2"},
    "month name": {"month_of_year": "january"},
    "month range": {"month_of_year": "nov-feb"},
    "quarters": {"month_of_year": "*/3"},
    "even months": {"month_of_year": "2-12/2"},
    "even days": {"day_of_month": "2-30/2"},
    "first and third week": {"day_of_month": "1-7,15-21"},
    "fifth": {"day_of_month": "5"},
}

WRONG = {
    "minute 60": {"minute": 60},
    "minute text 60": {"minute": "60"},
    "minute -1": {"minute": -1},
    "minute text -1": {"minute": "-1"},
    "hour 24": {"hour": "24"},
    "day 0": {"day_of_month": 0},
    "day text 0": {"day_of_month": "0"},
    "day 32": {"day_of_month": "32"},
    "month 13": {"month_of_year": 13},
    "month 0": {"month_of_year": "0"},
    "weekday 7": {"day_of_week": "7"},
    "empty": {"minute": ""},
    "empty part": {"minute": "1,,2"},
    "empty step": {"minute": "*/"},
    "step zero": {"minute": "*/0"},
    "letters": {"minute": "xyz"},
    "bad weekday": {"day_of_week": "foosday"},
    "float": {"minute": 1.5},
    "none": {"minute": None},
    "list out of range": {"hour": [1, 25]},
    "30 February": {"day_of_month": 30, "month_of_year": 2},
    "31 of short months": {"day_of_month": "31", "month_of_year": "2,4,6,9,11"},
}


def moment(text: str, zone: str = "UTC", fold: int = 0) -> datetime:
    """A time of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


def fields(schedule: Any) -> list[list[int]]:
    """What a crontab's fields stand for."""
    names = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year")
    return [sorted(getattr(schedule, name)) for name in names]


def said(call: Any) -> list[str]:
    """The type and text of the error of a call."""
    with pytest.raises(Exception) as caught:
        call()
    return [type(caught.value).__name__, str(caught.value)]


@pytest.mark.parametrize("form", FORMS)
def test_fields_of_a_crontab(api: Any, app: Any, observed: Any, form: str) -> None:
    schedule = api.schedules.crontab(**FORMS[form], app=app)
    observed("fields", fields(schedule))
    observed("repr", repr(schedule))
    again = pickle.loads(pickle.dumps(schedule)) if form != "generator" else schedule
    again.app = app
    assert again == schedule
    assert fields(again) == fields(schedule)
    assert repr(again) == repr(schedule)


@pytest.mark.parametrize("form", WRONG)
def test_wrong_fields(api: Any, app: Any, observed: Any, form: str) -> None:
    observed("error", said(lambda: api.schedules.crontab(**WRONG[form], app=app)))


@pytest.mark.parametrize("text", ["*/5 * * * *", "0 4 1 * mon", "30 6 * 1-3 *", "0 0", "a b c d e", "0 0 * * * *"])
def test_from_string(api: Any, observed: Any, text: str) -> None:
    make = api.schedules.crontab.from_string
    if len(text.split()) != 5 or text.startswith("a"):
        observed("error", said(lambda: make(text))[0])
    else:
        observed("repr", repr(make(text)))


@pytest.mark.parametrize(
    ("most", "least", "spec"),
    [
        (60, 0, "*"),
        (7, 0, "sat-tue"),
        (31, 1, "29-3/2"),
        (12, 1, "*/5"),
        (24, 0, "3,2,1,1"),
        (60, 0, "10-5"),
        (60, 0, "mon"),
        (5, 3, "*"),
        (5, 3, "8"),
        (7, 0, "*-3"),
        (60, 0, "1-2-3"),
        (60, 0, "5/15"),
    ],
)
def test_parser(api: Any, observed: Any, most: int, least: int, spec: str) -> None:
    parser = api.schedules.crontab_parser(most, least)
    try:
        observed("numbers", sorted(parser.parse(spec)))
    except Exception as exc:
        observed("error", [type(exc).__name__, str(exc)])


DUE = {
    "next minute": ({}, "2026-06-15 10:20:30", "2026-06-15 10:20:45"),
    "this hour": ({"minute": 45}, "2026-06-15 10:20:30", "2026-06-15 10:21"),
    "next hour": ({"minute": 5}, "2026-06-15 10:20:30", "2026-06-15 10:21"),
    "today": ({"minute": 0, "hour": 14}, "2026-06-15 10:20:30", "2026-06-15 10:21"),
    "tomorrow": ({"minute": 0, "hour": 4}, "2026-06-15 10:20:30", "2026-06-15 10:21"),
    "missed": ({"minute": "*/15"}, "2026-06-15 10:00", "2026-06-15 10:16"),
    "long missed": ({"minute": 0, "hour": 4}, "2026-06-10 04:00", "2026-06-15 10:20"),
    "on the second": ({"minute": 30}, "2026-06-15 10:20", "2026-06-15 10:30"),
    "one microsecond early": ({"minute": 30}, "2026-06-15 10:20", "2026-06-15 10:29:59.999999"),
    "same weekday next week": ({"minute": 0, "hour": 4, "day_of_week": "mon"}, "2026-06-15 10:20", "2026-06-15 10:21"),
    "weekday later": ({"minute": 0, "hour": 4, "day_of_week": "thu,sat"}, "2026-06-15 10:20", "2026-06-15 10:21"),
    "sunday": ({"minute": 0, "hour": 4, "day_of_week": 0}, "2026-06-15 10:20", "2026-06-15 10:21"),
    "day of month": ({"minute": 0, "hour": 4, "day_of_month": "1,20"}, "2026-06-15 10:20", "2026-06-15 10:21"),
    "next month": ({"minute": 0, "hour": 4, "day_of_month": "1"}, "2026-06-15 10:20", "2026-06-15 10:21"),
    "next year": ({"minute": 0, "hour": 4, "month_of_year": "1"}, "2026-06-15 10:20", "2026-06-15 10:21"),
    "both days": (
        {"minute": 0, "hour": 0, "day_of_week": "fri", "day_of_month": "13"},
        "2026-06-15 10:20",
        "2026-06-15 10:21",
    ),
    "leap day": ({"minute": 0, "hour": 0, "day_of_month": 29, "month_of_year": 2}, "2026-06-15", "2026-06-15 10:21"),
    "leap day on a monday": (
        {"minute": 0, "hour": 0, "day_of_month": 29, "month_of_year": 2, "day_of_week": 1},
        "2026-06-15",
        "2026-06-15 10:21",
    ),
    "end of the month": ({"minute": 0, "hour": 0, "day_of_month": 31}, "2026-06-30", "2026-06-30 10:21"),
    "end of the year": ({"minute": 59, "hour": 23}, "2026-12-31 23:59", "2026-12-31 23:59:30"),
    "run in the future": ({"minute": 0}, "2026-06-15 12:30", "2026-06-15 10:21"),
}


@pytest.mark.parametrize("case", DUE)
def test_when_a_crontab_is_due(api: Any, app: Any, observed: Any, case: str) -> None:
    form, last, now = DUE[case]
    schedule = api.schedules.crontab(**form, nowfun=lambda: moment(now), app=app)
    due = schedule.is_due(moment(last))
    observed("remaining", schedule.remaining_estimate(moment(last)).total_seconds())
    observed("due", list(due))
    assert due.is_due == due[0]
    assert due.next == due[1]


@pytest.mark.parametrize("case", ["missed", "long missed", "on the second", "tomorrow"])
@pytest.mark.parametrize("seconds", [0, 59, 60, 3600, 86400, 10**7])
def test_deadline_of_a_missed_run(api: Any, make_app: Any, observed: Any, case: str, seconds: int) -> None:
    app = make_app(beat_cron_starting_deadline=seconds)
    form, last, now = DUE[case]
    schedule = api.schedules.crontab(**form, nowfun=lambda: moment(now), app=app)
    observed("due", list(schedule.is_due(moment(last))))


ZONES = {
    "spring, skipped hour": ("America/New_York", {"minute": 30, "hour": 2}, "2026-03-07 02:30", "2026-03-08 01:00"),
    "spring, after it": ("America/New_York", {"minute": 30, "hour": 2}, "2026-03-08 03:30", "2026-03-08 04:00"),
    "spring, hourly": ("Europe/Berlin", {"minute": 0}, "2026-03-29 01:00", "2026-03-29 01:30"),
    "spring, midnight": ("Europe/Berlin", {"minute": 0, "hour": 0}, "2026-03-28 12:00", "2026-03-29 12:00"),
    "autumn, repeated hour": ("Europe/Berlin", {"minute": 30, "hour": 2}, "2026-10-24 02:30", "2026-10-25 01:00"),
    "autumn, hourly": ("Europe/Berlin", {"minute": 0}, "2026-10-25 02:00", "2026-10-25 02:30"),
    "autumn, day after": ("Europe/Berlin", {"minute": 0, "hour": 4}, "2026-10-24 04:00", "2026-10-25 03:00"),
    "half an hour": ("Australia/Lord_Howe", {"minute": 15, "hour": 2}, "2026-10-03 12:00", "2026-10-03 23:00"),
    "no change of clocks": ("Asia/Tokyo", {"minute": 0, "hour": 9}, "2026-06-15 09:00", "2026-06-15 23:00"),
    "west": ("Pacific/Honolulu", {"minute": 0, "hour": 9, "day_of_week": 1}, "2026-06-15 08:00", "2026-06-15 08:30"),
}


@pytest.mark.parametrize("case", ZONES)
def test_crontab_in_a_zone(api: Any, make_app: Any, observed: Any, case: str) -> None:
    zone, form, last, now = ZONES[case]
    schedule = api.schedules.crontab(**form, nowfun=lambda: moment(now, zone), app=make_app(timezone=zone))
    observed("due", list(schedule.is_due(moment(last, zone))))
    observed("in UTC", list(schedule.is_due(moment(last, zone).astimezone(timezone.utc))))


def test_naive_times_are_utc(api: Any, make_app: Any, observed: Any) -> None:
    app = make_app(timezone="Asia/Tokyo")
    schedule = api.schedules.crontab(
        minute=0, hour=9, nowfun=lambda: datetime(2026, 6, 14, 23, 0, tzinfo=timezone.utc), app=app
    )
    observed("due", list(schedule.is_due(datetime(2026, 6, 14, 1, 0))))
    observed("aware", schedule.maybe_make_aware(datetime(2026, 6, 14)).isoformat())
    observed("local", schedule.maybe_make_aware(datetime(2026, 6, 14), naive_as_utc=False).isoformat())


@pytest.mark.parametrize("utc", [True, False])
def test_zone_of_a_schedule(api: Any, make_app: Any, observed: Any, utc: bool) -> None:
    app = make_app(timezone="Europe/Berlin", enable_utc=utc)
    schedule = api.schedules.schedule(10, app=app)
    observed("zone", [str(schedule.tz), schedule.utc_enabled, schedule.app is app])
    assert schedule.now().tzinfo is not None


def test_equality(api: Any, app: Any, observed: Any) -> None:
    crontab, schedule = api.schedules.crontab, api.schedules.schedule

    def now() -> datetime:
        return MONDAY

    pairs = {
        "same field": crontab(minute=5) == crontab(minute="5"),
        "other spelling": crontab(minute="*/30") == crontab(minute="0,30"),
        "other field": crontab(minute=5) == crontab(hour=5),
        "other clock": crontab(minute=5) == crontab(minute=5, nowfun=now),
        "same clock": crontab(minute=5, nowfun=now) == crontab(minute=5, nowfun=now),
        "interval": schedule(10) == schedule(10.0),
        "interval and delta": schedule(10) == timedelta(seconds=10),
        "interval and number": schedule(10) == 10,
        "relative": schedule(10) == schedule(10, relative=True),
        "kinds": crontab() == schedule(60),
        "kinds turned round": schedule(60) == crontab(),
        "none": crontab() == None,  # noqa: E711
        "unequal": crontab() != crontab(),
    }
    observed("equal", pairs)
    observed("hashable", [type(crontab()).__hash__ is None, type(schedule(1)).__hash__ is None])


INTERVALS = {
    "not yet": (10, False, "2026-06-15 10:20:25", "2026-06-15 10:20:30"),
    "now": (10, False, "2026-06-15 10:20:20", "2026-06-15 10:20:30"),
    "late": (10, False, "2026-06-15 10:00", "2026-06-15 10:20:30"),
    "fraction": (0.25, False, "2026-06-15 10:20:30", "2026-06-15 10:20:30.100000"),
    "zero": (0, False, "2026-06-15 10:20:30", "2026-06-15 10:20:30"),
    "round minute": (60, True, "2026-06-15 10:19:45", "2026-06-15 10:19:50"),
    "round minute due": (60, True, "2026-06-15 10:19:45", "2026-06-15 10:20:00"),
    "round hour": (3600, True, "2026-06-15 10:19:45", "2026-06-15 10:30"),
    "round hour late": (3600, True, "2026-06-15 08:19:45", "2026-06-15 10:30"),
    "round day": (86400, True, "2026-06-14 10:20", "2026-06-14 20:00"),
    "round ten seconds": (10, True, "2026-06-15 10:20:25", "2026-06-15 10:20:27"),
    "last run in the future": (60, False, "2026-06-15 10:30", "2026-06-15 10:20"),
}


@pytest.mark.parametrize("case", INTERVALS)
def test_when_an_interval_is_due(api: Any, app: Any, observed: Any, case: str) -> None:
    every, relative, last, now = INTERVALS[case]
    schedule = api.schedules.schedule(every, relative, nowfun=lambda: moment(now), app=app)
    observed("due", list(schedule.is_due(moment(last))))
    observed("remaining", schedule.remaining_estimate(moment(last)).total_seconds())
    observed("text", [repr(schedule), schedule.seconds, schedule.human_seconds, schedule.relative])


@pytest.mark.parametrize(
    ("zone", "every", "relative", "last", "now"),
    [
        ("America/New_York", 86400, True, "2026-11-01 00:30", "2026-11-01 23:59"),
        ("America/New_York", 86400, False, "2026-11-01 00:30", "2026-11-01 23:00"),
        ("America/New_York", 86400, True, "2026-03-08 00:30", "2026-03-08 23:00"),
        ("America/New_York", 3600, True, "2026-03-08 01:30", "2026-03-08 03:00"),
        ("Africa/Cairo", 86400, True, "2026-04-23 23:30", "2026-04-24 01:00"),
        ("Australia/Lord_Howe", 3600, True, "2026-10-04 01:15", "2026-10-04 02:45"),
    ],
)
def test_intervals_across_a_change_of_clocks(
    api: Any, make_app: Any, observed: Any, zone: str, every: int, relative: bool, last: str, now: str
) -> None:
    app = make_app(timezone=zone)
    schedule = api.schedules.schedule(every, relative, nowfun=lambda: moment(now, zone), app=app)
    observed("due", list(schedule.is_due(moment(last, zone))))


def test_what_becomes_a_schedule(api: Any, app: Any, observed: Any) -> None:
    maybe = api.schedules.maybe_schedule
    crontab = api.schedules.crontab(minute=1)
    observed("repr", [repr(maybe(value)) for value in (10, 1.5, timedelta(hours=2), None, crontab)])
    assert maybe(crontab, app=app) is crontab
    assert crontab.app is app
    made = maybe(30, relative=True, app=app)
    observed("made", [made.relative, made.app is app, made.run_every])


def test_pickle_keeps_what_matters(api: Any, app: Any, observed: Any) -> None:
    interval = pickle.loads(pickle.dumps(api.schedules.schedule(timedelta(seconds=90), relative=True)))
    observed("interval", [repr(interval), interval.relative, interval.run_every])
    crontab = pickle.loads(pickle.dumps(api.schedules.crontab(hour="*/2", minute=0, day_of_week="mon-fri")))
    observed("crontab", [repr(crontab), fields(crontab), crontab.nowfun])
    _, arguments, *state = api.schedules.crontab(minute=5).__reduce__()
    observed("reduced", [list(arguments), state])


def test_schedules_are_no_arguments(api: Any, app: Any, observed: Any) -> None:
    @app.task(name="take")
    def take(schedule: Any) -> None:
        """Never runs."""

    for name, schedule in {"crontab": api.schedules.crontab(), "interval": api.schedules.schedule(10)}.items():
        observed(name, said(lambda schedule=schedule: take.delay(schedule))[0])


def test_base_class(api: Any, app: Any, observed: Any) -> None:
    base = api.schedules.BaseSchedule(nowfun=lambda: MONDAY, app=app)
    assert base.now() == MONDAY
    observed("not there", [said(lambda: base.is_due(MONDAY))[0], said(lambda: base.remaining_estimate(MONDAY))[0]])
    observed("equal", [base == api.schedules.BaseSchedule(nowfun=base.nowfun), base == api.schedules.BaseSchedule()])


def test_own_schedule_in_a_subclass(api: Any, app: Any, observed: Any) -> None:
    class Odd(api.schedules.schedule):  # type: ignore[misc, name-defined]
        """Due at odd minutes."""

        def is_due(self, last_run_at: datetime) -> Any:
            return api.schedules.schedstate(is_due=self.now().minute % 2 == 1, next=7)

    odd = Odd(60, nowfun=lambda: MONDAY, app=app)
    observed("due", list(odd.is_due(MONDAY)))
    observed("text", [repr(odd), odd == 60, odd == api.schedules.schedule(60)])
