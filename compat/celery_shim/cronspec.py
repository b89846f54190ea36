"""The fields of a crontab: ``*``, ``*/5``, ``1-10/2``, ``mon-fri``, lists of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .utils.time import weekday, yearmonth

__all__ = ("ParseException", "cronfield", "crontab_parser", "expand_cronspec")

Cronspec = int | str | Iterable[int]

CRON_PATTERN_INVALID = "Invalid crontab pattern.  Valid range is {min}-{max}. '{value}' was found."
CRON_INVALID_TYPE = (
    "Argument cronspec needs to be of any of the following types: int, str, or an iterable type. {type!r} was given."
)


class ParseException(Exception):
    """A field makes no sense."""


def cronfield(s: Any) -> Any:
    return "*" if s is None else s


class crontab_parser:
    """Parses one field whose values are ``min_`` … ``min_ + max_ - 1``."""

    ParseException = ParseException
    _PART = re.compile(r"(?:(?P<star>\*)|(?P<first>\w+?)-(?P<last>\w+))(?P<slash>/(?P<step>\w+)?)?")

    def __init__(self, max_: int = 60, min_: int = 0) -> None:
        self.max_ = max_
        self.min_ = min_

    def parse(self, spec: str) -> set[int]:
        """The numbers that a field stands for."""
        found: set[int] = set()
        for part in spec.split(","):
            if not part:
                raise self.ParseException("empty part")
            found.update(self._parse_part(part))
        return found

    def _parse_part(self, part: str) -> list[int]:
        match = self._PART.match(part)
        if match is None or (match["star"] and not match["slash"] and part != "*"):
            return self._expand_range((part,))
        if match["slash"] and not match["step"]:
            raise self.ParseException("empty filter")
        values = self._expand_star() if match["star"] else self._expand_range((match["first"], match["last"]))
        return values[:: int(match["step"])] if match["slash"] else values

    def _expand_star(self, *args: Any) -> list[int]:
        return list(range(self.min_, self.min_ + self.max_))

    def _expand_range(self, toks: Any) -> list[int]:
        first = self._expand_number(toks[0])
        if len(toks) == 1:
            return [first]
        last = self._expand_number(toks[1])
        if last >= first:
            return list(range(first, last + 1))
        # from Friday to Monday: round the end
        return [*range(first, self.min_ + self.max_), *range(self.min_, last + 1)]

    def _expand_number(self, s: Any) -> int:
        if isinstance(s, str) and s.startswith("-"):
            raise self.ParseException("negative numbers not supported")
        number = self._number(s)
        most = self.min_ + self.max_ - 1
        if number > most:
            raise ValueError(f"Invalid end range: {number} > {most}.")
        if number < self.min_:
            raise ValueError(f"Invalid beginning range: {number} < {self.min_}.")
        return number

    def _number(self, s: Any) -> int:
        try:
            return int(s)
        except ValueError:
            for named in (yearmonth, weekday):
                try:
                    return named(s)
                except KeyError:
                    continue
        raise ValueError(f"Invalid weekday literal {s!r}.")


def expand_cronspec(cronspec: Any, max_: int, min_: int = 0) -> set[Any]:
    """A field in any form as the set of its numbers."""
    if isinstance(cronspec, int):
        found = {cronspec}
    elif isinstance(cronspec, str):
        found = crontab_parser(max_, min_).parse(cronspec)
    elif isinstance(cronspec, Iterable):
        found = cronspec if isinstance(cronspec, set) else set(cronspec)
    else:
        raise TypeError(CRON_INVALID_TYPE.format(type=type(cronspec)))
    for number in found:
        if not min_ <= number < min_ + max_:
            raise ValueError(CRON_PATTERN_INVALID.format(min=min_, max=max_ - 1 + min_, value=number))
    return found
