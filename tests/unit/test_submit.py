"""BackgroundTasks: its arguments, add_task's options, batches, the decorator, bounds. What is wrong queues nothing."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import (
    BackgroundTasks,
    EngineShutdown,
    QueueFull,
    TaskExecutionError,
    TaskPriority,
    TaskStatus,
    current_task,
)
from tests.unit.rig import SOON, Gate, eventually


def add(a: int, b: int = 0) -> int:
    return a + b


def test_add_task_runs_the_function(tasks: BackgroundTasks) -> None:
    handle = tasks.add_task(add, 1, b=2)
    assert handle.result(SOON) == 3
    assert handle.get_result() == 3
    assert handle.priority == TaskPriority.NORMAL


@pytest.mark.parametrize(
    ("given", "lane"),
    [
        (TaskPriority.CRITICAL, 0),
        ("critical", 0),
        ("HIGH", 1),
        ("normal", 2),
        ("Low", 3),
        (3, 3),
        (0, 0),
    ],
)
def test_priorities_as_members_numbers_and_names(tasks: BackgroundTasks, given: Any, lane: int) -> None:
    handle = tasks.add_task(add, 1, priority=given)
    assert handle.priority is TaskPriority(lane)
    assert handle.result(SOON) == 1


WRONG_OPTIONS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"priority": "urgent"}, ValueError, "urgent"),
    ({"priority": 4}, ValueError, "4"),
    ({"priority": -1}, ValueError, "-1"),
    ({"priority": None}, ValueError, "None"),
    ({"priority": True}, ValueError, "True"),
    ({"priority": 1.5}, ValueError, "1.5"),
    ({"delay_ms": -1}, ValueError, "-1"),
    ({"delay_ms": "soon"}, TypeError, "soon"),
    ({"delay_ms": float("nan")}, ValueError, "nan"),
    ({"delay_ms": float("inf")}, ValueError, "inf"),
    ({"max_retries": -1}, ValueError, "-1"),
    ({"max_retries": 1.5}, TypeError, "1.5"),
    ({"max_retries": None}, TypeError, "None"),
    ({"timeout_ms": 0}, ValueError, "0"),
    ({"timeout_ms": -5}, ValueError, "-5"),
    ({"timeout_ms": "long"}, TypeError, "long"),
    ({"expires_ms": 0}, ValueError, "0"),
    ({"expires_ms": -1}, ValueError, "-1"),
    ({"compile_to_c": "yes"}, TypeError, "yes"),
    ({"tags": 5}, TypeError, "5"),
    ({"tags": ["a", 5]}, TypeError, "5"),
    ({"metadata": "text"}, TypeError, "text"),
]


@pytest.mark.parametrize(("options", "error", "named"), WRONG_OPTIONS)
def test_a_wrong_option_raises_at_once_and_names_it(
    tasks: BackgroundTasks, options: dict[str, Any], error: type[Exception], named: str
) -> None:
    [name] = options
    for submit in (
        lambda: tasks.add_task(add, 1, **options),
        lambda: tasks.add_batch([{"func": add, "args": (1,)}, {"func": add, **options}]),
        lambda: tasks.chain_tasks([add, {"func": add, **options}]),
        lambda: tasks.parallel_tasks([add, {"func": add, **options}]),
        lambda: tasks.task(**options)(add),
    ):
        with pytest.raises(error, match=name) as caught:
            submit()
        assert named in str(caught.value)
    assert tasks.get_stats().queued_tasks == 0
    assert tasks.outstanding() == 0


@pytest.mark.parametrize("wrong", [None, 5, "add", [add]])
def test_what_is_not_callable_raises_at_once(tasks: BackgroundTasks, wrong: Any) -> None:
    for submit in (
        lambda: tasks.add_task(wrong),
        lambda: tasks.add_task(wrong, priority="high"),
        lambda: tasks.add_batch([{"func": add, "args": (1,)}, {"func": wrong}]),
        lambda: tasks.chain_tasks([add, wrong]),
        lambda: tasks.parallel_tasks([add, wrong]),
    ):
        with pytest.raises(TypeError):
            submit()
    assert tasks.outstanding() == 0


@pytest.mark.parametrize(
    ("item", "error"),
    [
        ({}, TypeError),
        ({"args": (1,)}, TypeError),
        ({"func": add, "args": "text"}, TypeError),
        ({"func": add, "args": 5}, TypeError),
        ({"func": add, "kwargs": [1]}, TypeError),
        ({"func": add, "unknown": 1}, TypeError),
        ({"func": add, "queue": "other"}, TypeError),
        (5, TypeError),
    ],
)
def test_a_wrong_batch_item_queues_nothing(tasks: BackgroundTasks, item: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        tasks.add_batch([{"func": add, "args": (1,)}, item, {"func": add, "args": (2,)}])
    assert tasks.outstanding() == 0


CONSTRUCTOR_ERRORS: list[tuple[dict[str, Any], str]] = [
    ({"workers": 0}, "workers"),
    ({"workers": -1}, "workers"),
    ({"workers": 1.5}, "workers"),
    ({"workers": True}, "workers"),
    ({"workers": 2, "min_workers": 3}, "min_workers"),
    ({"workers": 4, "max_workers": 2}, "max_workers"),
    ({"queue_size": 0}, "queue_size"),
    ({"queue_size": "many"}, "queue_size"),
    ({"on_full": "drop"}, "drop"),
    ({"result_ttl": 0}, "result_ttl"),
    ({"result_max": -1}, "result_max"),
    ({"memory_pool_mb": 0}, "memory_pool_mb"),
    ({"worker_count": 2}, "worker_count"),
]


@pytest.mark.parametrize(("arguments", "named"), CONSTRUCTOR_ERRORS)
def test_wrong_arguments_of_the_constructor(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises((TypeError, ValueError), match=named):
        BackgroundTasks(**arguments)


@pytest.mark.parametrize(
    ("name", "value", "attribute", "expected"),
    [
        ("initial_workers", 3, "total_workers", 3),
        ("task_workers", 3, "total_workers", 3),
        ("task_queue_size", 7, "queue_size", 7),
        ("enable_task_c_compilation", False, None, None),
        ("use_jemalloc", True, None, None),
        ("enable_jemalloc", False, None, None),
        ("memory_profiling", True, None, None),
    ],
)
def test_other_names_of_arguments(name: str, value: Any, attribute: str | None, expected: Any) -> None:
    tasks = BackgroundTasks(**{name: value})
    if attribute == "total_workers":
        assert tasks.get_stats().total_workers == expected
    elif attribute is not None:
        assert getattr(tasks, attribute) == expected
    tasks.shutdown()


@pytest.mark.parametrize("kind", ["partial", "class", "instance", "method", "lambda", "builtin", "static"])
def test_every_kind_of_callable(tasks: BackgroundTasks, kind: str) -> None:
    class Adder:
        def __init__(self, start: int = 0) -> None:
            self.start = start

        def __call__(self, a: int) -> int:
            return self.start + a

        def method(self, a: int) -> int:
            return self.start + a

        @staticmethod
        def static(a: int) -> int:
            return a

    func: Any = {
        "partial": functools.partial(add, 4),
        "class": Adder,
        "instance": Adder(4),
        "method": Adder(4).method,
        "lambda": lambda a: a + 4,
        "builtin": abs,
        "static": Adder.static,
    }[kind]
    value = tasks.add_task(func, 5).result(SOON)
    assert (value.start if kind == "class" else value) == (5 if kind in ("class", "builtin", "static") else 9)


def test_tags_and_metadata(tasks: BackgroundTasks) -> None:
    source = {"user": 7}
    handle = tasks.add_task(add, 1, tags=["a", "b"], metadata=source)
    assert handle.tags == ("a", "b")
    assert handle.metadata == {"user": 7}
    source["user"] = 8
    assert handle.metadata == {"user": 7}
    assert tasks.add_task(add, 1, tags="one").tags == ("one",)
    plain = tasks.add_task(add, 1)
    assert plain.tags == ()
    assert plain.metadata == {}


def test_batch(tasks: BackgroundTasks) -> None:
    handles = tasks.add_batch([{"func": add, "args": (n,), "kwargs": {"b": 1}} for n in range(2500)], batch_size=100)
    assert [handle.result(SOON) for handle in handles] == list(range(1, 2501))
    assert {handle.priority for handle in handles} == {TaskPriority.NORMAL}


def test_batch_options(tasks: BackgroundTasks) -> None:
    handles = tasks.add_batch(
        [
            {"func": add, "args": [1]},
            {"func": add, "args": (2,), "priority": "high", "tags": ["own"]},
        ],
        default_priority="low",
        tags=["shared"],
        max_retries=0,
    )
    assert [handle.priority for handle in handles] == [TaskPriority.LOW, TaskPriority.HIGH]
    assert [handle.tags for handle in handles] == [("shared",), ("own",)]
    assert [handle.result(SOON) for handle in handles] == [1, 2]


def test_batch_of_anything_iterable_and_of_coroutines(tasks: BackgroundTasks) -> None:
    async def later(value: int) -> int:
        return value

    handles = tasks.add_batch({"func": func, "args": (n,)} for n, func in enumerate([add, later, add]))
    assert [handle.result(SOON) for handle in handles] == [0, 1, 2]


def test_batch_is_all_or_nothing_when_it_does_not_fit(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1, queue_size=10)
    tasks.pause()
    with pytest.raises(QueueFull):
        tasks.add_batch([{"func": add, "args": (n,)} for n in range(11)])
    assert tasks.outstanding() == 0
    assert len(tasks.add_batch([{"func": add, "args": (n,)} for n in range(10)])) == 10
    with pytest.raises(QueueFull):
        tasks.add_batch([{"func": add, "args": (1,)}])
    assert len(tasks.add_batch([{"func": add, "args": (1,)}] * 3, default_priority="critical")) == 3


def test_queue_size_counts_per_priority(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1, queue_size=2)
    tasks.pause()
    for priority in ("high", "normal", "low"):
        tasks.add_task(add, 1, priority=priority)
        tasks.add_task(add, 1, priority=priority)
        with pytest.raises(QueueFull, match="queue_size"):
            tasks.add_task(add, 1, priority=priority)
    for _ in range(10):
        tasks.add_task(add, 1, priority="critical")
    assert tasks.get_stats().queue_pressure >= 1.0
    assert tasks.outstanding() == 16


def test_delayed_tasks_retries_and_continuations_bypass_the_bound(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1, queue_size=1)
    failures = [1]

    def fail_once() -> str:
        if failures:
            failures.pop()
            raise ValueError
        return "second"

    retried = tasks.add_task(fail_once)
    eventually(lambda: retried.attempts >= 1)
    tasks.pause()
    delayed = [tasks.add_task(add, n, delay_ms=1) for n in range(3)]
    waiting = eventually(lambda: _try(tasks))
    eventually(lambda: tasks.get_stats().normal_queue_size >= 3)
    tasks.resume()
    assert [handle.result(SOON) for handle in delayed] == [0, 1, 2]
    assert retried.result(SOON) == "second"
    assert waiting.result(SOON) == 1
    chain = tasks.chain_tasks([{"func": add, "args": (1,)}, add, add])
    assert chain.result(SOON) == 1


def _try(tasks: BackgroundTasks) -> Any:
    try:
        return tasks.add_task(add, 1)
    except QueueFull:
        return None


def test_unbounded(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1, queue_size=None)
    tasks.pause()
    for n in range(12_000):
        tasks.add_task(add, n)
    assert tasks.get_stats().queued_tasks == 12_000
    assert tasks.get_stats().queue_pressure == 0.0


def test_blocking_when_full_goes_on_when_there_is_room(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1, queue_size=1, on_full="block")
    gate = Gate()
    tasks.add_task(gate)
    gate.wait()
    tasks.add_task(add, 1)
    result: list[Any] = []
    started = threading.Event()

    def submit() -> None:
        started.set()
        result.append(tasks.add_task(add, 2))

    thread = threading.Thread(target=submit)
    thread.start()
    assert started.wait(SOON)
    thread.join(0.03)
    assert thread.is_alive()
    assert result == []
    gate.open()
    thread.join(SOON)
    assert result[0].result(SOON) == 2


def test_blocking_when_full_ends_with_a_timeout(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1, queue_size=1, on_full="block")
    tasks.full_timeout = 0.03
    tasks.pause()
    tasks.add_task(add, 1)
    with pytest.raises(QueueFull):
        tasks.add_task(add, 2)


def test_blocking_when_full_ends_with_the_engine(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1, queue_size=1, on_full="block")
    tasks.full_timeout = None
    tasks.pause()
    tasks.add_task(add, 1)
    errors: list[BaseException] = []

    def submit() -> None:
        try:
            tasks.add_task(add, 2)
        except EngineShutdown as error:
            errors.append(error)

    thread = threading.Thread(target=submit)
    thread.start()
    thread.join(0.03)
    assert thread.is_alive()
    tasks.close()
    thread.join(SOON)
    assert len(errors) == 1
    tasks.shut_down(True, SOON, True)


def test_blocking_with_more_than_can_ever_fit_raises_at_once(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1, queue_size=2, on_full="block")
    with pytest.raises(QueueFull, match="3 can never fit into 2"):
        tasks.add_batch([{"func": add, "args": (n,)} for n in range(3)])


def test_blocking_inside_a_worker_raises(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1, queue_size=1, on_full="block")

    def submit() -> str:
        tasks.add_task(add, 1)
        try:
            tasks.add_task(add, 2)
        except QueueFull:
            return "raised"
        return "queued"

    assert tasks.add_task(submit).result(SOON) == "raised"


def test_decorator_bare_and_with_options(tasks: BackgroundTasks) -> None:
    @tasks.task
    def bare(a: int) -> int:
        """Adds one."""
        return a + 1

    @tasks.task(priority="high", max_retries=0, tags=["decorated"], timeout_ms=None)
    def with_options(a: int, priority: str = "mine") -> Any:
        return a, priority, current_task().attempt  # type: ignore[union-attr]

    assert bare(1) == 2
    assert (bare.__name__, bare.__doc__) == ("bare", "Adds one.")
    assert bare.delay(2).result(SOON) == 3
    handle = with_options.delay(1, priority="argument")
    assert handle.result(SOON) == (1, "argument", 1)
    assert (handle.priority, handle.tags, handle.timeout) == (TaskPriority.HIGH, ("decorated",), None)


def test_add_task_of_a_decorated_function_inherits(tasks: BackgroundTasks) -> None:
    @tasks.task(priority="low", tags=["inherited"], max_retries=7)
    def decorated() -> str:
        return "ran"

    handle = tasks.add_task(decorated)
    assert (handle.priority, handle.tags) == (TaskPriority.LOW, ("inherited",))
    explicit = tasks.add_task(decorated, priority="high")
    assert (explicit.priority, explicit.tags) == (TaskPriority.HIGH, ("inherited",))
    [batched] = tasks.add_batch([{"func": decorated}])
    assert batched.priority == TaskPriority.LOW
    assert {h.result(SOON) for h in (handle, explicit, batched)} == {"ran"}


def test_decorated_method(tasks: BackgroundTasks) -> None:
    class Thing:
        def __init__(self) -> None:
            self.base = 10

        @tasks.task
        def method(self, a: int) -> int:
            return self.base + a

    thing = Thing()
    assert thing.method(1) == 11
    assert tasks.add_task(thing.method, 2).result(SOON) == 12


def test_a_function_named_like_an_option_still_gets_its_own_keywords(tasks: BackgroundTasks) -> None:
    handle = tasks.submit(lambda **kwargs: kwargs, priority=1, tags=2)
    assert handle.result(SOON) == {"priority": 1, "tags": 2}


def test_submitting_after_shutdown_raises(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks()
    tasks.add_task(add, 1).result(SOON)
    tasks.shutdown()
    for submit in (
        lambda: tasks.add_task(add, 1),
        lambda: tasks.add_task(add, 1, priority="high"),
        lambda: tasks.add_batch([{"func": add}]),
        lambda: tasks.chain_tasks([add]),
        lambda: tasks.parallel_tasks([add]),
    ):
        with pytest.raises(EngineShutdown):
            submit()


def test_wrong_arguments_of_the_function_fail_the_task(tasks: BackgroundTasks) -> None:
    handle = tasks.add_task(add, 1, 2, 3, max_retries=0)
    with pytest.raises(TaskExecutionError) as caught:
        handle.result(SOON)
    assert isinstance(caught.value.__cause__, TypeError)
    assert handle.status is TaskStatus.FAILED
