"""Cron strings: five fields (minute, hour, day, month, weekday), names, lists, ranges, steps, `@hourly` and such.

Works on local time without a zone; what that means in UTC is the caller's business.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

__all__ = ["CronError", "next_time"]

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_DAYS = {name: number for number, name in enumerate("sun mon tue wed thu fri sat".split())}
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, _MONTHS),
    (0, 7, _DAYS),
)
_LAST_YEARS = 8
"""Longest gap between two matches: 29 February over a century's end."""


class CronError(ValueError):
    """Not a cron string."""


def _number(text: str, names: dict[str, int], text_of_all: str) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not text.isdigit():
        raise CronError(f"[{text_of_all}] is not acceptable: {text!r} is neither a number nor a name")
    return int(text)


def _field(part: str, low: int, high: int, names: dict[str, int], whole: str) -> frozenset[int]:
    values: set[int] = set()
    for item in part.split(","):
        span, slash, step_text = item.partition("/")
        step = _number(step_text, {}, whole) if slash else 1
        if step < 1:
            raise CronError(f"[{whole}] is not acceptable: a step of {step}")
        if span in ("*", "?"):
            first, last = low, high
        else:
            start, dash, end = span.partition("-")
            first = _number(start, names, whole)
            last = _number(end, names, whole) if dash else (high if slash else first)
        if not (low <= first <= high and low <= last <= high):
            raise CronError(f"[{whole}] is not acceptable: {item!r} is out of range {low}-{high}")
        if first <= last:
            values.update(range(first, last + 1, step))
        else:
            values.update([*range(first, high + 1), *range(low, last + 1)][::step])
    return frozenset(values)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> tuple[frozenset[int], frozenset[int], frozenset[int], frozenset[int], frozenset[int], bool]:
    parts = _NICKNAMES.get(text.strip().lower(), text).split()
    if len(parts) != 5:
        raise CronError(f"[{text}] is not acceptable: a cron string has five fields, this one has {len(parts)}")
    sets = [_field(part, *bounds, text) for part, bounds in zip(parts, _FIELDS, strict=True)]
    weekdays = frozenset(day % 7 for day in sets[4])
    # When day and weekday are both limited, one of them is enough.
    either = not parts[2].startswith(("*", "?")) and not parts[4].startswith(("*", "?"))
    return sets[0], sets[1], sets[2], sets[3], weekdays, either


def next_time(text: str, after: datetime) -> datetime:
    """The first match later than `after`, both local times without a zone."""
    minutes, hours, days, months, weekdays, either = _parsed(text)
    moment = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    end = moment.year + _LAST_YEARS
    while moment.year <= end:
        if moment.month not in months:
            moment = (moment.replace(day=1, hour=0, minute=0) + timedelta(days=32)).replace(day=1)
            continue
        by_day, by_weekday = moment.day in days, (moment.isoweekday() % 7) in weekdays
        if not (by_day or by_weekday if either else by_day and by_weekday):
            moment = moment.replace(hour=0, minute=0) + timedelta(days=1)
        elif moment.hour not in hours:
            moment = moment.replace(minute=0) + timedelta(hours=1)
        elif moment.minute not in minutes:
            moment += timedelta(minutes=1)
        else:
            return moment
    raise CronError(f"[{text}] never matches")
