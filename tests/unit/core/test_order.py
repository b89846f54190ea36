"""The order in which tasks are taken: lanes, ageing, front, tombstones, listings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from brokerless import core
from tests.unit.rig import Gate, Rig


def put(rig: Rig, *values: Any, **options: Any) -> list[Any]:
    return [rig.engine.enqueue(rig.note, (value,), queue=rig.queue, **options) for value in values]


def test_fifo_inside_a_lane(rig: Rig) -> None:
    put(rig, *range(3000), lane=2)
    assert rig.run() == 3000
    assert rig.ran == list(range(3000))


def test_fifo_past_a_tiny_ring(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(ring_size=4)
    put(rig, *range(10), lane=2)
    assert rig.run(max_tasks=3) == 3
    put(rig, *range(10, 50), lane=2)
    rig.run()
    assert rig.ran == list(range(50))


def test_higher_lane_first(rig: Rig) -> None:
    for lane in (3, 1, 2, 0):
        put(rig, (lane, "a"), (lane, "b"), lane=lane)
    rig.run()
    assert rig.ran == [(lane, letter) for lane in range(4) for letter in "ab"]


def one_worker_over(rig: Rig, high: int, low: int) -> list[Any]:
    """`high` tasks in lane 1 and `low` in lane 3, all there before the one worker takes its first."""
    gate = Gate()
    rig.engine.enqueue(gate, queue=rig.queue, lane=0)
    rig.start(1)
    gate.wait()
    put(rig, *["high"] * high, lane=1)
    put(rig, *["low"] * low, lane=3)
    gate.open()
    assert rig.engine.drain(20)
    return rig.ran


def test_every_64th_take_starts_at_the_lowest_lane(rig: Rig) -> None:
    ran = one_worker_over(rig, 300, 3)
    places = [place for place, value in enumerate(ran) if value == "low"]
    assert len(places) == 3
    # The gate was the first take, so the 64th is the 63rd of these.
    assert places == [62, 126, 190]


def test_ageing_interval_can_be_set(make_rig: Callable[..., Rig]) -> None:
    ran = one_worker_over(make_rig(aging=8), 100, 2)
    assert [place for place, value in enumerate(ran) if value == "low"] == [6, 14]


def test_ageing_none_is_strict(make_rig: Callable[..., Rig]) -> None:
    ran = one_worker_over(make_rig(aging=None), 300, 3)
    assert ran[-3:] == ["low"] * 3


def test_front_is_before_every_lane_and_last_in_first_out(rig: Rig) -> None:
    put(rig, "critical", lane=0)
    put(rig, "front 1", "front 2", lane=3, front=True)
    rig.run()
    assert rig.ran == ["front 2", "front 1", "critical"]


def test_tombstones_are_skipped_and_not_counted(rig: Rig) -> None:
    tasks = put(rig, *range(6), lane=2)
    front = put(rig, "front", lane=2, front=True)[0]
    assert tasks[0].withdraw()
    assert tasks[3].withdraw()
    assert front.withdraw()
    assert rig.engine.queued(rig.queue) == 4
    assert rig.engine.queued(rig.queue, 2) == 4
    assert rig.run() == 4
    assert rig.ran == [1, 2, 4, 5]
    assert rig.engine.queued(rig.queue) == 0


def test_listing_and_position(rig: Rig) -> None:
    low = put(rig, "low", lane=3)[0]
    normal = put(rig, "normal 1", "normal 2", lane=2)
    front = put(rig, "front 1", "front 2", lane=3, front=True)
    gone = put(rig, "gone", lane=1)[0]
    gone.withdraw()
    expected = [front[1], front[0], *normal, low]
    assert rig.engine.pending(rig.queue) == expected
    assert [rig.engine.position(task) for task in expected] == [0, 1, 2, 3, 4]
    assert rig.engine.position(gone) is None
    rig.run(max_tasks=2)
    assert rig.engine.position(front[0]) is None
    assert rig.engine.position(low) == 2
    rig.run()
    assert rig.ran == ["front 2", "front 1", "normal 1", "normal 2", "low"]
    assert rig.engine.pending(rig.queue) == []


def test_listing_past_a_tiny_ring(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(ring_size=4)
    tasks = put(rig, *range(20), lane=2)
    assert rig.engine.pending(rig.queue) == tasks
    rig.run(max_tasks=7)
    tasks += put(rig, *range(20, 25), lane=2)
    assert rig.engine.pending(rig.queue) == tasks[7:]
    assert rig.engine.position(tasks[24]) == 17


def test_queued_counts_per_lane(rig: Rig) -> None:
    put(rig, 1, 2, 3, lane=1)
    put(rig, 4, lane=3)
    counts = [rig.engine.queued(rig.queue, lane) for lane in range(4)]
    assert counts == [0, 3, 0, 1]
    assert rig.engine.queued(rig.queue) == 4


def test_queues_are_taken_in_subscription_order(rig: Rig) -> None:
    other = rig.engine.add_queue(1)
    put(rig, "first queue, low", lane=3)
    rig.engine.enqueue(rig.note, ("second queue",), queue=other, lane=0)
    rig.engine.run_until_empty([other, rig.queue])
    assert rig.ran == ["second queue", "first queue, low"]


def test_rotating_group_takes_from_its_queues_in_turn(rig: Rig) -> None:
    other = rig.engine.add_queue(1)
    gate = Gate()
    rig.engine.subscribe(rig.group, [rig.queue, other])
    rig.engine.rotate(rig.group, True)
    rig.engine.enqueue(gate, queue=rig.queue)
    rig.start(1)
    gate.wait()
    put(rig, "a1", "a2", "a3")
    for value in ("b1", "b2", "b3"):
        rig.engine.enqueue(rig.note, (value,), queue=other)
    gate.open()
    assert rig.engine.drain(10)
    assert sorted(rig.ran) == ["a1", "a2", "a3", "b1", "b2", "b3"]
    assert [value[0] for value in rig.ran] in (list("ababab"), list("bababa"))
    assert rig.ran.index("a1") < rig.ran.index("a2") < rig.ran.index("a3")


@pytest.mark.parametrize("lanes", [1, 4, 10])
def test_number_of_lanes(make_rig: Callable[..., Rig], lanes: int) -> None:
    rig = make_rig(lanes=lanes)
    for lane in reversed(range(lanes)):
        put(rig, lane, lane=lane)
    rig.run()
    assert rig.ran == list(range(lanes))
    with pytest.raises(ValueError, match=str(lanes)):
        put(rig, "no such lane", lane=lanes)


@pytest.mark.parametrize("lanes", [0, 17, -1])
def test_impossible_number_of_lanes(rig: Rig, lanes: int) -> None:
    with pytest.raises((ValueError, OverflowError)):
        rig.engine.add_queue(lanes)


def test_run_until_empty_stops_at_max_tasks_and_runs_what_tasks_submit(rig: Rig) -> None:
    def spawn(depth: int) -> None:
        rig.ran.append(depth)
        if depth:
            rig.engine.enqueue(spawn, (depth - 1,), queue=rig.queue)

    rig.engine.enqueue(spawn, (3,), queue=rig.queue)
    assert rig.run(max_tasks=2) == 2
    assert rig.ran == [3, 2]
    assert rig.run() == 2
    assert rig.ran == [3, 2, 1, 0]
    assert rig.run() == 0


def test_claim_and_perform(rig: Rig) -> None:
    assert rig.engine.claim([rig.queue]) is None
    task = put(rig, "claimed")[0]
    claimed = rig.engine.claim([rig.queue], 0)
    assert claimed is task
    assert task.state == core.RUNNING
    assert task.attempt == 1
    assert rig.ran == []
    assert not task.withdraw()
    rig.engine.perform(task)
    assert task.state == core.COMPLETED
    assert rig.ran == ["claimed"]
    with pytest.raises(ValueError):
        rig.engine.perform(task)


@pytest.mark.parametrize(
    "arguments", [{"task_type": int}, {"ring_size": 0}, {"aging": -1}, {"task_type": "Task"}, {"unknown": 1}]
)
def test_wrong_arguments_of_the_engine(arguments: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        core.Engine(**arguments)
