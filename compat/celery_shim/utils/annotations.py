"""Questions about type annotations (for tasks with pydantic arguments)."""

from __future__ import annotations

import types
import typing
from typing import Any


def is_none_type(value: Any) -> bool:
    return value is types.NoneType


def get_optional_arg(annotation: Any) -> Any:
    """``X`` of ``Optional[X]`` or ``X | None``; None for anything else."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return None
    members = typing.get_args(annotation)
    others = [member for member in members if not is_none_type(member)]
    return others[0] if len(members) == 2 and len(others) == 1 else None


def annotation_is_class(annotation: Any) -> bool:
    # list[int] is one on Python 3.10
    return isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias)


def annotation_issubclass(annotation: Any, cls: type) -> bool:
    return annotation_is_class(annotation) and issubclass(annotation, cls)
