"""Which compiled form stands for which Python function. The table keeps neither of them.

A form refers to its function, so a dictionary with weak keys would never lose an entry: each function carries its forms.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING

from ..livesets import LiveSet
from .verdicts import Carried

if TYPE_CHECKING:
    from .function import CompiledFunction

__all__ = ["FormTable"]

_FORMS = "__brokerless_forms__"


class _Forms(Carried):
    __slots__ = ("made",)

    def __init__(self, made: tuple[CompiledFunction, ...]) -> None:
        self.made = made


def _forms_of(func: FunctionType) -> list[CompiledFunction]:
    """Every compiler's, of this very function: what `functools.wraps` copies to another one is not its own."""
    forms = func.__dict__.get(_FORMS)
    return [form for form in forms.made if form.__brokerless_function__ is func] if isinstance(forms, _Forms) else []


class FormTable:
    """The forms that one compiler has made. `add` is for one thread at a time."""

    def __init__(self) -> None:
        self._made: LiveSet[CompiledFunction] = LiveSet()

    def get(self, func: FunctionType) -> CompiledFunction | None:
        """The form that this compiler has made of a function."""
        return next((form for form in _forms_of(func) if form in self._made), None)

    def add(self, func: FunctionType, form: CompiledFunction) -> None:
        self._made.add(form)
        func.__dict__[_FORMS] = _Forms((*_forms_of(func), form))

    def all(self) -> list[CompiledFunction]:
        return list(self._made)
