"""Names for annotations, as RQ offers them."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, Union

if TYPE_CHECKING:
    from .job import Job

FunctionReferenceType = TypeVar("FunctionReferenceType", str, Callable[..., Any])
"""A callable, or its dotted path."""

JobDependencyType = Union["Dependency", "Job", str, "list[Dependency | Job | str]"]  # type: ignore[name-defined]  # noqa: F821
"""What `depends_on` takes."""

SuccessCallbackType = Callable[["Job", Any, Any], Any]
FailureCallbackType = Callable[
    ["Job", Any, type[BaseException] | None, BaseException | None, TracebackType | None], Any
]
