"""What the engine remembers of finished tasks, and for how long; letting go of what has not started."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

from brokerless import core
from tests.unit.rig import Rig


class Argument:
    pass


def put(rig: Rig, *values: Any, **options: Any) -> list[Any]:
    return [rig.engine.enqueue(rig.note, (value,), queue=rig.queue, **options) for value in values]


def test_all_known_tasks_oldest_first(rig: Rig) -> None:
    tasks = put(rig, *range(5), lane=3) + put(rig, 5, lane=0) + put(rig, 6, delay=100.0)
    assert rig.engine.tasks() == tasks
    rig.run()
    assert rig.engine.tasks() == tasks


def test_keep_false_is_forgotten_at_the_end(rig: Rig) -> None:
    kept, forgotten, withdrawn = put(rig, "kept") + put(rig, "a", "b", keep=False)
    assert rig.engine.get(forgotten.id) is forgotten
    withdrawn.withdraw()
    rig.run()
    assert rig.engine.tasks() == [kept]
    assert rig.engine.get(forgotten.task_id) is None
    assert forgotten.value == "a", "the handle itself stays usable"


def test_the_cap_lets_the_oldest_finished_go(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(result_max=3)
    tasks = put(rig, *range(6))
    waiting = put(rig, "waiting", delay=100.0)
    rig.run()
    assert rig.engine.tasks() == tasks[3:] + waiting
    assert rig.engine.totals()["retained"] == 3
    assert rig.engine.get(tasks[0].id) is None
    assert tasks[0].value == 0


def test_a_cap_of_zero_keeps_nothing(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(result_max=0)
    put(rig, 1, 2)
    rig.run()
    assert rig.engine.tasks() == []
    assert rig.ran == [1, 2]


def test_results_age(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(result_ttl=60.0)
    rig.engine.set_now(1000.0)
    old = put(rig, "old")
    rig.run()
    rig.engine.set_now(1030.0)
    young = put(rig, "young")
    rig.run()
    rig.engine.set_now(1059.0)
    assert rig.engine.age() == 0
    rig.engine.set_now(1060.0)
    assert rig.engine.age() == 1
    assert rig.engine.tasks() == young
    rig.engine.set_now(1200.0)
    assert rig.engine.age() == 1
    assert rig.engine.tasks() == []
    assert old[0].value == "old"


def test_without_a_ttl_nothing_ages(rig: Rig) -> None:
    rig.engine.set_now(1000.0)
    put(rig, 1)
    rig.run()
    rig.engine.set_now(1e9)
    assert rig.engine.age() == 0
    assert len(rig.engine.tasks()) == 1


def test_arguments_of_a_completed_task_are_let_go(rig: Rig) -> None:
    argument = Argument()
    gone = weakref.ref(argument)
    task = rig.engine.enqueue(id, (argument,), queue=rig.queue)
    del argument
    assert gone() is not None
    rig.run()
    gc.collect()
    assert gone() is None
    assert task.args is None


def test_a_forgotten_task_is_freed(rig: Rig) -> None:
    value = Argument()
    gone = weakref.ref(value)
    rig.engine.enqueue(lambda v: v, (value,), queue=rig.queue, keep=False)
    del value
    rig.run()
    gc.collect()
    assert gone() is None


def test_an_engine_without_tasks_can_be_collected() -> None:
    class Subclass(core.Engine):
        pass

    rig = Rig(engine_type=Subclass)
    put(rig, 1, 2)
    rig.run()
    put(rig, 3, delay=100.0)
    rig.engine.stop()
    assert rig.engine.discard() == 1
    gone = weakref.ref(rig.engine)
    rig.close()
    del rig
    gc.collect()
    assert gone() is None


def test_discard_cancels_what_has_not_started(rig: Rig) -> None:
    seen: list[Any] = []
    queued = put(rig, 1, 2, lane=1) + put(rig, 3, expires=50.0) + put(rig, 4, front=True)
    delayed = put(rig, 5, delay=10.0)
    claimed = rig.engine.claim([rig.queue])
    assert claimed is queued[3]
    for task in queued + delayed:
        task.add_callback(seen.append)
    rig.engine.discard()
    cancelled = queued[:3] + delayed
    assert {task.state for task in cancelled} == {core.CANCELLED}
    assert sorted(task.id for task in seen) == [task.id for task in cancelled]
    assert claimed.state == core.RUNNING
    assert rig.engine.outstanding() == 1
    assert rig.engine.queued(rig.queue) == 0
    assert rig.engine.delayed() == []
    rig.engine.perform(claimed)
    assert rig.engine.drain(0)
