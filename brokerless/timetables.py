"""When something recurs: `every(30)` and `cron("*/5 * * * *")`. Pure arithmetic on epoch seconds; nothing is run or
waited for here, see `schedules`.
"""

from __future__ import annotations

import datetime
import math
import time
from typing import Any

__all__ = ["Cron", "Every", "Timetable", "cron", "every"]

COUNTED = 1000
"""Missed times of a cron line that are counted one by one; of more than that the rest is not counted."""

SHORTEST = 0.001
"""Seconds between two runs at least. An epoch time has room for a quarter of a microsecond; far above that, the thread
that submits the runs would do nothing else."""

SCOPES = ("host", "process")

DAY = 86400.0
LONGEST_CHANGE = 4 * 3600.0
"""Seconds; no zone's clocks change by more at once, but for those that moved across the date line."""

_EPOCH = datetime.datetime(1970, 1, 1)


class Timetable:
    """What `every` and `cron` have in common. Immutable: one may serve many schedules."""

    monotonic = False
    """Whether the times follow the engine's clock, which no correction of the date moves."""

    def __init__(self, name: str | None, overlap: bool, scope: str, catch_up: float) -> None:
        if name is not None and (not isinstance(name, str) or not name):
            raise TypeError(f"name={name!r}: expected a text that is not empty, or None")
        if not isinstance(overlap, bool):
            raise TypeError(f"overlap={overlap!r}: expected True or False")
        if scope not in SCOPES:
            raise ValueError(f"scope={scope!r}: allowed are {' and '.join(map(repr, SCOPES))}")
        self.name = name
        self.overlap = overlap
        self.scope = scope
        self.catch_up = _positive("catch_up", catch_up, zero=True)

    def started(self, now: float) -> Timetable:
        """The timetable of a schedule that begins `now`."""
        return self

    def next(self, after: float) -> float:
        """The first time later than `after`; infinite when there is none."""
        raise NotImplementedError

    def last(self, due: float, now: float) -> tuple[float, int]:
        """The last time not later than `now`, and how many lie between `due`, which is one of them, and it: `due`
        counts, it does not."""
        raise NotImplementedError


class Every(Timetable):
    """Made by `every()`."""

    monotonic = True

    def __init__(self, seconds: float, *, aligned: bool, anchor: float = 0.0, **common: Any) -> None:
        super().__init__(**common)
        self._common = common
        self.seconds = _positive("seconds", seconds)
        if seconds < SHORTEST:
            raise ValueError(
                f"seconds={seconds!r}: expected at least {SHORTEST:g}; for more, let one task do several rounds"
            )
        self.aligned = aligned
        self.anchor = anchor

    def started(self, now: float) -> Timetable:
        if self.aligned:
            return self
        return Every(self.seconds, aligned=False, anchor=now, **self._common)

    def next(self, after: float) -> float:
        number = math.floor((after - self.anchor) / self.seconds) + 1
        if not self.aligned:
            number = max(1, number)
        # Divisions round: a time must not come out as later than itself.
        while self.anchor + number * self.seconds <= after:
            number += 1
        return self.anchor + number * self.seconds

    def last(self, due: float, now: float) -> tuple[float, int]:
        first = round((due - self.anchor) / self.seconds)
        number = max(first, math.floor((now - self.anchor) / self.seconds))
        while number > first and self.anchor + number * self.seconds > now:
            number -= 1
        while self.anchor + (number + 1) * self.seconds <= now:
            number += 1
        return self.anchor + number * self.seconds, number - first

    def __repr__(self) -> str:
        return f"every({self.seconds:g})"


class Cron(Timetable):
    """Made by `cron()`."""

    def __init__(self, line: str, *, tz: datetime.tzinfo | None, **common: Any) -> None:
        super().__init__(**common)
        self.line = line
        self.tz = tz
        fields = line.split()
        # As in cron itself: a line with fixed hours means each hour of the day once.
        self._each_hour = line.strip() == "@hourly" or (len(fields) > 1 and fields[1].startswith("*"))
        if self.next(datetime.datetime.now(datetime.timezone.utc).timestamp()) == math.inf:
            raise ValueError(f"cron({line!r}): no such date ever comes")

    def next(self, after: float) -> float:
        moment, from_here_on = after, False
        while True:
            offset = self._offset(moment)
            local = moment + offset
            found = self._next_local(local - 1e-6 if from_here_on else local)
            if found == math.inf:
                return found
            due, from_here_on = found - offset, False
            if self._offset(due) == offset:
                if self._each_hour or not self._is_second_time(due):
                    return due
                moment = due
                continue
            # The clocks change before that. No time of the line lies between here and there, except in the hour that is
            # left out or repeated.
            moment, from_here_on = self._change(moment, due), True
            if not self._each_hour and moment + offset <= found < moment + self._offset(moment):
                return moment

    def _offset(self, moment: float) -> float:
        """Seconds by which local time is ahead of UTC."""
        if self.tz is None:
            return float(time.localtime(moment).tm_gmtoff)
        offset = datetime.datetime.fromtimestamp(moment, self.tz).utcoffset()
        return 0.0 if offset is None else offset.total_seconds()

    def _next_local(self, local: float) -> float:
        """The first time of the line after `local`, both as if local time were UTC; infinite without one."""
        # A tenth of this package's loading time, which most programs have no use for.
        from croniter import CroniterBadDateError, croniter

        try:
            found: datetime.datetime = croniter(self.line, _EPOCH + datetime.timedelta(seconds=local)).get_next(
                datetime.datetime
            )
        except CroniterBadDateError:
            return math.inf
        return (found - _EPOCH).total_seconds()

    def _change(self, after: float, until: float) -> float:
        """When the clocks change for the first time after `after`, given that they do until then."""
        offset = self._offset(after)
        low, high = after, min(after + DAY, until)
        while self._offset(high) == offset:
            low, high = high, min(high + DAY, until)
        while high - low > 1e-3:
            middle = (low + high) / 2
            low, high = (middle, high) if self._offset(middle) == offset else (low, middle)
        return float(round(high))

    def _is_second_time(self, moment: float) -> bool:
        """Whether the clocks showed the same time shortly before, and then went back."""
        offset, before = self._offset(moment), self._offset(moment - LONGEST_CHANGE)
        return before > offset and self._offset(moment - (before - offset)) == before

    def last(self, due: float, now: float) -> tuple[float, int]:
        count, following = 0, self.next(due)
        while following <= now and count < COUNTED:
            due, following, count = following, self.next(following), count + 1
        return (due if following > now else now), count

    def __repr__(self) -> str:
        zone = "" if self.tz is None else f", tz={str(self.tz)!r}"
        return f"cron({self.line!r}{zone})"


def every(
    seconds: float,
    *,
    aligned: bool = True,
    name: str | None = None,
    overlap: bool = False,
    scope: str = "host",
    catch_up: float = 60.0,
) -> Every:
    """Runs at each multiple of `seconds` since the epoch: `every(30)` at :00 and :30 of each minute, on all processes
    and after a restart alike. With `aligned=False`: `seconds` after the schedule began, and so on from there.

    `name`: of the schedule, by default the function's. `overlap`: a run may begin while the one before has not ended;
    else that run is left out, and counted. `scope`: "host" runs in one process of this user and host at a time,
    "process" in each. `catch_up`: seconds by which a run may be late when nobody could run it in time, such as
    between the end of one process and the takeover by another; older ones are only counted.
    Raises TypeError or ValueError for a wrong argument.
    """
    if not isinstance(aligned, bool):
        raise TypeError(f"aligned={aligned!r}: expected True or False")
    return Every(seconds, aligned=aligned, name=name, overlap=overlap, scope=scope, catch_up=catch_up)


def cron(
    line: str,
    *,
    tz: str | datetime.tzinfo | None = None,
    name: str | None = None,
    overlap: bool = False,
    scope: str = "host",
    catch_up: float = 60.0,
) -> Cron:
    """Runs at the times of a cron line: minute, hour, day of the month, month, day of the week (and, as a sixth field,
    seconds), or a word such as "@hourly".

    `tz`: a time zone or its name, None for the host's. A line with fixed hours runs once on each of its days: at the end
    of the gap for what lies in it when clocks go forward, and the first time when they go back. One with `*` in the
    field of hours runs at each of its times that there is.
    The others as for `every`. Raises TypeError or ValueError for a wrong argument.
    """
    if not isinstance(line, str):
        raise TypeError(f"cron({line!r}): expected a text such as '*/5 * * * *'")
    from croniter import croniter

    try:
        croniter(line)
    except (ValueError, KeyError) as error:
        raise ValueError(f"cron({line!r}): {error}") from None
    return Cron(line, tz=_zone(tz), name=name, overlap=overlap, scope=scope, catch_up=catch_up)


def _positive(name: str, value: Any, zero: bool = False) -> float:
    allowed = f"a number of seconds {'not below' if zero else 'above'} 0"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}={value!r}: expected {allowed}")
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise ValueError(f"{name}={value!r}: expected {allowed}")
    return float(value)


def _zone(tz: Any) -> datetime.tzinfo | None:
    if tz is None or isinstance(tz, datetime.tzinfo):
        return tz
    if not isinstance(tz, str):
        raise TypeError(f"tz={tz!r}: expected a time zone, its name, or None")
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"tz={tz!r}: {error}; install tzdata if the system knows no time zones") from None
