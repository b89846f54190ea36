"""Items of a batch: the second one like another is put together from the first, and means the same."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

from brokerless import BackgroundTasks, TaskPriority
from brokerless.batches import BatchReader
from brokerless.options import DEFAULTS


def told(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


def other(*args: Any) -> Any:
    return "other", args


async def later(*args: Any) -> Any:
    return "later", args


class Caller:
    def __call__(self, *args: Any) -> Any:
        return "caller", args

    def method(self, *args: Any) -> Any:
        return "method", args


ITEMS: list[Any] = [
    {"func": told},
    {"func": told, "args": (1,)},
    {"func": told, "args": [1, 2]},
    {"func": told, "args": (1,), "kwargs": {"a": 2}},
    {"func": told, "kwargs": {}},
    {"func": told, "kwargs": None},
    {"func": told, "kwargs": MappingProxyType({"b": 3})},
    {"func": told, "args": (4,), "priority": "high"},
    {"func": told, "args": (5,), "max_retries": 0, "timeout_ms": 50},
    {"func": told, "args": (6,), "tags": ["one"]},
    {"func": told, "args": (7,), "compile_to_c": False},
    MappingProxyType({"func": told, "args": (8,)}),
    {"func": other, "args": (1, 2)},
    {"func": later, "args": (1,)},
    {"func": Caller(), "args": (1,)},
    {"func": Caller().method, "args": (1,)},
    {"func": max, "args": (1, 2)},
    {"func": lambda *args: args, "args": (1,)},
]


def described(item: tuple[Any, ...]) -> Any:
    extra = item[8]
    return item[:8], extra and (extra.tags, extra.metadata), item[9]


@pytest.mark.parametrize("options", [{}, {"timeout_ms": 700, "priority": "low"}, {"tags": "all"}])
def test_a_reader_gives_what_reading_each_item_gives(make_tasks: Callable[..., BackgroundTasks], options: Any) -> None:
    tasks = make_tasks()
    settings = DEFAULTS.updated(options)
    asked = []

    def read(item: Any) -> Any:
        asked.append(item)
        return tasks._batch_item(item, settings)

    reader = BatchReader(read)
    for _ in range(3):
        for item in ITEMS:
            assert described(reader(item)) == described(tasks._batch_item(item, settings))
    # every item of these is like one before it, unless each task has tags of its own
    plain = [item for item in asked if item == {"func": told, "args": (1,)}]
    assert len(plain) == (3 if "tags" in options else 0)


@pytest.mark.parametrize("options", [{}, {"max_retries": 0}])
def test_each_task_gets_its_own_call(make_tasks: Callable[..., BackgroundTasks], options: Any) -> None:
    given: dict[str, Any] = {"a": 1}
    with make_tasks() as tasks:
        tasks.pause()
        handles = tasks.add_batch([{"func": told, "args": (n,), "kwargs": given} for n in range(3)], **options)
        handles += tasks.add_batch([{"func": later, "args": (n,)} for n in range(3)], **options)
        given["a"] = 2
        tasks.resume()
        assert [handle.result() for handle in handles] == [
            *[((n,), {"a": 1}) for n in range(3)],
            *[("later", (n,)) for n in range(3)],
        ]


def test_tags_belong_to_one_task(make_tasks: Callable[..., BackgroundTasks]) -> None:
    with make_tasks() as tasks:
        one, two = tasks.add_batch([{"func": told}] * 2, tags=["x"], metadata={"k": 1})
        assert one.tags == two.tags == ("x",)
        assert one.wait() and two.wait()
        assert one.priority == TaskPriority.NORMAL
