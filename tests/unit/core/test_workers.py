"""Groups of worker threads: subscriptions, pausing, the reserve, leaving; and claiming with a wait."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import core
from tests.unit.rig import SOON, WITHOUT_GIL, Gate, Rig, eventually


def test_two_workers_run_two_tasks_at_once(rig: Rig) -> None:
    rig.start(2)
    barrier = threading.Barrier(2, timeout=SOON)
    tasks = [rig.engine.enqueue(barrier.wait, queue=rig.queue) for _ in range(2)]
    assert all(task.wait(SOON) for task in tasks)
    assert [task.state for task in tasks] == [core.COMPLETED] * 2


def test_a_group_follows_its_subscription(rig: Rig) -> None:
    other = rig.engine.add_queue(1)
    rig.start(1)
    waiting = rig.engine.enqueue(rig.note, ("other",), queue=other)
    assert rig.engine.enqueue(rig.note, ("own",), queue=rig.queue).wait(SOON)
    assert waiting.state == core.QUEUED
    rig.engine.subscribe(rig.group, [other])
    assert waiting.wait(SOON)
    left = rig.engine.enqueue(rig.note, ("own again",), queue=rig.queue)
    assert rig.engine.enqueue(rig.note, ("other again",), queue=other).wait(SOON)
    assert left.state == core.QUEUED
    rig.engine.subscribe(rig.group, [other, rig.queue])
    assert left.wait(SOON)


def test_subscription_to_nothing_leaves_the_work(rig: Rig) -> None:
    rig.start(1)
    rig.engine.subscribe(rig.group, [])
    task = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    assert not task.wait(0.02)
    rig.engine.subscribe(rig.group, [rig.queue])
    assert task.wait(SOON)


@pytest.mark.parametrize("wrong", [[7], [-1]])
def test_subscription_to_an_unknown_queue_is_refused(rig: Rig, wrong: list[int]) -> None:
    with pytest.raises((ValueError, OverflowError)):
        rig.engine.subscribe(rig.group, wrong)


def test_paused_group_takes_nothing_and_goes_on_when_resumed(rig: Rig) -> None:
    rig.start(2)
    rig.engine.pause_group(rig.group, True)
    tasks = [rig.engine.enqueue(rig.note, (n,), queue=rig.queue) for n in range(20)]
    assert not tasks[-1].wait(0.02)
    assert rig.ran == []
    rig.engine.pause_group(rig.group, False)
    assert all(task.wait(SOON) for task in tasks)


def test_pausing_one_group_leaves_the_work_to_the_other(rig: Rig) -> None:
    second = rig.engine.add_group()
    rig.engine.subscribe(second, [rig.queue])
    rig.start(1)
    rig.start(1, group=second)
    rig.engine.pause_group(rig.group, True)
    tasks = [rig.engine.enqueue(rig.note, (n,), queue=rig.queue) for n in range(50)]
    assert all(task.wait(SOON) for task in tasks)


def test_reserve_group_serves_lane_0_only_when_nobody_else_is_idle(rig: Rig) -> None:
    reserve = rig.engine.add_group(reserve=True)
    rig.engine.subscribe(reserve, [rig.queue])
    rig.start(1)
    [extra] = rig.start(1, group=reserve)
    names: list[str] = []

    def who() -> None:
        names.append(threading.current_thread().name)

    eventually(lambda: rig.engine.worker_info(extra)["thread_id"])
    gate = Gate()
    rig.engine.enqueue(gate, queue=rig.queue, lane=2)
    gate.wait()
    normal = rig.engine.enqueue(who, queue=rig.queue, lane=1)
    critical = rig.engine.enqueue(who, queue=rig.queue, lane=0)
    assert critical.wait(SOON), "the reserve did not serve"
    assert normal.state == core.QUEUED
    assert names == [rig.threads[1].name]
    gate.open()
    assert normal.wait(SOON)
    assert names == [rig.threads[1].name, rig.threads[0].name]


def test_need_reserve_is_asked_only_when_nobody_is_idle(make_rig: Callable[..., Rig]) -> None:
    asked = threading.Event()

    class Asking(core.Engine):
        def _need_reserve(self) -> None:
            asked.set()

    rig = make_rig(engine_type=Asking)
    rig.start(1)
    gate = Gate()
    rig.engine.enqueue(gate, queue=rig.queue, lane=2)
    gate.wait()
    rig.engine.enqueue(rig.note, (2,), queue=rig.queue, lane=2)
    assert not asked.is_set()
    critical = rig.engine.enqueue(rig.note, (0,), queue=rig.queue, lane=0)
    assert asked.is_set()
    gate.open()
    assert critical.wait(SOON)


def test_stop_worker_leaves_after_its_task(rig: Rig) -> None:
    busy, idle = rig.start(2)
    gate = Gate()
    rig.engine.pause_group(rig.group, True)
    rig.engine.pause_group(rig.group, False)
    task = rig.engine.enqueue(gate, ("done",), queue=rig.queue)
    gate.wait()
    running = eventually(lambda: [w for w in rig.engine.workers() if rig.engine.worker_info(w)["busy"]])[0]
    other = idle if running == busy else busy
    rig.engine.stop_worker(other)
    eventually(lambda: rig.engine.workers() == [running], "the sleeping worker to leave")
    rig.engine.stop_worker(running)
    assert rig.engine.workers() == [running]
    gate.open()
    assert task.wait(SOON)
    assert task.value == "done"
    eventually(lambda: rig.engine.workers() == [])


def test_worker_numbers_are_used_again(rig: Rig) -> None:
    first = rig.start(2)
    rig.engine.stop_worker(first[0])
    eventually(lambda: rig.engine.workers() == [first[1]])
    assert rig.start(1) == [first[0]]


def test_work_needs_a_free_worker(rig: Rig) -> None:
    [worker] = rig.start(1)
    eventually(lambda: rig.engine.worker_info(worker)["thread_id"])
    with pytest.raises(ValueError):
        rig.engine.work(worker)
    with pytest.raises(ValueError):
        rig.engine.work(worker + 7)
    assert rig.engine.worker_info(worker + 7) is None


def test_worker_info(rig: Rig) -> None:
    [worker] = rig.start(1)
    gate = Gate()
    task = rig.engine.enqueue(gate, queue=rig.queue)
    gate.wait()
    info = rig.engine.worker_info(worker)
    assert (info["id"], info["group"], info["busy"], info["task"]) == (worker, rig.group, True, task)
    assert info["attempt"] == 1
    assert info["thread_id"] == rig.threads[0].ident
    assert abs(info["started_at"] - time.time()) < 60
    assert info["uptime_seconds"] >= 0
    assert not info["stuck"]
    gate.open()
    assert task.wait(SOON)
    rig.engine.enqueue(int, ("no number",), queue=rig.queue).wait(SOON)
    info = eventually(lambda: (found := rig.engine.worker_info(worker))["failed"] == 1 and found)
    assert (info["completed"], info["failed"], info["cancelled"], info["retried"]) == (1, 1, 0, 0)
    assert not info["busy"]
    assert info["task"] is None
    assert info["busy_seconds"] > 0


def test_closed_engine_takes_nothing_and_its_workers_leave_when_empty(rig: Rig) -> None:
    gate = Gate()
    rig.start(1)
    rig.engine.enqueue(gate, queue=rig.queue)
    gate.wait()
    waiting = [rig.engine.enqueue(rig.note, (n,), queue=rig.queue) for n in range(5)]
    assert rig.engine.closed is False
    rig.engine.close()
    assert rig.engine.closed is True
    with pytest.raises(Exception) as caught:
        rig.engine.enqueue(rig.note, ("late",), queue=rig.queue)
    assert type(caught.value).__name__ in ("Closed", "EngineShutdown")
    gate.open()
    assert all(task.wait(SOON) for task in waiting)
    rig.threads[0].join(SOON)
    assert not rig.threads[0].is_alive()
    assert rig.ran == list(range(5))


def test_every_submit_of_a_closed_engine_is_refused(rig: Rig) -> None:
    rig.engine.close()
    for submit in (
        lambda: rig.engine.submit(rig.note, 1),
        lambda: rig.engine.add_task(rig.note, 1),
        lambda: rig.engine.enqueue_many([{"func": rig.note, "args": (1,)}], limit=0),
    ):
        with pytest.raises(Exception) as caught:
            submit()
        assert type(caught.value).__name__ in ("Closed", "EngineShutdown")
    assert rig.engine.outstanding() == 0


def test_stopped_workers_leave_the_rest(rig: Rig) -> None:
    gate = Gate()
    rig.start(1)
    running = rig.engine.enqueue(gate, queue=rig.queue)
    gate.wait()
    left = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    rig.engine.stop()
    gate.open()
    rig.threads[0].join(SOON)
    assert not rig.threads[0].is_alive()
    assert running.state == core.COMPLETED
    assert left.state == core.QUEUED


def test_idle_workers_leave_at_close(rig: Rig) -> None:
    rig.start(3)
    rig.engine.enqueue(rig.note, (1,), queue=rig.queue).wait(SOON)
    rig.engine.close()
    for thread in rig.threads:
        thread.join(SOON)
        assert not thread.is_alive()
    assert rig.engine.workers() == []


def test_a_stuck_worker_leaves_when_it_returns(rig: Rig) -> None:
    [worker] = rig.start(1)
    gate = Gate()
    task = rig.engine.enqueue(gate, ("late",), queue=rig.queue)
    gate.wait()
    assert task.fail(1, TimeoutError())
    assert rig.engine.abandon(worker)
    assert rig.engine.worker_info(worker)["stuck"]
    rig.start(1)
    following = rig.engine.enqueue(rig.note, ("by the other",), queue=rig.queue)
    assert following.wait(SOON)
    gate.open()
    rig.threads[0].join(SOON)
    assert not rig.threads[0].is_alive()
    assert task.state == core.FAILED
    assert worker not in rig.engine.workers()


def test_a_stuck_worker_that_just_returned_leaves(rig: Rig) -> None:
    [worker] = rig.start(1)
    assert rig.engine.enqueue(rig.note, (1,), queue=rig.queue).wait(SOON)
    eventually(lambda: not rig.engine.worker_info(worker)["busy"])
    assert rig.engine.abandon(worker)
    rig.threads[0].join(SOON)
    assert not rig.threads[0].is_alive()
    assert not rig.engine.abandon(worker)


def test_claim_waits_for_a_task(rig: Rig) -> None:
    got: list[Any] = []
    waiter = threading.Thread(target=lambda: got.append(rig.engine.claim([rig.queue], SOON)))
    waiter.start()
    task = rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    waiter.join(SOON)
    assert got == [task]
    assert task.state == core.RUNNING
    rig.engine.perform(task)


def test_claim_gives_up_after_its_timeout(rig: Rig) -> None:
    start = time.monotonic()
    assert rig.engine.claim([rig.queue], 0.03) is None
    assert time.monotonic() - start >= 0.02


def test_claimers_share_the_work(rig: Rig) -> None:
    got: list[Any] = []

    def take() -> None:
        task = rig.engine.claim([rig.queue], SOON)
        rig.engine.perform(task)
        got.append(task)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    tasks = [rig.engine.enqueue(rig.note, (n,), queue=rig.queue) for n in range(4)]
    for thread in threads:
        thread.join(SOON)
    assert sorted(task.id for task in got) == [task.id for task in tasks]
    assert sorted(rig.ran) == [0, 1, 2, 3]


def test_drain_waits_for_what_runs_and_what_waits(rig: Rig) -> None:
    gate = Gate()
    rig.start(1)
    rig.engine.enqueue(gate, queue=rig.queue)
    rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    gate.wait()
    assert rig.engine.outstanding() == 2
    assert not rig.engine.drain(0.02)
    gate.open()
    assert rig.engine.drain(SOON)
    assert rig.engine.outstanding() == 0
    assert rig.ran == [1]


@pytest.mark.skipif(WITHOUT_GIL, reason="without a GIL there is no turn that it could take away")
def test_hundred_thousand_builtin_tasks_leave_the_main_thread_its_turn(rig: Rig) -> None:
    """C callables never give the interpreter lock away by themselves; the worker has to."""
    rig.engine.pause_group(rig.group, True)
    rig.start(1)
    count = 100_000 if core.CORE == "native" else 20_000
    rig.engine.enqueue_many([(abs, (-1,), None, 0, None, None, None, None, None, rig.queue)] * count, limit=0)
    interval = sys.getswitchinterval()
    beats = [time.perf_counter()]
    rig.engine.pause_group(rig.group, False)
    while rig.engine.queued(rig.queue):
        beats.append(time.perf_counter())
    assert rig.engine.drain(SOON)
    gaps = sorted(after - before for before, after in itertools.pairwise(beats))
    assert len(gaps) >= 3
    # A busy machine takes the processor away now and then; that is not the engine's doing.
    late = [gap for gap in gaps if gap > 3 * interval]
    assert len(late) <= max(1, len(gaps) // 20), f"{len(late)} of {len(gaps)} gaps, the longest {gaps[-1]:.3f} s"
