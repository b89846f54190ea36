"""What other front ends stand on: named queues, pools, front, the calling thread, hooks, clocks, no policies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import Engine, EngineShutdown, ManualClock, TaskExecutionError, TaskStatus, default_engine
from brokerless import engine as engine_module
from brokerless.core import COMPLETED, QUEUED, RUNNING
from tests.unit.rig import SOON, Gate, eventually


def test_queues_by_name(engine: Engine) -> None:
    first, second = engine.queue("first", lanes=10), engine.queue("second")
    assert engine.queue("first", lanes=10) is first
    assert (first.name, first.lanes, second.lanes) == ("first", 10, 4)
    with pytest.raises(ValueError, match="first"):
        engine.queue("first", lanes=3)
    assert first in engine.queues()
    assert second in engine.queues()


def test_ten_lanes(engine: Engine) -> None:
    queue = engine.queue("ten", lanes=10)
    ran: list[int] = []
    for lane in range(9, -1, -1):
        queue.submit(ran.append, (lane,), lane=lane)
    assert [queue.count(lane) for lane in range(10)] == [1] * 10
    engine.run_until_empty([queue])
    assert ran == list(range(10))


def test_front_removal_listing_and_position(engine: Engine) -> None:
    queue = engine.queue("list")
    ran: list[str] = []
    a, b, c = (queue.submit(ran.append, (name,)) for name in "abc")
    f1, f2 = (queue.submit(ran.append, (name,), front=True) for name in ("f1", "f2"))
    assert queue.pending() == [f2, f1, a, b, c]
    assert [queue.position(task) for task in (f2, f1, a, b, c)] == [0, 1, 2, 3, 4]
    assert b.withdraw()
    assert queue.count() == 4
    assert queue.position(b) is None
    assert queue.position(c) == 3
    engine.run_until_empty([queue])
    assert ran == ["f2", "f1", "a", "c"]


def test_clear_a_queue(engine: Engine) -> None:
    queue = engine.queue("clear")
    tasks = [queue.submit(abs, (n,)) for n in range(7)]
    assert queue.clear() == 7
    assert queue.count() == 0
    assert engine.run_until_empty([queue]) == 0
    assert {task.status for task in tasks} == {TaskStatus.CANCELLED}


def test_a_pool_serves_its_queues_in_order_and_they_can_change(engine: Engine) -> None:
    first, second = engine.queue("first"), engine.queue("second")
    pool = engine.pool("workers", [first], workers=1)
    gate = Gate()
    blocker = first.submit(gate)
    gate.wait()
    ran: list[str] = []
    waiting = second.submit(ran.append, ("second",))
    own = first.submit(ran.append, ("first",))
    pool.subscribe([second, first])
    gate.open()
    assert own.result(SOON) is None
    assert ran == ["second", "first"]
    assert blocker.done()
    assert waiting.done()
    pool.subscribe([second])
    left = first.submit(ran.append, ("left",))
    assert second.submit(abs, (-1,)).result(SOON) == 1
    assert left.status is TaskStatus.PENDING


def test_a_pool_takes_up_what_already_waits(engine: Engine) -> None:
    queue = engine.queue("early")
    task = queue.submit(abs, (-1,))
    engine.pool("late", [queue], workers=1)
    assert task.result(SOON) == 1


def test_pools_without_autostart_wait_for_start(engine: Engine) -> None:
    queue = engine.queue("manual")
    pool = engine.pool("manual", [queue], workers=2, autostart=False)
    task = queue.submit(abs, (-1,))
    assert pool.threads() == []
    assert task.status is TaskStatus.PENDING
    pool.start()
    assert task.result(SOON) == 1
    assert len(pool.workers) == 2
    assert {thread.name for thread in pool.threads()} == {"brokerless-manual-1", "brokerless-manual-2"}
    assert all(thread.daemon for thread in pool.threads())


def test_grow_shrink_and_busy(engine: Engine) -> None:
    queue = engine.queue("sized")
    pool = engine.pool("sized", [queue], workers=1)
    gates = [Gate() for _ in range(3)]
    for gate in gates:
        queue.submit(gate)
    gates[0].wait()
    pool.grow(2)
    for gate in gates:
        gate.wait()
    assert pool.busy() == 3
    assert pool.size == 3
    pool.shrink(2)
    for gate in gates:
        gate.open()
    eventually(lambda: len(pool.threads()) == 1)
    assert queue.submit(abs, (-1,)).result(SOON) == 1


def test_pause_and_stop_a_pool(engine: Engine) -> None:
    queue = engine.queue("paused")
    pool = engine.pool("paused", [queue], workers=1)
    assert queue.submit(abs, (-1,)).result(SOON) == 1
    pool.pause()
    task = queue.submit(abs, (-2,))
    assert not task._wait(0.02)
    pool.resume()
    assert task.result(SOON) == 2
    assert pool.stop(wait=True, timeout=SOON)
    assert pool.threads() == []
    left = queue.submit(abs, (-3,))
    assert left.status is TaskStatus.PENDING
    pool.start()
    assert left.result(SOON) == 3


def test_one_pool_stops_and_another_goes_on(engine: Engine) -> None:
    queue = engine.queue("shared")
    first = engine.pool("first", [queue], workers=1)
    engine.pool("second", [queue], workers=1)
    assert queue.submit(abs, (-1,)).result(SOON) == 1
    first.stop()
    assert queue.submit(abs, (-2,)).result(SOON) == 2


def test_run_until_empty_on_the_calling_thread(engine: Engine) -> None:
    queue, other = engine.queue("burst"), engine.queue("other")
    threads: list[threading.Thread] = []

    def note(depth: int) -> None:
        threads.append(threading.current_thread())
        if depth:
            queue.submit(note, (depth - 1,))

    queue.submit(note, (3,))
    other.submit(note, (0,))
    assert engine.run_until_empty([queue]) == 4
    assert set(threads) == {threading.current_thread()}
    assert other.count() == 1
    assert engine.run_until_empty() == 1
    assert engine.run_until_empty([queue, other]) == 0


def test_claim_and_perform(engine: Engine) -> None:
    queue = engine.queue("claimed")
    assert engine.claim([queue]) is None
    task = queue.submit(abs, (-4,))
    assert engine.claim([queue], timeout=1) is task
    assert task.state == RUNNING
    engine.perform(task)
    assert task.state == COMPLETED
    assert task.result(0) == 4


def test_hand_over_hook_and_observers(engine: Engine) -> None:
    queue = engine.queue("hooked")
    log: list[Any] = []

    def run(task: Any) -> Any:
        log.append(("run", task.func, task.args))
        return "from the hook"

    queue.set_hooks(
        runner=run,
        on_start=lambda task: log.append(("start", task.status)),
        on_finish=lambda task: log.append(("finish", task.status)),
    )
    task = queue.submit(abs, (-1,))
    engine.run_until_empty([queue])
    assert task.result(0) == "from the hook"
    assert log == [("start", TaskStatus.RUNNING), ("run", abs, (-1,)), ("finish", TaskStatus.COMPLETED)]
    queue.set_hooks()
    assert queue.submit(abs, (-1,))
    assert engine.run_until_empty([queue]) == 1
    assert len(log) == 3


def test_a_push_hook_survives_the_start_of_a_pool(engine: Engine) -> None:
    queue = engine.queue("pushed")
    pushes: list[int] = []
    queue.set_hooks(on_push=lambda: pushes.append(1))
    engine.pool("late", [queue], workers=1)
    for n in range(3):
        assert queue.submit(abs, (-n,)).result(SOON) == n
    assert pushes == [1, 1, 1]


def test_no_policy_unless_asked_for(engine: Engine) -> None:
    queue = engine.queue("bare")
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise ValueError

    tasks = [queue.submit(fail) for _ in range(20_000)]
    assert tasks[0].timeout is None
    assert tasks[0].options is None
    engine.run_until_empty([queue])
    assert len(calls) == 20_000
    assert {task.attempts for task in tasks} == {1}
    assert engine.tasks() == [], "nothing is kept unless asked for"
    with pytest.raises(TaskExecutionError):
        tasks[0].result(0)
    kept = queue.submit(abs, (-1,), keep=True)
    engine.run_until_empty([queue])
    assert engine.get(kept.task_id) is kept


def test_retries_when_asked_for(engine: Engine) -> None:
    queue = engine.queue("retrying")
    clock = ManualClock()
    engine.clock = clock
    calls: list[int] = []

    def fail_twice() -> int:
        calls.append(1)
        if len(calls) < 3:
            raise ValueError
        return len(calls)

    task = queue.submit(fail_twice, max_retries=2)
    for _ in range(3):
        engine.run_until_empty([queue])
        clock.advance(60)
    assert task.result(0) == 3


def test_a_clock_moved_by_hand(engine: Engine) -> None:
    clock = ManualClock()
    engine.clock = clock
    assert engine.clock is clock
    queue = engine.queue("timed")
    ran: list[str] = []
    queue.submit(ran.append, ("late",), delay=3600.0)
    queue.submit(ran.append, ("early",), delay=60.0)
    expiring = queue.submit(ran.append, ("never",), expires=30.0)
    clock.advance(59)
    assert expiring.status is TaskStatus.CANCELLED
    assert engine.run_until_empty([queue]) == 0
    clock.advance(1)
    assert engine.run_until_empty([queue]) == 1
    clock.advance(3600)
    assert engine.run_until_empty([queue]) == 1
    assert ran == ["early", "late"]
    with pytest.raises(ValueError):
        clock.advance(-1)


def test_timers(engine: Engine) -> None:
    clock = ManualClock()
    engine.clock = clock
    fired: list[str] = []
    engine.call_later(10, lambda: fired.append("ten"))
    engine.call_later(5, lambda: fired.append("five"))
    cancelled = engine.call_later(7, lambda: fired.append("seven"))
    assert cancelled.cancel()
    assert not cancelled.cancel()
    engine.call_later(6, lambda: 1 / 0)
    clock.advance(4)
    assert fired == []
    clock.advance(10)
    assert fired == ["five", "ten"]


def test_timers_in_real_time(engine: Engine) -> None:
    fired = threading.Event()
    engine.call_later(0.01, fired.set)
    assert fired.wait(SOON)


def test_interrupt_by_task(engine: Engine) -> None:
    import time

    queue = engine.queue("interrupted")
    engine.pool("interrupted", [queue], workers=1)
    entered = threading.Event()

    class Stop(Exception):
        pass

    def loop() -> None:
        entered.set()
        end = time.monotonic() + SOON
        while time.monotonic() < end:
            pass

    task = queue.submit(loop)
    assert entered.wait(SOON)
    assert engine.interrupt(task, Stop)
    with pytest.raises(TaskExecutionError) as caught:
        task.result(SOON)
    assert isinstance(caught.value.__cause__, Stop)
    assert not engine.interrupt(task, Stop)


def test_several_engines_do_not_mix(engine: Engine) -> None:
    other = Engine(name="other")
    task = engine.queue("q").submit(abs, (-1,))
    second = other.queue("q").submit(abs, (-2,))
    assert other.run_until_empty([other.queue("q")]) == 1
    assert task.state == QUEUED
    assert second.result(0) == 2
    assert task.task_id != second.task_id
    assert other.get(task.task_id) is None
    other.shut_down(True, SOON, True)


@pytest.fixture
def fresh_default(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(engine_module, "_default", None)
    yield
    default_engine().shut_down(True, SOON, True)


def test_one_default_engine_for_the_process(fresh_default: None) -> None:
    first = default_engine()
    assert default_engine() is first
    queue = first.queue("app one")
    assert default_engine().queue("app one") is queue
    first.pool("app one", [queue], workers=1)
    first.pool("app two", [first.queue("app two")], workers=1)
    assert queue.submit(abs, (-1,)).result(SOON) == 1
    assert first.queue("app two").submit(abs, (-2,)).result(SOON) == 2


def test_a_default_engine_that_was_shut_down_is_replaced(fresh_default: None) -> None:
    first = default_engine()
    first.shut_down(True, SOON, True)
    with pytest.raises(EngineShutdown):
        first.queue("q").submit(abs, (-1,))
    second = default_engine()
    assert second is not first
    assert second.queue("q").submit(abs, (-1,))


def test_a_worker_that_waits_for_another_task_lends_its_place(engine: Engine) -> None:
    queue = engine.queue("nested")
    engine.pool("nested", [queue], workers=1)

    def outer(depth: int) -> int:
        return 0 if depth == 0 else 1 + queue.submit(outer, (depth - 1,)).result(SOON)

    assert queue.submit(outer, (5,)).result(SOON) == 5


@pytest.mark.parametrize("how", ["submit", "pool", "lane", "queue"])
def test_wrong_arguments(engine: Engine, how: str) -> None:
    queue = engine.queue("wrong")
    wrong: dict[str, Callable[[], Any]] = {
        "submit": lambda: queue.submit(abs, (1,), nonsense=1),  # type: ignore[call-arg]
        "pool": lambda: engine.pool("wrong", [queue], workers=-1),
        "lane": lambda: queue.submit(abs, (1,), lane=4),
        "queue": lambda: engine.queue("too many", lanes=17),
    }
    with pytest.raises((TypeError, ValueError)):
        wrong[how]()
    assert queue.count() == 0
