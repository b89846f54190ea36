"""``@app.task(pydantic=True)``: arguments become models before the body, a model it returns becomes data after it."""

from __future__ import annotations

import functools
import importlib
import inspect
import typing
from collections.abc import Mapping
from typing import Any

from ..exceptions import ImproperlyConfigured
from ..utils.annotations import annotation_is_class, annotation_issubclass, get_optional_arg

__all__ = ("pydantic_wrapper",)


class _Models:
    """The annotations of a task's function."""

    def __init__(self, app: Any, fun: Any, name: str, strict: bool, context: Any, dump_kwargs: Any) -> None:
        try:
            self.base: Any = importlib.import_module("pydantic").BaseModel
        except ModuleNotFoundError as exc:
            raise ImproperlyConfigured("You need to install pydantic to use pydantic model serialization.") from exc
        self.strict = strict
        self.context = {**(context or {}), "celery_app": app, "celery_task_name": name}
        self.dump_kwargs = {"mode": "json", **(dump_kwargs or {})}
        self.signature = inspect.signature(fun)
        try:
            self.hints: dict[str, Any] = typing.get_type_hints(fun)
        except (NameError, AttributeError, TypeError):
            self.hints = {}  # names for type checkers only; the raw annotations must do
        parameters = self.signature.parameters.values()
        by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        by_name = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self.positional = [parameter.name for parameter in parameters if parameter.kind in by_place]
        self.keywords = {parameter.name for parameter in parameters if parameter.kind in by_name}

    def of_argument(self, name: str, value: Any) -> Any:
        annotation = self.hints.get(name, self.signature.parameters[name].annotation)
        if value is not None:
            annotation = get_optional_arg(annotation) or annotation
        return annotation if annotation_issubclass(annotation, self.base) else None

    def validate(self, model: Any, value: Any) -> Any:
        return model.model_validate(value, strict=self.strict, context=self.context)

    def returned(self, value: Any) -> Any:
        annotation = self.hints.get("return", self.signature.return_annotation)
        annotation = get_optional_arg(annotation) or annotation
        if isinstance(value, self.base) and annotation_is_class(annotation) and isinstance(value, annotation):
            return value.model_dump(**self.dump_kwargs)
        return value

    def dump(self, name: str | None, value: Any) -> Any:
        """A model that the caller passed as data, when the worker can make the same model of it."""
        if name is None or not isinstance(value, self.base) or hasattr(type(value), "__json__"):
            return value
        model = self.of_argument(name, value)
        if model is None:
            return value
        try:
            dumped = value.model_dump(**self.dump_kwargs)
            if self.validate(model, dumped) == value:
                return dumped
        except Exception:
            pass  # cannot be rebuilt: the serializer decides what becomes of it
        return value

    def dump_arguments(self, args: Any, kwargs: Any, bound: bool = False) -> tuple[Any, Any]:
        given_args = () if args is None else args
        given_kwargs = {} if kwargs is None else kwargs
        if not isinstance(given_args, (list, tuple)) or not isinstance(given_kwargs, Mapping):
            return args, kwargs
        if not any(isinstance(value, self.base) for value in (*given_args, *given_kwargs.values())):
            return args, kwargs
        try:
            self.signature.bind(*([None] if bound else []), *given_args, **given_kwargs)
        except TypeError:
            return args, kwargs
        names = self.positional[1:] if bound else self.positional
        new_args = [
            self.dump(names[place] if place < len(names) else None, value) for place, value in enumerate(given_args)
        ]
        new_kwargs = {
            key: self.dump(key if key in self.keywords else None, value) for key, value in given_kwargs.items()
        }
        if any(new is not old for new, old in zip(new_args, given_args, strict=True)):
            args = new_args if isinstance(given_args, list) else tuple(new_args)
        if any(new_kwargs[key] is not value for key, value in given_kwargs.items()):
            kwargs = new_kwargs
        return args, kwargs


def pydantic_wrapper(
    app: Any, task_fun: Any, task_name: str, strict: bool = True, context: Any = None, dump_kwargs: Any = None
) -> Any:
    """The function with models in and data out; ``wrapper.dump_arguments`` does the caller's side."""
    models = _Models(app, task_fun, task_name, strict, context, dump_kwargs)

    @functools.wraps(task_fun)
    def wrapper(*task_args: Any, **task_kwargs: Any) -> Any:
        bound = models.signature.bind(*task_args, **task_kwargs)
        for name, value in bound.arguments.items():
            model = models.of_argument(name, value)
            if model is not None:
                bound.arguments[name] = models.validate(model, value)
        return models.returned(task_fun(*bound.args, **bound.kwargs))

    wrapper.dump_arguments = models.dump_arguments  # type: ignore[attr-defined]
    return wrapper
