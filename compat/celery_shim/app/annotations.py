"""``task_annotations``: attributes that the configuration sets on tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..utils.functional import firstmethod
from ..utils.imports import instantiate

_first_match = firstmethod("annotate")
_first_match_any = firstmethod("annotate_any")

__all__ = ("MapAnnotation", "prepare", "resolve_all")


class MapAnnotation(dict):
    """Attributes by the task's name; ``'*'`` means every task."""

    def annotate_any(self) -> dict[str, Any] | None:
        return dict(self["*"]) if "*" in self else None

    def annotate(self, task: Any) -> dict[str, Any] | None:
        return dict(self[task.name]) if task.name in self else None


def _expand(annotation: Any) -> Any:
    if isinstance(annotation, dict):
        return MapAnnotation(annotation)
    if not isinstance(annotation, str):
        return annotation
    from ..utils.lazies import mlazy

    return mlazy(instantiate, annotation)


def prepare(annotations: Any) -> Any:
    """The value of ``task_annotations`` as a list."""
    if annotations is None:
        return ()
    many = annotations if isinstance(annotations, (list, tuple)) else (annotations,)
    return [_expand(annotation) for annotation in many]


def resolve_all(anno: Any, task: Any) -> Iterator[dict[str, Any]]:
    """What is said about this task, then what is said about all."""
    return (found for found in (_first_match(anno, task), _first_match_any(anno)) if found)
