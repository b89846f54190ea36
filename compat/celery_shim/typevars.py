"""The type variables of tasks and results: ``Task[P, R]``, ``AsyncResult[R]``. Only type checkers look at them.

Their defaults (any arguments, any result) are for checkers too: a plain ``Task`` in an annotation stays what it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Any, ParamSpec, TypeVar

    P = ParamSpec("P", default=...)
    R = TypeVar("R", default=Any)
    T = TypeVar("T")
else:
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")
    T = TypeVar("T")

__all__ = ("P", "R", "T")
