"""The exceptions of the compiler. Nothing here is raised by a compiled call itself: that raises what Python raises."""

from __future__ import annotations

from dataclasses import dataclass


class CompilationError(RuntimeError):
    """A function that was asked to be compiled for certain (``"require"``) cannot be."""


class Refused(Exception):
    """Inside the compiler only: why a function stays in Python, and at which line of its file."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


class BuildError(Exception):
    """The C compiler is missing, failed, or made something that cannot be loaded."""


@dataclass(frozen=True)
class Verdict:
    """Whether a function qualifies; when not, the reason and the line of the file it is in."""

    can_compile: bool
    reason: str | None = None
    line: int | None = None
