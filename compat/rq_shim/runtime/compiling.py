"""Jobs that run as C: `@job(..., compile_to_c=True)`, which RQ has not.

What qualifies, and that no result ever changes, is the business of `brokerless.compiler`.
"""

from __future__ import annotations

from typing import Any

__all__ = ["mark", "runnable"]

_IN_C = "__brokerless_in_c__"


def mark(func: Any, mode: bool | str) -> None:
    """Has a function's jobs run as C where it qualifies: True (one WARNING where not) or "require".

    Raises `CompilationError` for "require" when it does not qualify, `ValueError` for another mode.
    """
    from ....compilation import compiled  # not at import: it brings half of the engine

    setattr(func, _IN_C, compiled(func, mode))


def runnable(func: Any) -> Any:
    """What to call for a function: its compiled form, or itself."""
    return getattr(func, _IN_C, func)
