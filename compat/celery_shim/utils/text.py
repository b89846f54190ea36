"""Text: shortening, indenting, ``%x`` formats."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import partial
from textwrap import fill
from typing import Any

__all__ = (
    "abbr",
    "abbrtask",
    "dedent",
    "dedent_initial",
    "ensure_newlines",
    "ensure_sep",
    "fill_paragraphs",
    "indent",
    "join",
    "pluralize",
    "pretty",
    "simple_format",
    "str_to_list",
    "truncate",
)

UNKNOWN_SIMPLE_FORMAT_KEY = (
    "Unknown format %{0} in string {1!r}.\n"
    "Possible causes: Did you forget to escape the expand sign (use '%%{0!r}'),\n"
    "or did you escape and the value was expanded twice? (%%N -> %N -> %hostname)?"
)
RE_FORMAT = re.compile(r"%([%\w])")


def str_to_list(s: Any) -> Any:
    """``'a,b'`` as a list; anything else as it is."""
    return s.split(",") if isinstance(s, str) else s


def dedent_initial(s: str, n: int = 4) -> str:
    return s[n:] if s.startswith(" " * n) else s


def dedent(s: str, sep: str = "\n") -> str:
    return sep.join(map(dedent_initial, s.splitlines()))


def fill_paragraphs(s: str, width: int, sep: str = "\n") -> str:
    return sep.join(fill(paragraph, width) for paragraph in s.split(sep))


def join(l: list[str], sep: str = "\n") -> str:  # noqa: E741 - upstream's name
    return sep.join(filter(None, l))


def ensure_sep(sep: str, s: str, n: int = 2) -> str:
    return s + sep * (n - s.count(sep))


ensure_newlines = partial(ensure_sep, "\n")


def abbr(S: str | None, max: int, ellipsis: str | bool = "...") -> str:
    if S is None:
        return "???"
    if len(S) <= max:
        return S
    return S[: max - len(ellipsis)] + ellipsis if isinstance(ellipsis, str) and ellipsis else S[:max]


def abbrtask(S: str | None, max: int) -> str:
    """Shorten a task's name at the cost of its module."""
    if S is None:
        return "???"
    if len(S) <= max:
        return S
    module, _, name = S.rpartition(".")
    return f"{abbr(module, max - len(name) - 3, False)}[.]{name}"


def indent(t: str, indent: int = 0, sep: str = "\n") -> str:
    return sep.join(" " * indent + line for line in t.split(sep))


def truncate(s: str, maxlen: int = 128, suffix: str = "...") -> str:
    """Cut at a space before ``maxlen``."""
    if not maxlen or len(s) < maxlen:
        return s
    return s[:maxlen].rsplit(" ", 1)[0] + suffix


def pluralize(n: float, text: str, suffix: str = "s") -> str:
    return text if n == 1 else text + suffix


def pretty(value: Any, width: int = 80, nl_width: int = 80, sep: str = "\n", **kw: Any) -> str:
    from pprint import pformat

    if isinstance(value, dict):
        return f"{sep} {pformat(value, 4, nl_width)[1:]}"
    if isinstance(value, tuple):
        return f"{sep}    {pformat(value, width=nl_width, **kw)}"
    return pformat(value, width=width, **kw)


def match_case(s: str, other: str) -> str:
    return s.upper() if other.isupper() else s.lower()


def simple_format(s: str, keys: dict[str, Any], pattern: re.Pattern[str] = RE_FORMAT, expand: str = r"\1") -> str:
    """Replace ``%x`` by ``keys['x']``, which may be a function."""
    if not s:
        return s
    keys.setdefault("%", "%")

    def resolve(match: re.Match[str]) -> str:
        key = match.expand(expand)
        if key not in keys:
            raise ValueError(UNKNOWN_SIMPLE_FORMAT_KEY.format(key, s))
        value: str | Callable[[], str] = keys[key]
        return value() if callable(value) else value

    return pattern.sub(resolve, s)


def remove_repeating_from_task(task_name: str, s: str) -> str:
    """``module.task(module.x)`` without the second ``module.``."""
    module = str(task_name).rpartition(".")[0]
    return remove_repeating(module + ".", s) if module else s


def remove_repeating(substr: str, s: str) -> str:
    """Drop every later occurrence that starts a name of its own."""
    first = s.find(substr)
    if first < 0:
        return s
    end = first + len(substr)
    inside = rf"(?<![\w.-]){re.escape(substr)}"
    return s[:end] + re.sub(inside, "", s[end:])


class WhateverIO(io.StringIO):
    """A text buffer that takes bytes too."""

    def __init__(self, v: bytes | str | None = None, *a: Any, **kw: Any) -> None:
        super().__init__(v.decode() if isinstance(v, bytes) else v, *a, **kw)

    def write(self, data: bytes | str) -> int:
        return super().write(data.decode() if isinstance(data, bytes) else data)
