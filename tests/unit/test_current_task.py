"""current_task() and the submitter's context variables inside a task."""

from __future__ import annotations

import contextvars

from brokerless import BackgroundTasks, current_task
from tests.unit.rig import SOON

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="default")


def test_outside_of_tasks_there_is_none() -> None:
    assert current_task() is None


def test_what_a_task_can_say_about_itself(tasks: BackgroundTasks) -> None:
    def work() -> tuple[str, int]:
        task = current_task()
        assert task is not None
        task.set_progress(1, 4, "first quarter")
        task.log("one")
        task.log("two")
        assert not task.is_cancelled()
        return task.task_id, task.attempt

    handle = tasks.add_task(work)
    assert handle.result(SOON) == (handle.task_id, 1)
    assert handle.logs == ["one", "two"]
    progress = handle.progress
    assert progress is not None
    assert (progress.current, progress.total, progress.message, progress.percent) == (1, 4, "first quarter", 25.0)


def test_progress_is_visible_while_it_runs(tasks: BackgroundTasks) -> None:
    from tests.unit.rig import Gate

    gate = Gate()

    def work() -> None:
        task = current_task()
        assert task is not None
        task.set_progress(3)
        gate()

    handle = tasks.add_task(work)
    gate.wait()
    assert handle.progress is not None
    assert handle.progress.current == 3
    assert handle.progress.percent is None
    gate.open()
    assert handle.result(SOON) is None


def test_only_the_last_thousand_lines_are_kept(tasks: BackgroundTasks) -> None:
    def chatty() -> None:
        task = current_task()
        assert task is not None
        for n in range(1500):
            task.log(str(n))

    handle = tasks.add_task(chatty)
    handle.result(SOON)
    assert handle.logs == [str(n) for n in range(500, 1500)]


def test_context_variables_of_the_submitter(tasks: BackgroundTasks) -> None:
    context = contextvars.copy_context()
    context.run(variable.set, "submitter")
    for submit in (
        lambda: tasks.add_task(variable.get),
        lambda: tasks.add_task(variable.get, priority="high"),
        lambda: tasks.add_batch([{"func": variable.get}])[0],
        lambda: tasks.add_task(variable.get, delay_ms=1),
        lambda: tasks.chain_tasks([lambda: 1, lambda _: variable.get()]),
        lambda: tasks.parallel_tasks([variable.get, variable.get], max_parallelism=1),
    ):
        assert context.run(submit).result(SOON) in ("submitter", ["submitter", "submitter"])
    assert contextvars.Context().run(tasks.add_task, variable.get).result(SOON) == "default"


def test_tasks_do_not_see_each_others_variables(tasks: BackgroundTasks) -> None:
    for _ in range(4):
        tasks.add_task(variable.set, "left behind").result(SOON)
        assert tasks.add_task(variable.get).result(SOON) == "default"
