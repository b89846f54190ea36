"""The ways in: submit, add_task, enqueue, enqueue_many; bounds; the lazy start."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import pytest

from brokerless import core
from tests.unit.rig import Rig


class Recording(core.Engine):
    """Remembers what is asked of the Python half."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.starts = 0
        self.options: list[Any] = []
        self.full: list[Any] = []
        self.room: Callable[[], bool] | None = None

    def _start(self) -> None:
        self.starts += 1

    def _add_with_options(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.options.append((func, args, kwargs))
        return "with options"

    def _full(self, queue: int, lane: int, count: int, limit: int) -> bool:
        self.full.append((queue, lane, count))
        if self.room is None:
            raise BufferError("full")
        return self.room()


@pytest.fixture
def recording(make_rig: Callable[..., Rig]) -> Rig:
    rig = make_rig(engine_type=Recording)
    rig.engine.set_defaults(lane=2, limit=3, timeout=7.0, options="defaults", queue=rig.queue)
    return rig


def plain(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


async def coroutine() -> None:
    pass


async def generator() -> Any:
    yield 1


class Thing:
    def method(self, *args: Any) -> Any:
        return args

    async def coroutine(self) -> None:
        pass

    def __call__(self) -> None:
        pass


def test_start_is_called_once_at_the_first_submit(recording: Rig) -> None:
    recording.engine.queued(recording.queue)
    recording.engine.totals()
    assert recording.engine.starts == 0
    recording.engine.submit(plain)
    recording.engine.add_task(plain)
    recording.engine.enqueue(plain, queue=recording.queue)
    recording.engine.enqueue_many([{"func": plain}], limit=0)
    assert recording.engine.starts == 1


@pytest.mark.parametrize("how", ["submit", "add_task", "enqueue", "enqueue_many", "delayed"])
def test_any_kind_of_submit_starts(recording: Rig, how: str) -> None:
    engine = recording.engine
    if how == "enqueue_many":
        engine.enqueue_many([{"func": plain}], limit=0)
    elif how == "delayed":
        engine.enqueue(plain, queue=recording.queue, delay=5.0)
    elif how == "enqueue":
        engine.enqueue(plain, queue=recording.queue)
    else:
        getattr(engine, how)(plain)
    assert engine.starts == 1


def test_submit_has_no_limit_no_timeout_and_no_options(recording: Rig) -> None:
    tasks = [recording.engine.submit(plain, 1, priority=0, delay_ms=5) for _ in range(5)]
    assert {(task.lane, task.queue, task.timeout, task.options) for task in tasks} == {(2, recording.queue, None, None)}
    recording.run()
    assert tasks[0].value == ((1,), {"priority": 0, "delay_ms": 5})


def test_add_task_uses_the_defaults(recording: Rig) -> None:
    task = recording.engine.add_task(plain, 1, key="word")
    assert (task.lane, task.queue, task.timeout, task.options) == (2, recording.queue, 7.0, "defaults")
    assert (task.args, task.kwargs) == ((1,), {"key": "word"})
    recording.run()
    assert task.value == ((1,), {"key": "word"})


def test_add_task_takes_a_plain_priority_itself(recording: Rig) -> None:
    class Level(IntEnum):
        TOP = 0
        LAST = 3

    for priority, lane in ((0, 0), (1, 1), (3, 3), (Level.TOP, 0), (Level.LAST, 3)):
        task = recording.engine.add_task(plain, 1, priority=priority, key="word")
        assert task.lane == lane
        assert type(task.lane) is int
        assert task.kwargs == {"key": "word"}
    assert recording.engine.options == []


@pytest.mark.parametrize(
    "options",
    [
        {"priority": "high"},
        {"priority": 4},
        {"priority": -1},
        {"priority": True},
        {"priority": None},
        {"delay_ms": 0},
        {"max_retries": 3},
        {"timeout_ms": None},
        {"expires_ms": 1},
        {"compile_to_c": True},
        {"tags": []},
        {"metadata": {}},
        {"schedule": "daily"},
        {"priority": 1, "tags": ["a"]},
    ],
)
def test_add_task_hands_other_options_to_python(recording: Rig, options: dict[str, Any]) -> None:
    assert recording.engine.add_task(plain, 1, key="word", **options) == "with options"
    assert recording.engine.options == [(plain, (1,), {"key": "word", **options})]
    assert recording.engine.outstanding() == 0


@pytest.mark.parametrize(
    "func", [coroutine, generator, Thing(), Thing().coroutine, Thing, functools.partial(plain, 1), None, 5, "text"]
)
def test_add_task_hands_other_callables_to_python(recording: Rig, func: Any) -> None:
    assert recording.engine.add_task(func, 1) == "with options"
    assert recording.engine.options == [(func, (1,), {})]


def test_add_task_knows_plain_callables(recording: Rig) -> None:
    tasks = [recording.engine.add_task(func, (1, 2)) for func in (plain, len, Thing().method)]
    recording.engine.run_until_empty([recording.queue])
    assert [task.value for task in tasks] == [(((1, 2),), {}), 2, ((1, 2),)]
    assert recording.engine.options == []


@pytest.mark.parametrize("how", ["submit", "add_task"])
def test_a_function_is_needed(recording: Rig, how: str) -> None:
    with pytest.raises(TypeError):
        getattr(recording.engine, how)()


def test_limit_counts_what_waits_in_the_lane(recording: Rig) -> None:
    for _ in range(3):
        recording.engine.add_task(plain)
    with pytest.raises(BufferError):
        recording.engine.add_task(plain)
    assert recording.engine.full == [(recording.queue, 2, 1)]
    recording.engine.add_task(plain, priority=1)
    for _ in range(5):
        recording.engine.add_task(plain, priority=0)
    recording.engine.run_until_empty([recording.queue], 7)
    recording.engine.add_task(plain)
    assert recording.engine.queued(recording.queue) == 3


def test_full_is_asked_until_there_is_room(recording: Rig) -> None:
    for _ in range(3):
        recording.engine.add_task(plain)
    recording.engine.room = lambda: recording.engine.run_until_empty([recording.queue], 1) >= 0
    task = recording.engine.add_task(plain)
    assert task.state == core.QUEUED
    assert len(recording.engine.full) == 1


def test_withdrawn_tasks_make_room(recording: Rig) -> None:
    tasks = [recording.engine.add_task(plain) for _ in range(3)]
    tasks[1].withdraw()
    recording.engine.add_task(plain)
    with pytest.raises(BufferError):
        recording.engine.add_task(plain)


def test_queue_full_of_the_core_itself(rig: Rig) -> None:
    rig.engine.enqueue(plain, queue=rig.queue, lane=1, limit=1)
    with pytest.raises(Exception) as caught:
        rig.engine.enqueue(plain, queue=rig.queue, lane=1, limit=1)
    assert type(caught.value).__name__ == "QueueFull"
    assert rig.engine.queued(rig.queue) == 1
    assert rig.engine.outstanding() == 1


def test_batch_of_dicts_and_tuples_in_order(recording: Rig) -> None:
    other = recording.engine.add_queue(2)
    tasks = recording.engine.enqueue_many(
        [
            {"func": plain, "args": (1,)},
            {"func": plain, "args": (2,), "kwargs": {"a": 1}, "priority": 1},
            (plain, (3,), None, 0, None, None, 4.0, "own", {"extra": 1}, other),
            (plain, (4,), {"b": 2}, 3, 5.0, None, None, None, None, recording.queue),
        ],
        limit=0,
    )
    assert [task.id for task in tasks] == [1, 2, 3, 4]
    assert [(task.queue, task.lane, task.timeout, task.options) for task in tasks] == [
        (recording.queue, 2, 7.0, "defaults"),
        (recording.queue, 1, 7.0, "defaults"),
        (other, 0, 4.0, "own"),
        (recording.queue, 3, None, None),
    ]
    assert tasks[2].extra == {"extra": 1}
    assert tasks[3].state == core.DELAYED
    recording.engine.run_until_empty([recording.queue, other])
    assert [task.value for task in tasks[:3]] == [((1,), {}), ((2,), {"a": 1}), ((3,), {})]


def test_empty_batch(recording: Rig) -> None:
    assert recording.engine.enqueue_many([], limit=5) == []


@pytest.mark.parametrize("place", [0, 1, 4])
@pytest.mark.parametrize("wrong", [(plain, ()), (plain, (), None, 9, None, None, None, None, None, 0)])
def test_one_wrong_item_and_nothing_is_queued(rig: Rig, wrong: Any, place: int) -> None:
    items: list[Any] = [{"func": plain, "args": (n,)} for n in range(4)]
    items.insert(place, wrong)
    with pytest.raises((TypeError, ValueError)):
        rig.engine.enqueue_many(items, limit=0)
    assert rig.engine.queued(rig.queue) == 0
    assert rig.engine.outstanding() == 0
    assert rig.engine.tasks() == []


def test_batch_that_does_not_fit_queues_nothing(recording: Rig) -> None:
    recording.engine.add_task(plain)
    items = [{"func": plain, "priority": 1}] + [{"func": plain}] * 3
    with pytest.raises(BufferError):
        recording.engine.enqueue_many(items, limit=3)
    assert recording.engine.full == [(recording.queue, 2, 3)]
    assert recording.engine.queued(recording.queue) == 1
    assert recording.engine.outstanding() == 1
    assert len(recording.engine.enqueue_many(items[:3], limit=3)) == 3
    assert len(recording.engine.enqueue_many([{"func": plain, "priority": 0}] * 9, limit=3)) == 9


def test_batch_wakes_the_workers(rig: Rig) -> None:
    rig.start(2)
    assert rig.engine.enqueue(rig.note, (0,), queue=rig.queue).wait(10)
    tasks = rig.engine.enqueue_many([{"func": plain, "args": (n,)} for n in range(500)], limit=0)
    assert all(task.wait(10) for task in tasks)


def test_other_items_of_a_batch_are_read_by_the_caller(rig: Rig) -> None:
    def read(item: Any) -> Any:
        return plain, (item,), None, 1, None, None, None, None, None, 0

    items = ["anything", {"func": plain, "tags": ["a"]}, {"func": coroutine}]
    tasks = rig.engine.enqueue_many(items, limit=0, read=read)
    assert [task.args[0] for task in tasks] == ["anything", {"func": plain, "tags": ["a"]}, {"func": coroutine}]


@pytest.mark.parametrize("read", [None, list, lambda item: (plain, ())], ids=["nobody", "a list", "too short"])
def test_items_that_nobody_can_read(rig: Rig, read: Any) -> None:
    with pytest.raises(TypeError):
        rig.engine.enqueue_many([{"func": plain}, {"func": plain, "tags": ["a"]}], limit=0, read=read)
    assert rig.engine.outstanding() == 0


def test_a_batch_is_what_its_list_held_at_the_call(rig: Rig) -> None:
    def read(item: Any) -> Any:
        items.clear()
        return plain, (item,), None, 1, None, None, None, None, None, 0

    items: list[Any] = [str(number) for number in range(2000)]
    tasks = rig.engine.enqueue_many(items, limit=0, read=read)
    assert [task.args for task in tasks] == [(str(number),) for number in range(2000)]


def test_later_changes_of_the_callers_dict_change_no_task(rig: Rig) -> None:
    given = {"a": 1}
    tasks = [
        rig.engine.enqueue(plain, (), given, queue=rig.queue),
        *rig.engine.enqueue_many(
            [{"func": plain, "kwargs": given}, (plain, (), given, 2, None, None, None, None, None, rig.queue)], limit=0
        ),
    ]
    given["a"] = 2
    rig.start()
    assert [task.wait(10) and task.value for task in tasks] == [((), {"a": 1})] * 3


def test_what_a_collection_changes_while_a_task_is_made(make_rig: Callable[..., Rig]) -> None:
    """A collector's callback is Python code, so it and other threads run in the middle of a call."""
    given: dict[str, Any] = {}
    item: dict[str, Any] = {"func": plain, "kwargs": given}

    def change(phase: str, info: dict[str, int]) -> None:
        given.update({f"later {number}": object() for number in range(100)})
        item.update(func=len, kwargs={})

    rig = make_rig()
    thresholds = gc.get_threshold()
    gc.callbacks.append(change)
    try:
        for count in range(40):
            given.clear()
            given.update({f"key {number}": object() for number in range(count)})
            item.update(func=plain, kwargs=given)
            gc.set_threshold(1)
            task = rig.engine.enqueue(plain, (), given, queue=rig.queue)
            tasks = rig.engine.enqueue_many([item, item], limit=0)
            gc.set_threshold(*thresholds)
            assert all(one.func in (plain, len) for one in (task, *tasks))
            assert rig.engine.outstanding() == 3 * (count + 1)
    finally:
        gc.callbacks.remove(change)
        gc.set_threshold(*thresholds)


@pytest.mark.parametrize("arguments", [{"queue": 7}, {"queue": -1}, {"lane": 4}, {"lane": -1}, {"unknown": 1}])
def test_wrong_places_are_refused(rig: Rig, arguments: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, OverflowError)):
        rig.engine.enqueue(plain, **arguments)
    assert rig.engine.outstanding() == 0


def test_a_large_number_of_arguments(rig: Rig) -> None:
    many = tuple(range(300))
    names = {f"k{n}": n for n in range(100)}
    task = rig.engine.enqueue(plain, many, names, queue=rig.queue)
    other = rig.engine.submit(plain, *many, **names)
    third = rig.engine.add_task(plain, *many, priority=1, **names)
    rig.run()
    assert task.value == other.value == third.value == (many, names)
