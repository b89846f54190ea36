"""hold(): a running attempt gives its number up, so that its thread cannot end the task any more."""

from __future__ import annotations

from typing import Any

from brokerless import core
from tests.unit.rig import SOON, Gate, Rig


def test_a_held_attempt_can_no_longer_end_the_task(rig: Rig) -> None:
    rig.start(1)
    gate = Gate()
    task = rig.engine.enqueue(gate, ("late",), queue=rig.queue)
    assert not task.hold(0)
    gate.wait()
    assert not task.hold(2)
    assert task.hold(1)
    assert not task.hold(1)
    assert (task.state, task.attempt) == (core.RUNNING, 2)
    [worker] = rig.engine.workers()
    assert rig.engine.worker_info(worker)["attempt"] == 1
    gate.open()
    assert rig.engine.enqueue(rig.note, (1,), queue=rig.queue).wait(SOON)
    assert task.state == core.RUNNING
    error = TimeoutError()
    assert not task.fail(1, error)
    assert task.fail(2, error)
    assert (task.state, task.error) == (core.FAILED, error)


def test_a_stale_failure_asks_no_policy(make_rig: Any) -> None:
    asked: list[Any] = []

    class Asking(core.Engine):
        def _failed(self, task: Any, error: BaseException) -> None:
            asked.append(error)

    rig = make_rig(engine_type=Asking)

    def hold_and_raise() -> None:
        core.current().hold(1)
        raise ValueError("from the stale attempt")

    task = rig.engine.enqueue(hold_and_raise, queue=rig.queue)
    rig.run()
    assert asked == []
    assert task.state == core.RUNNING
    assert not task.failed_attempt(1, KeyError())
    error = KeyError("from the holder")
    assert task.failed_attempt(2, error)
    assert asked == [error]
    assert task.state == core.FAILED
