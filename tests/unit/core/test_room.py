"""Waiting for room in a bounded lane: whatever makes room wakes whom it is enough for, and so does the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import core
from tests.unit.rig import SOON, Rig, python_ok

LANE, LIMIT = 1, 3


class Waiter:
    """A thread in wait_room()."""

    def __init__(self, rig: Rig, count: int = 1, timeout: float | None = SOON) -> None:
        self.answer: Any = None
        self._thread = threading.Thread(target=self._wait, args=(rig, count, timeout))
        self._thread.start()

    def _wait(self, rig: Rig, count: int, timeout: float | None) -> None:
        self.answer = rig.engine.wait_room(rig.queue, LANE, count, LIMIT, timeout)

    def waits(self) -> bool:
        self._thread.join(0.02)
        return self._thread.is_alive()

    def ends(self) -> Any:
        self._thread.join(SOON)
        assert not self._thread.is_alive(), "nobody woke it"
        return self.answer


@pytest.fixture
def full(rig: Rig) -> Rig:
    for number in range(LIMIT):
        rig.engine.enqueue(rig.note, (number,), queue=rig.queue, lane=LANE, limit=LIMIT)
    return rig


def claim(rig: Rig) -> None:
    rig.engine.claim([rig.queue])


def run(rig: Rig) -> None:
    assert rig.run() == LIMIT


def withdraw(rig: Rig) -> None:
    assert rig.engine.pending(rig.queue)[1].withdraw()


def discard(rig: Rig) -> None:
    assert rig.engine.discard() == LIMIT


def close(rig: Rig) -> None:
    rig.engine.close()


@pytest.mark.parametrize("act", [claim, run, withdraw, discard, close])
def test_it_is_woken_by(full: Rig, act: Callable[[Rig], None]) -> None:
    waiter = Waiter(full)
    assert waiter.waits()
    act(full)
    assert waiter.ends() is True


def test_it_is_woken_by_an_expiry(rig: Rig) -> None:
    rig.engine.set_now(100.0)
    for _ in range(LIMIT):
        rig.engine.enqueue(rig.note, (1,), queue=rig.queue, lane=LANE, limit=LIMIT, expires=5.0)
    waiter = Waiter(rig)
    assert waiter.waits()
    rig.advance(6.0)
    assert waiter.ends() is True and rig.ran == []


def test_room_at_once_and_no_room_in_time(full: Rig) -> None:
    engine = full.engine
    assert engine.wait_room(full.queue, LANE + 1, LIMIT, LIMIT, 0) is True
    assert engine.wait_room(full.queue, LANE, 1, 0, 0) is True, "0 is no bound"
    assert engine.wait_room(full.queue, LANE, 1, LIMIT, 0.01) is False
    assert engine.wait_room(full.queue, LANE, 1, LIMIT, 0) is False
    with pytest.raises(ValueError, match="7"):
        engine.wait_room(full.queue, 7, 1, LIMIT, 0)


def test_each_waits_for_as_much_as_it_wants(full: Rig) -> None:
    two, one = Waiter(full, count=2), Waiter(full, count=1)
    assert two.waits() and one.waits()
    claim(full)
    assert one.ends() is True
    assert two.waits()
    claim(full)
    assert two.ends() is True


def test_many_submitters_through_a_narrow_lane(make_rig: Callable[..., Rig]) -> None:
    class Blocking(core.Engine):
        def _full(self, queue: int, lane: int, count: int, limit: int) -> bool:
            assert limit == LIMIT
            return bool(self.wait_room(queue, lane, count, limit, SOON))

    rig = make_rig(engine_type=Blocking)
    each, crew = 300, 4

    def submit(first: int) -> None:
        for number in range(first, first + each):
            rig.engine.enqueue(rig.note, (number,), queue=rig.queue, lane=LANE, limit=LIMIT)

    threads = [threading.Thread(target=submit, args=(n * each,)) for n in range(crew)]
    for thread in threads:
        thread.start()
    rig.start(2)
    for thread in threads:
        thread.join(SOON)
        assert not thread.is_alive()
    assert rig.engine.drain(SOON)
    assert sorted(rig.ran) == list(range(each * crew))


def test_ctrl_c_ends_it_with_nothing_queued() -> None:
    out = python_ok(
        """
        import os, signal, threading
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1, queue_size=1, on_full="block")
        tasks.full_timeout = None
        gate = threading.Event()
        tasks.add_task(gate.wait, timeout_ms=None)
        while tasks.get_stats().queued_tasks:
            pass
        tasks.add_task(abs, -1)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            tasks.add_task(abs, -2)
        except KeyboardInterrupt:
            print("interrupted", tasks.get_stats().queued_tasks)
        gate.set()
        """
    )
    assert out == "interrupted 1\n"
