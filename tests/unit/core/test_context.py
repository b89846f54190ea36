"""Context variables of the submitter are visible in the task; what a task sets stays in it."""

from __future__ import annotations

import contextvars
from typing import Any

from brokerless import core
from tests.unit.rig import SOON, Rig

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")


def test_submitters_variables_are_visible(rig: Rig) -> None:
    rig.start(1)
    context = contextvars.copy_context()
    context.run(variable.set, "submitter")
    task = context.run(lambda: rig.engine.enqueue(variable.get, queue=rig.queue))
    other = contextvars.Context().run(lambda: rig.engine.enqueue(variable.get, queue=rig.queue))
    assert task.wait(SOON)
    assert other.wait(SOON)
    assert (task.value, other.value) == ("submitter", "default")


def test_every_way_in_captures(rig: Rig) -> None:
    rig.engine.set_defaults(lane=0, limit=0, timeout=None, options=None, queue=rig.queue)

    def read() -> str:
        return variable.get()

    def submit_all() -> list[Any]:
        variable.set("seen")
        engine = rig.engine
        return [
            engine.submit(read),
            engine.add_task(read),
            *engine.enqueue_many([{"func": read}] * 2, limit=0),
            engine.enqueue(read, queue=rig.queue, delay=0.001),
        ]

    tasks = contextvars.copy_context().run(submit_all)
    rig.start(1)
    rig.start_keeper()
    assert all(task.wait(SOON) for task in tasks)
    assert [task.value for task in tasks] == ["seen"] * 5


def test_the_snapshot_is_of_the_submit(rig: Rig) -> None:
    def submit() -> Any:
        variable.set("then")
        task = rig.engine.enqueue(variable.get, queue=rig.queue)
        variable.set("now")
        return task

    task = contextvars.copy_context().run(submit)
    rig.run()
    assert task.value == "then"


def test_context_false_does_not_capture(rig: Rig) -> None:
    rig.start(1)

    def submit() -> Any:
        variable.set("submitter")
        return rig.engine.enqueue(variable.get, queue=rig.queue, context=False)

    task = contextvars.copy_context().run(submit)
    assert task.wait(SOON)
    assert task.value == "default"


def test_what_a_task_sets_does_not_reach_the_next(rig: Rig) -> None:
    [_] = rig.start(1)

    def set_it() -> None:
        variable.set("left behind")

    def submit() -> tuple[Any, Any]:
        return rig.engine.enqueue(set_it, queue=rig.queue), rig.engine.enqueue(variable.get, queue=rig.queue)

    first, second = contextvars.Context().run(submit)
    assert second.wait(SOON)
    assert (first.state, second.value) == (core.COMPLETED, "default")


def test_the_context_is_entered_around_a_runner_too(rig: Rig) -> None:
    rig.engine.set_hooks(rig.queue, runner=lambda task: variable.get())

    def submit() -> Any:
        variable.set("submitter")
        return rig.engine.enqueue(rig.note, (1,), queue=rig.queue)

    task = contextvars.copy_context().run(submit)
    rig.run()
    assert task.value == "submitter"
