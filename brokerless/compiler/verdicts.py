"""The verdict on a function, kept for as long as all that it rests on stays as it was.

A submit asks for it each time, and a look at the source takes longer than many tasks do. Like its compiled forms
(`table`), a function carries its verdict itself, so that neither keeps the other alive. What the source file says now
does not matter: that the code was made from the text was proved when it was read.
"""

from __future__ import annotations

from types import FunctionType

from .analyse import analyse
from .errors import Verdict
from .names import Guards

__all__ = ["Carried", "Known", "known"]

_VERDICT = "__brokerless_verdict__"


class Carried:
    """What a function carries of ours. Whoever pickles or copies the function by value gets an empty tuple in its place."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return tuple, ()


class Known(Carried):
    """A verdict, whose it is, and whether it still holds. A new look makes a new one."""

    __slots__ = ("func", "holds", "verdict")

    def __init__(self, func: FunctionType, verdict: Verdict, guards: Guards) -> None:
        self.func = func
        self.verdict = verdict
        # What a refused function refers to may be large, and is not kept for this.
        self.holds = guards.hold if verdict.can_compile else guards.checker(by_address=True)


def known(func: FunctionType, *, anew: bool = False) -> Known:
    """As `analyse`, which looks only the first time and after something has changed, or if it is to look `anew`.

    A refusal may be out of date where an object has the address of another that is gone.
    """
    found = func.__dict__.get(_VERDICT)
    # What `functools.wraps` copies to another function is not its own.
    if not anew and isinstance(found, Known) and found.func is func and found.holds():
        return found
    guards = Guards()
    guards.watch_function(func)
    made = func.__dict__[_VERDICT] = Known(func, analyse(func, guards), guards)
    return made
