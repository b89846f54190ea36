"""When something recurs: grids, cron lines, time zones whose clocks change, what was missed."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerless import cron, every
from brokerless.timetables import COUNTED, Cron

UTC = dt.timezone.utc

try:
    BERLIN: Any = ZoneInfo("Europe/Berlin")
except ZoneInfoNotFoundError:
    BERLIN = None
needs_zones = pytest.mark.skipif(BERLIN is None, reason="this system knows no time zones (install tzdata)")


def epoch(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def in_utc(table: Cron, start: str, count: int) -> list[str]:
    times, moment = [], epoch(start)
    for _ in range(count):
        moment = table.next(moment)
        times.append(dt.datetime.fromtimestamp(moment, UTC).strftime("%d %H:%M"))
    return times


@given(st.floats(0.001, 1e6), st.floats(0, 4e9))
def test_the_next_time_is_later_and_on_the_grid(seconds: float, after: float) -> None:
    table = every(seconds)
    found = table.next(after)
    assert after < found <= after + seconds * (1 + 1e-6) + 1e-5
    following = table.next(found)
    assert following > found
    assert following - found == pytest.approx(seconds, rel=1e-3, abs=1e-5)


@given(st.floats(0.01, 1e5), st.floats(0, 4e9), st.integers(0, 50))
def test_what_was_missed_is_counted(seconds: float, start: float, more: int) -> None:
    table = every(seconds)
    due = times = table.next(start)
    for _ in range(more):
        times = table.next(times)
    last, missed = table.last(due, times)
    assert (last, missed) == (pytest.approx(times, abs=1e-5), more)


def test_ten_years_of_a_third_of_a_second_do_not_drift() -> None:
    table = every(1 / 3)
    assert table.next(epoch("2034-01-01")) == pytest.approx(epoch("2034-01-01") + 1 / 3, abs=1e-5)


def test_every_is_aligned_to_the_clock_unless_asked_otherwise() -> None:
    start = epoch("2024-01-01 10:00:07")
    assert every(30).started(start).next(start) == epoch("2024-01-01 10:00:30")
    own = every(30, aligned=False).started(start)
    assert own.next(start) == start + 30
    assert own.next(start - 100) == start + 30, "the first run comes after one interval"
    assert own.next(start + 30) == start + 60
    assert own.last(start + 30, start + 125) == (start + 120, 3)


def test_cron_lines() -> None:
    assert in_utc(cron("*/20 9 * * mon", tz="UTC"), "2024-01-03", 4) == ["08 09:00", "08 09:20", "08 09:40", "15 09:00"]
    assert in_utc(cron("@hourly", tz=UTC), "2024-01-01 00:30", 2) == ["01 01:00", "01 02:00"]
    with_seconds = cron("* * * * * */15", tz=UTC)
    assert with_seconds.next(epoch("2024-01-01 00:00:01")) == epoch("2024-01-01 00:00:15")


def test_a_fraction_of_a_second_does_not_bring_the_same_time_again() -> None:
    table = cron("* * * * *", tz=UTC)
    assert table.next(epoch("2024-01-01 00:00:00.000001")) == epoch("2024-01-01 00:01")
    assert table.next(epoch("2024-01-01 00:00:59.999999")) == epoch("2024-01-01 00:01")
    assert table.next(epoch("2024-01-01 00:01:00")) == epoch("2024-01-01 00:02")


def test_missed_times_of_a_cron_line() -> None:
    table = cron("*/10 * * * *", tz=UTC)
    due = epoch("2024-01-01 00:10")
    assert table.last(due, due) == (due, 0)
    assert table.last(due, epoch("2024-01-01 00:45")) == (epoch("2024-01-01 00:40"), 3)
    assert cron("* * * * *", tz=UTC).last(due, due + 86400 * 30) == (due + 86400 * 30, COUNTED)


@needs_zones
def test_what_lies_in_the_gap_of_spring_runs_at_its_end() -> None:
    # 2024-03-31: 02:00 becomes 03:00, which is 01:00 UTC
    assert in_utc(cron("30 2 * * *", tz="Europe/Berlin"), "2024-03-30 12:00", 2) == ["31 01:00", "01 00:30"]
    assert in_utc(cron("*/30 * * * *", tz="Europe/Berlin"), "2024-03-31 00:00", 4) == [
        "31 00:30",
        "31 01:00",
        "31 01:30",
        "31 02:00",
    ]


@needs_zones
def test_the_hour_that_autumn_repeats() -> None:
    # 2024-10-27: 03:00 becomes 02:00 at 01:00 UTC
    assert in_utc(cron("30 2 * * *", tz="Europe/Berlin"), "2024-10-26 12:00", 2) == ["27 00:30", "28 01:30"]
    assert in_utc(cron("15,45 1,2,3 * * *", tz=BERLIN), "2024-10-26 23:50", 5) == [
        "27 00:15",
        "27 00:45",
        "27 02:15",
        "27 02:45",
        "28 00:15",
    ]
    assert in_utc(cron("30 * * * *", tz="Europe/Berlin"), "2024-10-26 23:45", 4) == [
        "27 00:30",
        "27 01:30",
        "27 02:30",
        "27 03:30",
    ]


@needs_zones
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
@pytest.mark.parametrize(
    ("line", "hours"), [("*/17 * * * *", None), ("17,34 * * * *", None), ("*/17 1,2,3 * * *", (1, 2, 3))]
)
def test_every_minute_of_the_days_on_which_clocks_change(zone: str, line: str, hours: tuple[int, ...] | None) -> None:
    """Against the plain way: look at the clock on the wall once a minute."""
    table, wall = cron(line, tz=zone), ZoneInfo(zone)
    minutes = (17, 34) if line.startswith("17") else (0, 17, 34, 51)
    for day in ("2024-03-09", "2024-03-30", "2024-04-06", "2024-10-05", "2024-10-26", "2024-11-02"):
        start = epoch(day)
        sides = [dt.datetime.fromtimestamp(start + 3600 * hour, wall).utcoffset() for hour in (0, 60)]
        if sides[0] == sides[1] and zone != "Asia/Kathmandu":
            continue
        seen: set[dt.datetime] = set()
        expected = []
        for minute in range(1, 60 * 60):
            moment = start + 60 * minute
            shown = dt.datetime.fromtimestamp(moment, wall).replace(tzinfo=None, fold=0)
            before = dt.datetime.fromtimestamp(moment - 60, wall).replace(tzinfo=None, fold=0)
            if hours is None:
                match = shown.minute in minutes
            else:
                passed = [before + dt.timedelta(minutes=n) for n in range(1, int((shown - before).seconds / 60) + 1)]
                passed = [one for one in passed if shown > before and one.hour in hours and one.minute in minutes]
                match = any(one not in seen for one in passed)
                seen.update(passed)
            if match:
                expected.append(moment)
        found = [table.next(start)]
        while len(found) < len(expected):
            found.append(table.next(found[-1]))
        assert found == expected, day


@pytest.fixture
def _host_in_berlin() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("_host_in_berlin")
@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system has no tzset")
@pytest.mark.parametrize(
    ("line", "start"),
    [
        ("30 2 * * *", "2024-03-30 12:00"),
        ("*/30 * * * *", "2024-03-31 00:00"),
        ("30 2 * * *", "2024-10-26 12:00"),
        ("30 * * * *", "2024-10-26 23:45"),
        ("0 12 * * *", "2024-07-01 00:00"),
    ],
)
@needs_zones
def test_the_zone_of_the_host_changes_like_a_named_one(line: str, start: str) -> None:
    assert in_utc(cron(line), start, 6) == in_utc(cron(line, tz="Europe/Berlin"), start, 6)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: every(0), ValueError, r"seconds=0.*above 0"),
        (lambda: every(-1), ValueError, r"seconds=-1"),
        (lambda: every(float("nan")), ValueError, "nan"),
        (lambda: every(1e-16), ValueError, r"seconds=1e-16: expected at least 0\.001"),
        (lambda: every(True), TypeError, "seconds=True"),
        (lambda: every("30"), TypeError, "seconds='30'"),  # type: ignore[arg-type]
        (lambda: every(1, aligned=2), TypeError, "aligned=2"),  # type: ignore[arg-type]
        (lambda: every(1, overlap=None), TypeError, "overlap=None"),  # type: ignore[arg-type]
        (lambda: every(1, scope="world"), ValueError, "'world'.*'host' and 'process'"),
        (lambda: every(1, name=""), TypeError, "name=''"),
        (lambda: every(1, catch_up=-1), ValueError, "catch_up=-1"),
        (lambda: cron(5), TypeError, "cron.5.*text"),  # type: ignore[arg-type]
        (lambda: cron(""), ValueError, "cron"),
        (lambda: cron("* * *"), ValueError, r"\* \* \*"),
        (lambda: cron("61 * * * *"), ValueError, "61"),
        (lambda: cron("0 0 31 2 *"), ValueError, "no such date ever comes"),
        (lambda: cron("* * * * *", tz="Nowhere/City"), ValueError, "Nowhere/City"),
        (lambda: cron("* * * * *", tz=1), TypeError, "tz=1"),  # type: ignore[arg-type]
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_wrong_arguments(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
