"""Warnings for what is on its way out."""

from __future__ import annotations

import warnings
from functools import wraps
from typing import Any

from ..exceptions import CDeprecationWarning, CPendingDeprecationWarning

__all__ = ("Callable", "Property", "warn")

PENDING_DEPRECATION_FMT = """
    {description} is scheduled for deprecation in \
    version {deprecation} and removal in version v{removal}. \
    {alternative}
"""
DEPRECATION_FMT = """
    {description} is deprecated and scheduled for removal in
    version {removal}. {alternative}
"""


def warn(
    description: str | None = None,
    deprecation: str | None = None,
    removal: str | None = None,
    alternative: str | None = None,
    stacklevel: int = 2,
) -> None:
    kind: Any = CDeprecationWarning if deprecation is None else CPendingDeprecationWarning
    text = DEPRECATION_FMT if deprecation is None else PENDING_DEPRECATION_FMT
    values = {
        "description": description,
        "deprecation": deprecation,
        "removal": removal,
        "alternative": alternative,
    }
    warnings.warn(kind(text.format(**values)), stacklevel=stacklevel)


def Callable(
    deprecation: str | None = None,
    removal: str | None = None,
    alternative: str | None = None,
    description: str | None = None,
) -> Any:
    """Decorator for a function that warns when it is called."""

    def decorate(fun: Any) -> Any:
        @wraps(fun)
        def warning(*args: Any, **kwargs: Any) -> Any:
            from .imports import qualname

            warn(description or qualname(fun), deprecation, removal, alternative, stacklevel=3)
            return fun(*args, **kwargs)

        return warning

    return decorate


def Property(
    deprecation: str | None = None,
    removal: str | None = None,
    alternative: str | None = None,
    description: str | None = None,
) -> Any:
    """Decorator for a property that warns when it is used."""

    def decorate(fun: Any) -> Any:
        return _DeprecatedProperty(
            fun,
            deprecation=deprecation,
            removal=removal,
            alternative=alternative,
            description=description or fun.__name__,
        )

    return decorate


class _DeprecatedProperty:
    def __init__(self, fget: Any = None, fset: Any = None, fdel: Any = None, **depreinfo: Any) -> None:
        self.fget, self.fset, self.fdel = fget, fset, fdel
        self.__name__, self.__module__, self.__doc__ = fget.__name__, fget.__module__, fget.__doc__
        self.depreinfo = {"stacklevel": 3, **depreinfo}

    def __get__(self, obj: Any, type: Any = None) -> Any:
        if obj is None:
            return self
        warn(**self.depreinfo)
        return self.fget(obj)

    def __set__(self, obj: Any, value: Any) -> Any:
        if obj is None:
            return self
        if self.fset is None:
            raise AttributeError("cannot set attribute")
        warn(**self.depreinfo)
        self.fset(obj, value)
        return None

    def __delete__(self, obj: Any) -> Any:
        if obj is None:
            return self
        if self.fdel is None:
            raise AttributeError("cannot delete attribute")
        warn(**self.depreinfo)
        self.fdel(obj)
        return None

    def setter(self, fset: Any) -> Any:
        return type(self)(self.fget, fset, self.fdel, **self.depreinfo)

    def deleter(self, fdel: Any) -> Any:
        return type(self)(self.fget, self.fset, fdel, **self.depreinfo)
