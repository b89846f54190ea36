"""The old parser of ISO dates, kept for those who import it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from .deprecated import warn

__all__ = ("parse_iso8601",)

_DATE = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d{1,2})(-(?P<day>\d{1,2})"
    r"(.(?P<hour>\d{2}):(?P<minute>\d{2})(:(?P<second>\d{2})(\.(?P<fraction>\d+))?)?"
    r"(?P<zone>Z|(?P<sign>[-+])(?P<hours>\d{2}):(?P<minutes>\d{2}))?)?)?)?"
)


def parse_iso8601(datestring: str) -> datetime:
    """A datetime from text; ``Z`` and offsets are understood, a missing one stays naive."""
    warn("parse_iso8601", "v5.3", "v6", "datetime.datetime.fromisoformat or dateutil.parser.isoparse")
    match = _DATE.match(datestring)
    if match is None:
        raise ValueError(f"unable to parse date string {datestring!r}")
    zone = None
    if match["zone"]:
        offset = timedelta(hours=int(match["hours"] or 0), minutes=int(match["minutes"] or 0))
        zone = timezone(-offset if match["sign"] == "-" else offset)
    names = ("hour", "minute", "second", "fraction")
    hour, minute, second, fraction = (int(match[name] or 0) for name in names)
    date = int(match["year"]), int(match["month"]), int(match["day"])
    return datetime(*date, hour, minute, second, fraction, zone)
