"""Dates, time zones and rates as schedules and etas need them.

Naive dates are taken as UTC unless the caller says otherwise, which is Celery's rule.
"""

from __future__ import annotations

import logging
import numbers
import os
import time as _time
from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo
from datetime import timezone as datetime_timezone
from types import ModuleType
from typing import Any

from .lean import cached_property, dictfilter, is_instance, reprcall
from .text import pluralize

logger = logging.getLogger("celery.utils.time")

__all__ = (
    "LocalTimezone",
    "add_seconds_to_datetime",
    "adjust_timestamp",
    "delta_resolution",
    "ffwd",
    "get_exponential_backoff_interval",
    "humanize_seconds",
    "is_naive",
    "localize",
    "make_aware",
    "maybe_iso8601",
    "maybe_make_aware",
    "maybe_timedelta",
    "rate",
    "remaining",
    "subtract_datetimes",
    "timezone",
    "to_utc",
    "utcoffset",
    "weekday",
)

DAYNAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
WEEKDAYS = {name: number for number, name in enumerate(DAYNAMES)}
MONTHNAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
YEARMONTHS = {name: number for number, name in enumerate(MONTHNAMES, 1)}

#: Seconds that the unit of a rate stands for, as factors: dividing twice gives the digits that Celery gives.
RATE_UNITS = {"s": (1.0, 1.0), "m": (60.0, 1.0), "h": (60.0, 60.0)}
TIME_UNITS = (("day", 86400.0), ("hour", 3600.0), ("minute", 60.0), ("second", 1.0))

ZERO = timedelta(0)
DAY = timedelta(days=1)


def get_localzone() -> tzinfo | None:
    """The zone of the machine, by name where the system says one (``TZ``, ``/etc/localtime``)."""
    name = os.environ.get("TZ", "").lstrip(":")
    if not name:
        try:
            target = os.readlink("/etc/localtime")
        except OSError:
            target = ""
        _, _, name = target.partition("zoneinfo/")
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


class LocalTimezone(tzinfo):
    """The machine's time by way of the C library, where the zone has no name that we know."""

    _offset_cache: dict[int, tzinfo] = {}

    def __init__(self) -> None:
        super().__init__()
        self.STDOFFSET = timedelta(seconds=-_time.timezone)
        self.DSTOFFSET = timedelta(seconds=-_time.altzone) if _time.daylight else self.STDOFFSET
        self.DSTDIFF = self.DSTOFFSET - self.STDOFFSET

    def __repr__(self) -> str:
        return f"<LocalTimezone: UTC{int(self.DSTOFFSET.total_seconds() / 3600):+03d}>"

    def utcoffset(self, dt: datetime) -> timedelta:  # type: ignore[override]
        return self.DSTOFFSET if self._isdst(dt) else self.STDOFFSET

    def dst(self, dt: datetime) -> timedelta:  # type: ignore[override]
        return self.DSTDIFF if self._isdst(dt) else ZERO

    def tzname(self, dt: datetime) -> str:  # type: ignore[override]
        return _time.tzname[self._isdst(dt)]

    def fromutc(self, dt: datetime) -> datetime:
        minutes = int(self.utcoffset(dt).total_seconds() // 60)
        zone = self._offset_cache.get(minutes)
        if zone is None:
            zone = self._offset_cache[minutes] = datetime_timezone(timedelta(minutes=minutes))
        return zone.fromutc(dt.replace(tzinfo=zone))

    def _isdst(self, dt: datetime) -> bool:
        fields = (dt.year, dt.month, dt.day, dt.hour, dt.minute, dt.second, dt.weekday(), 0, 0)
        return _time.localtime(_time.mktime(fields)).tm_isdst > 0


class _Zone:
    def tz_or_local(self, tzinfo: Any = None) -> tzinfo:
        return self.local if tzinfo is None else self.get_timezone(tzinfo)

    def to_local(self, dt: datetime, local: Any = None, orig: tzinfo | None = None) -> datetime:
        if is_naive(dt):
            dt = make_aware(dt, orig or self.utc)
        return localize(dt, self.tz_or_local(local))

    def to_system(self, dt: datetime) -> datetime:
        return dt.astimezone(tz=None)

    def to_local_fallback(self, dt: datetime) -> datetime:
        return make_aware(dt, self.local) if is_naive(dt) else localize(dt, self.local)

    def get_timezone(self, zone: Any) -> tzinfo:
        if not isinstance(zone, str):
            return zone
        from zoneinfo import ZoneInfo

        return ZoneInfo(zone)

    @cached_property
    def local(self) -> tzinfo:
        try:
            zone = get_localzone()
        except Exception as exc:
            zone = None
            logger.warning("Failed to retrieve local timezone (%s): %s", type(exc).__name__, exc)
        return LocalTimezone() if zone is None else zone

    @cached_property
    def utc(self) -> tzinfo:
        return self.get_timezone("UTC")


timezone = _Zone()


def maybe_timedelta(delta: Any) -> timedelta:
    """A number as that many seconds."""
    return timedelta(seconds=delta) if isinstance(delta, numbers.Real) else delta  # type: ignore[arg-type]


def delta_resolution(dt: datetime, delta: timedelta) -> datetime:
    """``dt`` cut to the largest unit (day, hour, minute) that ``delta`` fills."""
    seconds = max(delta.total_seconds(), 0)
    if seconds < 60:
        return dt
    hour, minute = dt.hour if seconds < 86400 else 0, dt.minute if seconds < 3600 else 0
    return datetime(dt.year, dt.month, dt.day, hour, minute, tzinfo=dt.tzinfo, fold=dt.fold)


def _relative_ends(dt: datetime, delta: timedelta) -> list[datetime]:
    """The rounded end in UTC, once per reading of an ambiguous hour; a skipped hour moves forward."""
    rounded = delta_resolution(dt, delta).replace(microsecond=0)
    ends = []
    for fold in (0, 1):
        candidate = rounded.replace(fold=fold)
        if _is_imaginary(candidate, candidate.tzinfo):
            candidate = max(candidate, _resolve_imaginary(candidate))
        ends.append(candidate.astimezone(timezone.utc))
    return ends


def _relative_end(start: datetime, end: datetime, delta: timedelta) -> datetime:
    """Where a relative schedule ends: rounded down to its unit, but not before its start."""
    ends = _relative_ends(end, delta)
    start_utc = start.astimezone(timezone.utc)
    if delta >= DAY:
        return min((dt for dt in ends if dt > start_utc), default=end.astimezone(timezone.utc))
    latest = start_utc + delta
    early = [dt for dt in ends if dt <= latest]
    chosen = max(early) if early else min(ends)
    if delta >= timedelta(minutes=1) and chosen <= start_utc:
        unit = timedelta(hours=1) if delta >= timedelta(hours=1) else timedelta(minutes=1)
        ends += _relative_ends(end + unit, delta) + _relative_ends(start + delta, delta)
        future = [dt for dt in ends if dt > start_utc]
        early = [dt for dt in future if dt <= latest]
        chosen = max(early) if early else min(future, default=latest)
    return chosen


def remaining(start: datetime, ends_in: Any, now: datetime | None = None, relative: bool = False) -> timedelta:
    """Time left until ``start + ends_in``; negative when that is over."""
    now = now or datetime.now(datetime_timezone.utc)
    by_clock = isinstance(ends_in, timedelta) and not (relative and ends_in >= DAY)
    end = add_seconds_to_datetime(start, ends_in.total_seconds()) if by_clock else start + ends_in
    if relative:
        end = _relative_end(start, end, ends_in)
    return end.astimezone(timezone.utc) - now.astimezone(timezone.utc)


def rate(r: Any) -> float:
    """``'100/m'`` as calls per second; 0 for no limit."""
    if not r:
        return 0
    if isinstance(r, str):
        count, _, unit = r.partition("/")
        first, second = RATE_UNITS[unit or "s"]
        return float(count) / first / second or 0
    return r


def weekday(name: str) -> int:
    """Number of a day by its name; Sunday is 0."""
    try:
        return WEEKDAYS[name[:3].lower()]
    except KeyError:
        raise KeyError(name) from None


def yearmonth(name: str) -> int:
    """Number of a month by its name."""
    try:
        return YEARMONTHS[name[:3].lower()]
    except KeyError:
        raise KeyError(name) from None


def humanize_seconds(secs: float, prefix: str = "", sep: str = "", now: str = "now", microseconds: bool = False) -> str:
    """Seconds in the largest unit that fits: ``'in 4.00 minutes'``."""
    value = round(float(secs), 2)
    for unit, size in TIME_UNITS:
        if value >= size:
            count = value / size
            return f"{prefix}{sep}{count:.2f} {pluralize(count, unit)}"
    if microseconds and value > 0.0:
        return f"{prefix}{sep}{value:.2f} seconds"
    return now


def maybe_iso8601(dt: Any) -> datetime | None:
    """A datetime, or the text of one; ``None`` for nothing."""
    if not dt:
        return None
    if isinstance(dt, datetime):
        return dt
    # fromisoformat of Python 3.10 does not know the letter
    return datetime.fromisoformat(dt[:-1] + "+00:00" if dt.endswith(("Z", "z")) else dt)


def is_naive(dt: datetime) -> bool:
    return dt.tzinfo is None or dt.tzinfo.utcoffset(dt) is None


def add_seconds_to_datetime(dt: datetime, seconds: float) -> datetime:
    """Elapsed time, not wall-clock time: across a change of the clocks the hour counts."""
    delta = timedelta(seconds=seconds)
    if is_naive(dt):
        return dt + delta
    return (dt.astimezone(datetime_timezone.utc) + delta).astimezone(dt.tzinfo)


def subtract_datetimes(end: datetime, start: datetime) -> timedelta:
    utc = datetime_timezone.utc
    return maybe_make_aware(end).astimezone(utc) - maybe_make_aware(start).astimezone(utc)


def _knows_changes(tz: tzinfo | None) -> bool:
    return is_instance(tz, "zoneinfo", "ZoneInfo") or hasattr(tz, "is_ambiguous")


def _is_ambiguous(dt: datetime, tz: tzinfo | None) -> bool:
    """True for a wall-clock time that occurs twice, and for one that is skipped."""
    if not _knows_changes(tz):
        return False
    return dt.replace(tzinfo=tz, fold=0).utcoffset() != dt.replace(tzinfo=tz, fold=1).utcoffset()


def _is_imaginary(dt: datetime, tz: tzinfo | None) -> bool:
    """True for a wall-clock time that the zone skips."""
    if not _knows_changes(tz):
        return False
    local = dt.replace(tzinfo=tz)
    try:
        back = local.astimezone(datetime_timezone.utc).astimezone(tz)
    except (ValueError, OverflowError):
        return False
    return back.replace(tzinfo=None, fold=0) != local.replace(tzinfo=None, fold=0)


def _resolve_imaginary(dt: datetime) -> datetime:
    """A skipped time moved forward by the length of the gap."""
    if not _is_imaginary(dt, dt.tzinfo):
        return dt
    before, after = (dt - DAY).utcoffset(), (dt + DAY).utcoffset()
    return dt + ((after or ZERO) - (before or ZERO))


def make_aware(dt: datetime, tz: tzinfo) -> datetime:
    """Attach a zone; of two possible readings the earlier one."""
    dt = dt.replace(tzinfo=tz)
    if _is_ambiguous(dt, tz):
        if _is_imaginary(dt, tz):
            return _resolve_imaginary(dt)
        return min(dt.replace(fold=0), dt.replace(fold=1))
    return dt


def localize(dt: datetime, tz: tzinfo) -> datetime:
    """Naive dates get the zone, UTC dates are converted to it, others keep their own."""
    if is_naive(dt):
        dt = make_aware(dt, tz)
    return dt.astimezone(tz) if dt.tzinfo == timezone.utc else dt


def to_utc(dt: datetime) -> datetime:
    return make_aware(dt, timezone.utc)


def maybe_make_aware(dt: datetime, tz: Any = None, naive_as_utc: bool = True) -> datetime:
    if not is_naive(dt):
        return dt
    if naive_as_utc:
        dt = to_utc(dt)
    return localize(dt, timezone.utc if tz is None else timezone.tz_or_local(tz))


class ffwd:
    """Added to a date: sets fields, then goes to a weekday, then adds weeks."""

    def __init__(
        self,
        year: int | None = None,
        month: int | None = None,
        weeks: int = 0,
        weekday: int | None = None,
        day: int | None = None,
        hour: int | None = None,
        minute: int | None = None,
        second: int | None = None,
        microsecond: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.year, self.month, self.day, self.weekday, self.weeks = year, month, day, weekday, weeks
        self.hour, self.minute, self.second, self.microsecond = hour, minute, second, microsecond
        self.days = weeks * 7
        self._has_time = hour is not None or minute is not None

    def __repr__(self) -> str:
        return reprcall("ffwd", (), self._fields(weeks=self.weeks, weekday=self.weekday))

    def __radd__(self, other: Any) -> Any:
        if not isinstance(other, date):
            return NotImplemented
        from calendar import monthrange

        year, month = self.year or other.year, self.month or other.month
        day = min(monthrange(year, month)[1], self.day or other.day)
        fields = {**dictfilter(self._fields()), "year": year, "month": month, "day": day}
        moved = other.replace(**fields)
        if self.weekday is not None:
            moved += timedelta(days=(self.weekday - moved.weekday()) % 7)
        return moved + timedelta(days=self.days)

    def _fields(self, **extra: Any) -> dict[str, Any]:
        names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return dictfilter({name: getattr(self, name) for name in names}, **extra)


def utcoffset(time: ModuleType = _time, localtime: Callable[..., _time.struct_time] = _time.localtime) -> float:
    """Hours that the machine's clock is behind UTC."""
    return (time.altzone if localtime().tm_isdst else time.timezone) / 3600


def adjust_timestamp(ts: float, offset: float, here: Callable[..., float] = utcoffset) -> float:
    return ts - (offset - here()) * 3600


def get_exponential_backoff_interval(factor: int, retries: int, maximum: int, full_jitter: bool = False) -> int:
    """Pause before a retry; with jitter anything from 0 to that."""
    countdown = min(maximum, factor * (2**retries))
    if full_jitter:
        import random

        countdown = random.randrange(countdown + 1)
    return max(0, countdown)
