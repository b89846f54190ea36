"""Pydantic tasks: validated arguments, dumped results, strictness, context.

The caller's side of arguments is JSON as everywhere: test_serialization.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationInfo, field_validator

from .waiting import value_of


class Item(BaseModel):
    """A model of one number."""

    value: int


class Answer(BaseModel):
    """A model of a result."""

    total: int


class Checked(BaseModel):
    """A model that looks at the validation context."""

    value: int

    @field_validator("value")
    @classmethod
    def scaled(cls, value: int, info: ValidationInfo) -> int:
        """Multiply by the factor of the context."""
        return value * (info.context or {}).get("factor", 1)


def double(item: Item) -> Answer:
    """Double a model's number."""
    assert isinstance(item, Item)
    return Answer(total=item.value * 2)


def optional(item: Item | None = None) -> str:
    """Tell what came."""
    return type(item).__name__


def plain(item: Item, extra: int, **kwargs: Any) -> list[Any]:
    """Mix models with plain arguments."""
    return [item.value, extra, kwargs]


@pytest.mark.parametrize("given", [{"value": 3}, {"value": "3"}, Item(value=3)], ids=["dict", "coerced", "model"])
def test_argument_and_result(app: Any, worker: Any, given: Any) -> None:
    task = app.task(pydantic=True)(double)
    with worker(app):
        assert value_of(task.delay(given)) == {"total": 6}
        assert value_of(task.delay(item=given)) == {"total": 6}


@pytest.mark.parametrize("given", [None, {"value": 1}])
def test_optional(app: Any, worker: Any, given: Any) -> None:
    task = app.task(pydantic=True)(optional)
    with worker(app):
        assert value_of(task.delay(given)) == ("NoneType" if given is None else "Item")


def test_plain_arguments_pass(app: Any, worker: Any) -> None:
    task = app.task(pydantic=True)(plain)
    with worker(app):
        assert value_of(task.delay({"value": 1}, "not checked", more=2)) == [1, "not checked", {"more": 2}]


def test_validation_error(app: Any, worker: Any, observed: Any) -> None:
    task = app.task(pydantic=True)(double)
    with worker(app):
        result = task.delay({"value": "no number"})
        error = value_of(result, propagate=False)
        observed("class", type(error).__name__)
        observed("text", str(error))


@pytest.mark.parametrize("strict", [True, False])
def test_strict(app: Any, worker: Any, strict: bool) -> None:
    task = app.task(pydantic=True, pydantic_strict=strict)(double)
    with worker(app):
        result = task.delay({"value": "3"})
        if strict:
            assert isinstance(value_of(result, propagate=False), Exception)
        else:
            assert value_of(result) == {"total": 6}


def test_context(app: Any, worker: Any) -> None:
    @app.task(pydantic=True, pydantic_context={"factor": 10})
    def read(item: Checked) -> int:
        return item.value

    with worker(app):
        assert value_of(read.delay({"value": 3})) == 30


def test_dump_options(app: Any, worker: Any) -> None:
    @app.task(pydantic=True, pydantic_dump_kwargs={"by_alias": False, "exclude": {"total"}})
    def make() -> Answer:
        return Answer(total=3)

    with worker(app):
        assert value_of(make.delay()) == {}


def test_bound(app: Any, worker: Any) -> None:
    @app.task(pydantic=True, bind=True)
    def bound(self: Any, item: Item) -> list[Any]:
        return [self.name == bound.name, item.value]

    with worker(app):
        assert value_of(bound.delay({"value": 4})) == [True, 4]


def test_direct_call(app: Any, observed: Any) -> None:
    task = app.task(pydantic=True)(double)
    observed("model", task({"value": 3}))
    observed("instance", task(Item(value=3)))


def test_eager(make_app: Any, observed: Any) -> None:
    task = make_app(task_always_eager=True).task(pydantic=True)(double)
    observed("dict", task.delay({"value": 3}).get())


def test_off_by_default(app: Any, worker: Any) -> None:
    @app.task
    def kind(item: Item) -> str:
        return type(item).__name__

    with worker(app):
        assert value_of(kind.delay({"value": 3})) == "dict"


def test_a_returned_value_of_another_type_passes(app: Any, worker: Any) -> None:
    @app.task(pydantic=True)
    def other() -> Answer:
        return {"raw": 1}  # type: ignore[return-value]

    with worker(app):
        assert value_of(other.delay()) == {"raw": 1}
