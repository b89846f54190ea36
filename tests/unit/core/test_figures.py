"""Counts, rates and quantiles: they come from what happened."""

from __future__ import annotations

import pytest

from brokerless import core
from tests.unit.rig import Rig

COUNTS = ("submitted", "completed", "failed", "cancelled", "retried", "expired", "scheduled", "retained")


def test_a_new_engine_has_counted_nothing(rig: Rig) -> None:
    totals = rig.engine.totals()
    assert [totals[name] for name in COUNTS] == [0] * 8
    assert totals["busy_seconds"] == 0.0
    assert totals["submit_rate"] == totals["finish_rate"] == [0] * 16
    assert totals["overflows"] == 0
    assert rig.engine.run_quantiles([0.5, 0.99]) == [None, None]
    assert rig.engine.wait_quantiles(0, [0.5]) == [None]


def test_counts(rig: Rig) -> None:
    rig.engine.set_now(1000.0)
    for _ in range(5):
        rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    for _ in range(2):
        rig.engine.enqueue(int, ("no number",), queue=rig.queue)
    rig.engine.enqueue(rig.note, (1,), queue=rig.queue).withdraw()
    rig.engine.enqueue(rig.note, (1,), queue=rig.queue, expires=1.0)
    rig.engine.enqueue(rig.note, (1,), queue=rig.queue, delay=500.0)
    rig.advance(2.0)
    rig.run()
    totals = rig.engine.totals()
    assert [totals[name] for name in COUNTS] == [10, 5, 2, 2, 0, 1, 1, 9]


def test_rates_are_counts_per_second(rig: Rig) -> None:
    rig.engine.set_now(1000.25)
    for _ in range(3):
        rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    rig.engine.set_now(1001.5)
    rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    rig.run()
    rig.engine.set_now(1003.0)
    totals = rig.engine.totals()
    assert totals["submit_rate"][:5] == [0, 0, 1, 3, 0]
    assert totals["finish_rate"][:5] == [0, 0, 4, 0, 0]
    rig.engine.set_now(1100.0)
    assert rig.engine.totals()["submit_rate"] == [0] * 16


def test_run_times(rig: Rig) -> None:
    rig.engine.set_now(1000.0)

    def take(seconds: float) -> None:
        rig.engine.set_now(rig.engine.now() + seconds)

    for n in range(1, 101):
        rig.engine.enqueue(take, (n / 1000,), queue=rig.queue)
    rig.run()
    p50, p99, top = rig.engine.run_quantiles([0.5, 0.99, 1.0])
    assert p50 == pytest.approx(0.050, rel=1 / 16)
    assert p99 == pytest.approx(0.099, rel=1 / 16)
    assert top == pytest.approx(0.100, rel=1 / 16)
    assert rig.engine.totals()["busy_seconds"] == pytest.approx(5.05, rel=0.001)


def test_waiting_times_by_lane(rig: Rig) -> None:
    rig.engine.set_now(1000.0)
    for lane in range(4):
        rig.engine.enqueue(rig.note, (lane,), queue=rig.queue, lane=lane)
        rig.advance(0.010)
    rig.run()
    found = [rig.engine.wait_quantiles(lane, [0.5])[0] for lane in range(4)]
    assert found == [pytest.approx(seconds, rel=1 / 16) for seconds in (0.040, 0.030, 0.020, 0.010)]


def test_a_delay_is_no_wait(rig: Rig) -> None:
    rig.engine.set_now(1000.0)
    rig.engine.enqueue(rig.note, (1,), queue=rig.queue, lane=1, delay=60.0)
    rig.advance(60.0)
    rig.run()
    assert rig.engine.wait_quantiles(1, [1.0])[0] < 0.001


def test_memory_figures_grow_with_the_tasks(rig: Rig) -> None:
    before = rig.engine.totals()
    for _ in range(5000):
        rig.engine.enqueue(rig.note, (1,), queue=rig.queue)
    after = rig.engine.totals()
    assert after["queue_bytes"] > before["queue_bytes"]
    assert after["pool_in_use"] > before["pool_in_use"]
    assert after["pool_reserved"] >= after["pool_in_use"] > 0


def test_memory_source() -> None:
    from brokerless.core import memory_stats

    stats = memory_stats()
    assert stats["allocator"] in ("python", "malloc", "jemalloc")
    assert (stats["allocator"] == "python") == (core.CORE == "pure")
    assert isinstance(stats["has_jemalloc"], bool)
