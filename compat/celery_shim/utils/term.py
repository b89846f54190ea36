"""ANSI colours for log lines and reports."""

from __future__ import annotations

import base64
import os
import sys
from functools import reduce
from typing import Any

__all__ = ("colored",)

BLACK, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE = range(8)
RESET_SEQ = "\033[0m"
COLOR_SEQ = "\033[1;%dm"
OP_SEQ = COLOR_SEQ
IS_WINDOWS = sys.platform == "win32"
ITERM_PROFILE = os.environ.get("ITERM_PROFILE")
TERM = os.environ.get("TERM")
TERM_IS_SCREEN = TERM and TERM.startswith("screen")
# tmux and screen pass escape sequences on only when they are wrapped
_IMG_PRE = "\033Ptmux;\033\033]" if TERM_IS_SCREEN else "\033]"
_IMG_POST = "\a\033\\" if TERM_IS_SCREEN else "\a"

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")


def fg(s: int) -> str:
    """The sequence that switches to a foreground colour."""
    return COLOR_SEQ % s


class colored:
    """Text with a colour: ``colored().red('x')``, joined with ``+``, nested at will."""

    black: Any
    red: Any
    green: Any
    yellow: Any
    blue: Any
    magenta: Any
    cyan: Any
    white: Any

    def __init__(self, *s: object, **kwargs: Any) -> None:
        self.s = s
        self.enabled = not IS_WINDOWS and kwargs.get("enabled", True)
        self.op = kwargs.get("op", "")
        self.names = {name: getattr(self, name) for name in _NAMES}

    def no_color(self) -> str:
        return reduce(self._fold_no_color, self.s, "") if self.s else ""

    def _fold_no_color(self, a: Any, b: Any) -> str:
        return "".join(part.no_color() if hasattr(part, "no_color") else str(part) for part in (a, b))

    def _add(self, a: object, b: object) -> str:
        return f"{a}{b}"

    def embed(self) -> str:
        return (self.op if self.enabled else "") + "".join(map(str, self.s))

    def __str__(self) -> str:
        return self.embed() + (RESET_SEQ if self.enabled else "")

    def __repr__(self) -> str:
        return repr(self.no_color())

    def node(self, s: tuple[object, ...], op: str) -> colored:
        return type(self)(*s, enabled=self.enabled, op=op)

    def bold(self, *s: object) -> colored:
        return self.node(s, OP_SEQ % 1)

    def underline(self, *s: object) -> colored:
        return self.node(s, OP_SEQ % 4)

    def blink(self, *s: object) -> colored:
        return self.node(s, OP_SEQ % 5)

    def reverse(self, *s: object) -> colored:
        return self.node(s, OP_SEQ % 7)

    def bright(self, *s: object) -> colored:
        return self.node(s, OP_SEQ % 8)

    def reset(self, *s: object) -> colored:
        return self.node(s or ("",), RESET_SEQ)

    def __add__(self, other: object) -> str:
        return f"{self}{other}"


def _painter(name: str, number: int, inverse: bool) -> Any:
    sequence = COLOR_SEQ % ((40 if inverse else 30) + number)

    def paint(self: colored, *s: object) -> colored:
        return self.node(s, sequence)

    paint.__name__ = name
    return paint


for _number, _name in enumerate(_NAMES):
    setattr(colored, _name, _painter(_name, _number, False))
    setattr(colored, "i" + _name, _painter("i" + _name, _number, True))


def supports_images() -> bool:
    try:
        return sys.stdin.isatty() and bool(os.environ.get("ITERM_PROFILE"))
    except AttributeError:
        return False


def _read_as_base64(path: str) -> str:
    with open(path, mode="rb") as file:
        return base64.b64encode(file.read()).decode("ascii")


def imgcat(path: str, inline: int = 1, preserve_aspect_ratio: int = 0, **kwargs: Any) -> str:
    """The sequence that shows an image in iTerm."""
    options = f"inline={inline};preserveAspectRatio={preserve_aspect_ratio}"
    return f"\n{_IMG_PRE}1337;File={options}:{_read_as_base64(path)}{_IMG_POST}"
