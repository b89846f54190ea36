"""What only an interpreter without a GIL asks of the extension: it leaves the GIL off, and what callers change at the
same moment is used safely. The races run on every interpreter; only there do they overlap.
"""

from __future__ import annotations

import sysconfig
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import core
from tests.unit.rig import SOON, Rig, python_ok

free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


@pytest.mark.skipif(not free_threaded, reason="this interpreter has a GIL that is always on")
def test_importing_leaves_the_gil_off() -> None:
    out = python_ok(
        """
import sys
before = sys._is_gil_enabled()
import brokerless
from brokerless.core import CORE
brokerless.BackgroundTasks(2).add_task(abs, -1).result(10)
print(CORE, before, sys._is_gil_enabled())
""",
        PYTHONWARNINGS="error",  # it is a warning that says that an import switched the GIL on
        PYTHON_GIL="",  # nothing decided beforehand
        BROKERLESS_CORE="native",
    )
    assert out.split() == ["native", "False", "False"]


def beside(change: Callable[[int], Any], use: Callable[[int], Any], rounds: int = 2000) -> None:
    """`change` in one thread as long as two others call `use` `rounds` times; the first error is raised here."""
    over = threading.Event()
    errors: list[BaseException] = []

    def guarded(main: Callable[[], None]) -> None:
        try:
            main()
        except BaseException as error:
            errors.append(error)

    def changing() -> None:
        number = 0
        while not over.is_set():
            change(number)
            number += 1

    def using() -> None:
        for number in range(rounds):
            use(number)

    changer = threading.Thread(target=guarded, args=(changing,))
    users = [threading.Thread(target=guarded, args=(using,)) for _ in range(2)]
    for thread in (changer, *users):
        thread.start()
    for thread in users:
        thread.join(60)
    over.set()
    changer.join(SOON)
    assert not errors, errors[0]


def test_hooks_replaced_while_they_are_called() -> None:
    with Rig() as rig:
        called: list[int] = []

        def change(number: int) -> None:
            note = None if number % 3 == 0 else lambda *_: called.append(number)
            run = None if number % 2 else lambda _: number
            rig.engine.set_hooks(rig.queue, on_submit=note, on_push=note, runner=run, on_start=note, on_finish=note)

        rig.start(2)
        beside(change, lambda _: rig.engine.enqueue(abs, (-1,), queue=rig.queue, keep=False))
        assert rig.engine.drain(SOON)
        assert called


def test_defaults_replaced_while_tasks_are_submitted() -> None:
    with Rig() as rig:

        def change(number: int) -> None:
            rig.engine.set_defaults(lane=1, limit=0, timeout=None, options=[number], queue=rig.queue)

        change(0)
        seen: list[Any] = []
        rig.start(1)
        beside(change, lambda _: seen.append(rig.engine.add_task(abs, -1).options))
        assert rig.engine.drain(SOON)
        assert all(type(options) is list and len(options) == 1 for options in seen)


def take(**_: Any) -> None:
    pass


def test_arguments_and_items_changed_while_they_are_submitted() -> None:
    with Rig() as rig:
        shared: dict[str, Any] = {}
        item: dict[str, Any] = {"func": take, "kwargs": shared}
        items = [item] * 4

        def change(number: int) -> None:
            shared[f"key {number % 50}"] = object()
            if number % 50 == 49:
                shared.clear()
            item["kwargs"] = dict(shared)
            items[number % 4 :] = [item] * (number % 7)

        def use(_: int) -> None:
            rig.engine.enqueue(take, (), shared, queue=rig.queue, keep=False)
            rig.engine.enqueue_many(items)

        rig.engine.set_defaults(lane=1, limit=0, timeout=None, options=None, queue=rig.queue)
        rig.start(2)
        beside(change, use, 300)
        assert rig.engine.drain(SOON)


def test_a_task_with_an_expiry_that_ends_at_once_leaves_no_timer_behind() -> None:
    with Rig() as rig:
        rig.start(2)
        for _ in range(3000):
            rig.engine.enqueue(abs, (-1,), queue=rig.queue, expires=3600.0, keep=False)
        assert rig.engine.drain(SOON)
        assert rig.engine.totals()["scheduled"] == 0


SUBMITS: dict[str, Callable[[Rig], Any]] = {
    "submit": lambda rig: rig.engine.submit(rig.note, 1),
    "add_task": lambda rig: rig.engine.add_task(rig.note, 1),
    "front": lambda rig: rig.engine.enqueue(rig.note, (1,), queue=rig.queue, front=True),
    "delayed": lambda rig: rig.engine.enqueue(rig.note, (1,), queue=rig.queue, delay=3600.0),
    "expiring": lambda rig: rig.engine.enqueue(rig.note, (1,), queue=rig.queue, expires=3600.0),
    "batch": lambda rig: rig.engine.enqueue_many(
        [(rig.note, (n,), None, 1, None, None, None, None, None, rig.queue) for n in range(3)]
    ),
}


@pytest.mark.parametrize("end", ["close", "stop"])
@pytest.mark.parametrize("name", SUBMITS)
def test_a_submit_that_an_end_overtakes_leaves_nothing_pending(name: str, end: str) -> None:
    """The submit has seen an open engine; before its task is in a lane the engine is closed and its workers are gone."""
    with Rig() as rig:
        rig.start(2)
        seen: list[Any] = []

        def overtake(task: Any) -> None:
            if not seen:
                getattr(rig.engine, end)()
                for thread in rig.threads:
                    thread.join(SOON)
            seen.append(task)

        rig.engine.set_hooks(rig.queue, on_submit=overtake)
        with pytest.raises(Exception) as caught:
            SUBMITS[name](rig)
        assert type(caught.value).__name__ in ("Closed", "EngineShutdown")
        assert {task.state for task in seen} == {core.CANCELLED} and rig.ran == []
        assert rig.engine.drain(SOON) and rig.engine.totals()["scheduled"] == 0
        if end == "stop":
            assert rig.engine.discard() == 0


class Second:
    def __str__(self) -> str:
        return "second"


class Blocking:
    """A file whose first write does not end until it may."""

    def __init__(self) -> None:
        self.inside = threading.Event()
        self.go_on = threading.Event()
        self.text = ""

    def write(self, text: str) -> None:
        self.inside.set()
        assert self.go_on.wait(SOON)
        self.text += text


def test_arguments_of_a_stuck_call_outlive_the_attempt_that_completes() -> None:
    """A C function has no references of its own to what it was given: print() reads `second` after the first write."""
    with Rig() as rig:
        file, second = Blocking(), Second()
        gone = weakref.ref(second)
        task = rig.engine.enqueue(print, ("first", second), {"file": file}, queue=rig.queue, timeout=60.0)
        del second
        rig.start(1)
        assert file.inside.wait(SOON)
        assert task.finish(task.attempt, "by another")  # lets go of function and arguments
        alive = gone() is not None
        file.go_on.set()
        assert rig.engine.drain(SOON)
        assert (alive, task.value) == (True, "by another")
    assert file.text == "first second\n"
