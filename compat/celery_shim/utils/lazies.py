"""``mlazy``, in a module of its own: its base is kombu's, which is loaded with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kombu.utils.functional import lazy

__all__ = ("mlazy",)


class mlazy(lazy):
    """A lazy value that is computed once."""

    evaluated = False
    _value: Any = None

    if TYPE_CHECKING:

        def __init__(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> None: ...

    def evaluate(self) -> Any:
        if not self.evaluated:
            compute: Any = super().evaluate
            self._value = compute()
            self.evaluated = True
        return self._value
