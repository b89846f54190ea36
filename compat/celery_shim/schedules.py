"""When a periodic task is due: intervals, crontabs, and events of the sun.

A schedule only answers questions about times; what runs and when it is asked is the business of beat.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from ._state import current_app
from .cronspec import Cronspec, ParseException, cronfield, crontab_parser, expand_cronspec
from .exceptions import ImproperlyConfigured
from .utils.lean import cached_property
from .utils.time import (
    ffwd,
    humanize_seconds,
    localize,
    maybe_make_aware,
    maybe_timedelta,
    remaining,
    subtract_datetimes,
    timezone,
)

__all__ = ("ParseException", "crontab", "crontab_parser", "maybe_schedule", "schedule", "solar")


class schedstate(NamedTuple):
    """Whether it is due, and the seconds until the next look."""

    is_due: bool
    next: float


CRON_INVALID_DATE = "Invalid crontab: day_of_month {day_of_month!r} never occurs in month_of_year {month_of_year!r}."
CRON_DAYS_IN_MONTH = {month: 29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31 for month in range(1, 13)}
#: A 29 February on a given weekday comes back after 28 years, or 40 around a century.
_LONGEST_WAIT = 41 * 366

SOLAR_INVALID_LATITUDE = "Argument latitude {lat} is invalid, must be between -90 and 90."
SOLAR_INVALID_LONGITUDE = "Argument longitude {lon} is invalid, must be between -180 and 180."
SOLAR_INVALID_EVENT = 'Argument event "{event}" is invalid, must be one of {all_events}.'
SOLAR_EPHEM_NOT_INSTALLED = """\
You need to install the ephem library to use solar schedules.
Please install by:

    $ pip install celery[solar]
"""


class BaseSchedule:
    """Base of schedules."""

    def __init__(self, nowfun: Callable[[], datetime] | None = None, app: Any = None) -> None:
        self.nowfun = nowfun
        self._app = app

    def now(self) -> datetime:
        return (self.nowfun or self.app.now)()

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """Time until it is due."""
        raise NotImplementedError

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Whether it is due, and when to look again."""
        raise NotImplementedError

    def maybe_make_aware(self, dt: datetime, naive_as_utc: bool = True) -> datetime:
        return maybe_make_aware(dt, self.tz, naive_as_utc=naive_as_utc)

    @property
    def app(self) -> Any:
        return self._app or current_app._get_current_object()

    @app.setter
    def app(self, app: Any) -> None:
        self._app = app

    @cached_property
    def tz(self) -> tzinfo:
        return self.app.timezone

    @cached_property
    def utc_enabled(self) -> bool:
        return self.app.conf.enable_utc

    def to_local(self, dt: datetime) -> datetime:
        return dt if self.utc_enabled else timezone.to_local_fallback(dt)

    def __eq__(self, other: object) -> Any:
        return other.nowfun == self.nowfun if isinstance(other, BaseSchedule) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


class schedule(BaseSchedule):
    """Every so many seconds; ``relative`` means at round times."""

    relative = False

    def __init__(
        self,
        run_every: Any = None,
        relative: bool = False,
        nowfun: Callable[[], datetime] | None = None,
        app: Any = None,
    ) -> None:
        self.run_every = maybe_timedelta(run_every)
        self.relative = relative
        super().__init__(nowfun=nowfun, app=app)

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        aware = self.maybe_make_aware
        return remaining(aware(last_run_at), self.run_every, aware(self.now()), self.relative)

    def is_due(self, last_run_at: datetime) -> schedstate:
        last_run_at = self.maybe_make_aware(last_run_at)
        left = max(self.remaining_estimate(last_run_at).total_seconds(), 0)
        if left > 0:
            return schedstate(False, left)
        following = self.seconds
        if self.relative:
            now = self.maybe_make_aware(self.now()).astimezone(last_run_at.tzinfo)
            rounded = self.remaining_estimate(now).total_seconds()
            following = rounded if rounded > 0 else following
        return schedstate(True, following)

    @property
    def seconds(self) -> float:
        return max(self.run_every.total_seconds(), 0)

    @property
    def human_seconds(self) -> str:
        return humanize_seconds(self.seconds)

    def __repr__(self) -> str:
        return f"<freq: {self.human_seconds}>"

    def __eq__(self, other: object) -> Any:
        return self.run_every == (other.run_every if isinstance(other, schedule) else other)

    __hash__ = None

    def __reduce__(self) -> Any:
        return self.__class__, (self.run_every, self.relative, self.nowfun)


class crontab(BaseSchedule):
    """Like a line of crontab; a task is due when all five fields match."""

    def __init__(
        self,
        minute: Cronspec = "*",
        hour: Cronspec = "*",
        day_of_week: Cronspec = "*",
        day_of_month: Cronspec = "*",
        month_of_year: Cronspec = "*",
        **kwargs: Any,
    ) -> None:
        self._orig_minute = cronfield(minute)
        self._orig_hour = cronfield(hour)
        self._orig_day_of_week = cronfield(day_of_week)
        self._orig_day_of_month = cronfield(day_of_month)
        self._orig_month_of_year = cronfield(month_of_year)
        self._orig_kwargs = kwargs
        self.hour = self._expand_cronspec(hour, 24)
        self.minute = self._expand_cronspec(minute, 60)
        self.day_of_week = self._expand_cronspec(day_of_week, 7)
        self.day_of_month = self._expand_cronspec(day_of_month, 31, 1)
        self.month_of_year = self._expand_cronspec(month_of_year, 12, 1)
        longest = max((CRON_DAYS_IN_MONTH[month] for month in self.month_of_year), default=0)
        if min(self.day_of_month, default=32) > longest:
            raise ValueError(
                CRON_INVALID_DATE.format(day_of_month=self._orig_day_of_month, month_of_year=self._orig_month_of_year)
            )
        super().__init__(**kwargs)

    _expand_cronspec = staticmethod(expand_cronspec)

    @classmethod
    def from_string(cls, crontab: str) -> crontab:
        """From ``'minute hour day-of-month month day-of-week'``."""
        minute, hour, day_of_month, month_of_year, day_of_week = crontab.split(" ")
        return cls(minute, hour, day_of_week, day_of_month, month_of_year)

    def _originals(self) -> tuple[Any, ...]:
        return (
            self._orig_minute,
            self._orig_hour,
            self._orig_day_of_week,
            self._orig_day_of_month,
            self._orig_month_of_year,
        )

    def __repr__(self) -> str:
        minute, hour, day_of_week, day_of_month, month = self._originals()
        return f"<crontab: {minute} {hour} {day_of_month} {month} {day_of_week} (m/h/dM/MY/d)>"

    def __reduce__(self) -> Any:
        return self.__class__, self._originals(), self._orig_kwargs

    def __setstate__(self, state: Any) -> None:
        super().__init__(**state)
        self._orig_kwargs = dict(state)

    def _matches(self, day: date) -> bool:
        return (
            day.month in self.month_of_year
            and day.day in self.day_of_month
            and day.isoweekday() % 7 in self.day_of_week
        )

    def _delta_to_next(self, last_run_at: datetime, next_hour: int, next_minute: int) -> ffwd:
        """To the first matching day after that of the last run."""
        day = last_run_at.date() + timedelta(days=1)
        for _ in range(_LONGEST_WAIT):
            if day.month not in self.month_of_year:
                day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            elif not self._matches(day):
                day += timedelta(days=1)
            else:
                return ffwd(
                    year=day.year,
                    month=day.month,
                    day=day.day,
                    hour=next_hour,
                    minute=next_minute,
                    second=0,
                    microsecond=0,
                )
        raise RuntimeError("unable to rollover, time specification is probably invalid")

    def remaining_delta(
        self, last_run_at: datetime, tz: Any = None, ffwd: Any = ffwd
    ) -> tuple[datetime, Any, datetime]:
        """``(last run, step to the next one, now)`` in the schedule's zone."""
        zone = timezone.get_timezone(tz or self.tz)
        last = self.maybe_make_aware(last_run_at).astimezone(zone)
        now = self.maybe_make_aware(self.now()).astimezone(zone)
        weekday = last.isoweekday() % 7
        today = self._matches(last.date())
        later_minutes = [minute for minute in self.minute if minute > last.minute]
        later_hours = [hour for hour in self.hour if hour > last.hour]
        if today and last.hour in self.hour and later_minutes:
            return last, ffwd(minute=min(later_minutes), second=0, microsecond=0), now
        minute = min(self.minute)
        if today and later_hours:
            return last, ffwd(hour=min(later_hours), minute=minute, second=0, microsecond=0), now
        hour = min(self.hour)
        if self._orig_day_of_month == "*" and self._orig_month_of_year == "*":
            following = min([day for day in self.day_of_week if day > weekday] or self.day_of_week)
            step = ffwd(
                weeks=1 if following == weekday else 0,
                weekday=(following - 1) % 7,
                hour=hour,
                minute=minute,
                second=0,
                microsecond=0,
            )
            return last, step, now
        return last, self._delta_to_next(last, hour, minute), now

    def remaining_estimate(self, last_run_at: datetime, ffwd: Any = ffwd) -> timedelta:
        return remaining(*self.remaining_delta(last_run_at, ffwd=ffwd))

    def is_due(self, last_run_at: datetime) -> schedstate:
        left = self.remaining_estimate(last_run_at).total_seconds()
        due = left <= 0
        missed = due and left < 0 and self._missed_deadline()
        if due or missed:
            left = self.remaining_estimate(self.now()).total_seconds()
        return schedstate(due and not missed, max(left, 0))

    def _missed_deadline(self) -> bool:
        """True if the last time it was due is longer ago than ``beat_cron_starting_deadline`` allows."""
        seconds = self.app.conf.beat_cron_starting_deadline
        if seconds is None:
            return False
        now = self.maybe_make_aware(self.now())
        earliest = now.astimezone(timezone.utc) - timedelta(seconds=seconds, microseconds=1)
        return self.remaining_estimate(earliest.astimezone(now.tzinfo)).total_seconds() > 0

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, crontab):
            return NotImplemented
        fields = ("month_of_year", "day_of_month", "day_of_week", "hour", "minute")
        return all(getattr(other, name) == getattr(self, name) for name in fields) and super().__eq__(other)

    __hash__ = None


def maybe_schedule(s: Any, relative: bool = False, app: Any = None) -> Any:
    """A number or timedelta as a schedule."""
    if isinstance(s, (float, int)):
        s = timedelta(seconds=s)
    if isinstance(s, timedelta):
        return schedule(s, relative, app=app)
    if s is not None:
        s.app = app
    return s


def _sun_events() -> dict[str, tuple[str, str, bool]]:
    """Event → horizon, method of ephem's observer, whether the sun's centre counts."""
    events = {
        "sunrise": ("-0:34", "next_rising", False),
        "sunset": ("-0:34", "next_setting", False),
        "solar_noon": ("0", "next_transit", False),
    }
    for name, degrees in (("astronomical", "-18"), ("nautical", "-12"), ("civil", "-6")):
        events[f"dawn_{name}"] = (degrees, "next_rising", True)
        events[f"dusk_{name}"] = (degrees, "next_setting", True)
    return events


class solar(BaseSchedule):
    """At dawn, sunrise, noon, sunset or dusk of a place."""

    _events = _sun_events()
    _all_events = set(_events)
    _use_center_l = {name: centre for name, (_, _, centre) in _events.items()}
    #: Days without the event (polar day and night) that are searched.
    max_search_days = 366

    def __init__(self, event: str, lat: float, lon: float, **kwargs: Any) -> None:
        try:
            self.ephem = __import__("ephem")
        except ImportError as exc:
            raise ImproperlyConfigured(SOLAR_EPHEM_NOT_INSTALLED) from exc
        self.event, self.lat, self.lon = event, lat, lon
        super().__init__(**kwargs)
        if event not in self._all_events:
            known = ", ".join(sorted(self._all_events))
            raise ValueError(SOLAR_INVALID_EVENT.format(event=event, all_events=known))
        if not -90 <= lat <= 90:
            raise ValueError(SOLAR_INVALID_LATITUDE.format(lat=lat))
        if not -180 <= lon <= 180:
            raise ValueError(SOLAR_INVALID_LONGITUDE.format(lon=lon))
        horizon, self.method, self.use_center = self._events[event]
        self.cal = self.ephem.Observer()
        self.cal.lat, self.cal.lon = str(lat), str(lon)
        self.cal.elev, self.cal.horizon, self.cal.pressure = 0, horizon, 0

    def __reduce__(self) -> Any:
        return self.__class__, (self.event, self.lat, self.lon)

    def __repr__(self) -> str:
        return f"<solar: {self.event} at latitude {self.lat}, longitude: {self.lon}>"

    def _next_event(self, start: Any) -> Any:
        sun = self.ephem.Sun()
        options = {"use_center": True} if self.use_center else {}
        for _ in range(self.max_search_days):
            try:
                return getattr(self.cal, self.method)(sun, start=start, **options)
            except self.ephem.CircumpolarError:
                start = self.cal.next_antitransit(sun, start=start)
        return start

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        last = localize(self.maybe_make_aware(last_run_at), timezone.utc)
        self.cal.date = last
        event = self._next_event(self.ephem.Date(last))
        return subtract_datetimes(self.maybe_make_aware(event.datetime()), self.maybe_make_aware(self.now()))

    def is_due(self, last_run_at: datetime) -> schedstate:
        left = max(self.remaining_estimate(last_run_at).total_seconds(), 0)
        if left > 0:
            return schedstate(False, left)
        return schedstate(True, max(self.remaining_estimate(self.now()).total_seconds(), 0))

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, solar):
            return NotImplemented
        return (other.event, other.lat, other.lon) == (self.event, self.lat, self.lon)

    __hash__ = None
