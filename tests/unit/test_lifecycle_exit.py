"""The interpreter's exit: the policies, what is waited for, and what is said of dropped tasks."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import BackgroundTasks, Engine
from tests.unit.rig import python, python_ok, run

starts_threads_at_exit = pytest.mark.skipif(
    sys.version_info[:3] in ((3, 12, 0), (3, 12, 1)), reason="this Python starts no thread at exit"
)


def test_exit_drains() -> None:
    out = python_ok(
        """
        import sys, time
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(2)
        def work(n):
            time.sleep(0.01)
            sys.stdout.write(f"done {n}\\n")  # one write, so that two threads do not mix
        for n in range(20):
            tasks.add_task(work, n)
        """
    )
    assert sorted(out.splitlines()) == sorted(f"done {n}" for n in range(20))


def test_tasks_that_use_executors_still_work_at_exit() -> None:
    out = python_ok(
        """
        from concurrent.futures import ThreadPoolExecutor
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1)
        pool = ThreadPoolExecutor(1)
        tasks.add_task(lambda: print(pool.submit(pow, 2, 5).result(), flush=True))
        """
    )
    assert out == "32\n"


def test_exit_names_what_it_drops() -> None:
    done = python(
        """
        import logging, time
        logging.basicConfig(level=logging.ERROR)
        from brokerless import BackgroundTasks
        def delayed_function(): pass
        tasks = BackgroundTasks(1)
        tasks.exit_timeout = 0.2
        handle = tasks.add_task(delayed_function, delay_ms=60_000)
        print(handle.task_id)
        """
    )
    assert done.returncode == 0, done.stderr
    task_id = done.stdout.strip()
    assert "ERROR" in done.stderr
    assert task_id in done.stderr
    assert "delayed_function" in done.stderr


def test_exit_does_not_hang_on_a_stuck_task() -> None:
    done = python(
        """
        import threading
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1)
        tasks.exit_timeout = 0.2
        entered = threading.Event()
        def stuck():
            entered.set()
            threading.Lock().acquire() or threading.Event().wait()
            threading.Event().wait()
        tasks.add_task(stuck, timeout_ms=None)
        entered.wait()
        print("leaving", flush=True)
        """,
        timeout=20,
    )
    assert done.returncode == 0 and done.stdout == "leaving\n", done.stderr


def test_a_killed_process_leaves_nothing_to_wait_for() -> None:
    done = python(
        """
        import os, signal
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(2)
        for n in range(1000):
            tasks.add_task(sum, range(10_000))
        print("here", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert done.returncode == -9
    assert done.stdout == "here\n"


def test_system_exit_in_the_main_thread_drains_too() -> None:
    done = python(
        """
        import sys, time
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1)
        tasks.add_task(lambda: (time.sleep(0.05), print("done", flush=True)))
        sys.exit(7)
        """
    )
    assert done.returncode == 7
    assert done.stdout == "done\n"


@pytest.mark.parametrize("make", [BackgroundTasks, Engine])
def test_the_policy_is_checked(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BROKERLESS_ON_EXIT", raising=False)
    assert make().on_exit == "drain"
    assert make(on_exit="wait").on_exit == "wait"
    with pytest.raises(ValueError, match="on_exit='stay': allowed are 'drain', 'drop', 'wait'"):
        make(on_exit="stay")
    engine = make()
    with pytest.raises(ValueError, match="on_exit=7"):
        engine.on_exit = 7
    monkeypatch.setenv("BROKERLESS_ON_EXIT", "drop")
    assert make().on_exit == "drop"
    assert make(on_exit="drain").on_exit == "drain"
    monkeypatch.setenv("BROKERLESS_ON_EXIT", "fly")
    with pytest.raises(ValueError, match="'fly'"):
        make()


@pytest.mark.parametrize("make", [BackgroundTasks, Engine])
@pytest.mark.parametrize(
    ("wrong", "error"), [(-1, ValueError), (float("nan"), ValueError), ("5", TypeError), (None, TypeError)]
)
def test_the_time_to_drain_is_checked(make: Callable[..., Any], wrong: Any, error: type[Exception]) -> None:
    """Where it is set, and not at the exit, where nobody could mend it."""
    engine = make()
    with pytest.raises(error, match=f"exit_timeout={wrong!r}: expected a number of seconds not below 0"):
        engine.exit_timeout = wrong
    assert engine.exit_timeout == 10.0
    engine.exit_timeout = 0.5
    assert engine.exit_timeout == 0.5


WORK = """
tasks = BackgroundTasks(1, on_exit={policy!r})
tasks.exit_timeout = {timeout}
entered = threading.Event()
def first():
    entered.set()
    time.sleep(0.1)
    say("first")
tasks.add_task(first)
tasks.add_task(say, "second")
tasks.add_task(say, "later", delay_ms=300)
entered.wait()
say("end of the program")
"""


@pytest.mark.parametrize(
    ("policy", "timeout", "done", "dropped"),
    [
        ("drain", 10, ["first", "second", "later"], []),
        ("drain", 0.2, ["first", "second"], ["1 task(s) of 'tasks'", "0 running, 0 waiting, 1 delayed"]),
        ("wait", 0.0, ["first", "second", "later"], []),
        ("drop", 10, [], ["3 task(s) of 'tasks'", "1 running, 1 waiting, 1 delayed"]),
    ],
)
def test_policies(policy: str, timeout: float, done: list[str], dropped: list[str]) -> None:
    out, errors, code = run(WORK.format(policy=policy, timeout=timeout))
    assert code == 0 and out[0] == "end of the program"
    assert out[1:] == done
    assert bool(errors) == bool(dropped), errors
    for part in dropped:
        assert part in errors[0]


def test_a_command_that_queues_for_later_and_ends_is_told() -> None:
    """At once, without any logging set up, and by name: `manage.py remind` with a delay of an hour."""
    out, errors, code = run(
        """
def remind(customer): pass
tasks = BackgroundTasks(1)
print(tasks.add_task(remind, 7, delay_ms=3_600_000).task_id, time.monotonic())
import atexit
atexit.register(lambda: say(time.monotonic()))
"""
    )
    task_id, before = out[0].split()
    assert code == 0
    assert float(out[1]) - float(before) < 10, "it does not wait for what is not due within the time"
    assert "1 task(s) of 'tasks' are dropped" in errors[0] and "1 delayed" in errors[0]
    assert re.fullmatch(rf"dropped: task {task_id} \(remind\), due in 3\.\d+e\+03 s", errors[1]), errors[1]
    assert "on_exit='wait'" in errors[2]


def test_a_hundred_are_named_and_all_are_counted() -> None:
    _, errors, _ = run(
        """
logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s %(message)s")
def forgotten(): pass
tasks = BackgroundTasks(1, on_exit="drop")
tasks.pause()
for _ in range(250):
    tasks.add_task(forgotten)
"""
    )
    assert errors[0].startswith("ERROR brokerless 250 task(s)")
    named = [line for line in errors if "(forgotten), not started" in line]
    assert len(named) == 100 and len({line.split()[4] for line in named}) == 100
    assert errors[101] == "ERROR brokerless dropped: and 150 more" and len(errors) == 102


def test_tasks_of_the_shims_are_named_by_their_own_names() -> None:
    _, errors, _ = run(
        """
os.environ["BROKERLESS_ON_EXIT"] = "drop"
from brokerless.compat.celery_shim import Celery
from brokerless.compat.rq_shim import Queue
app = Celery("shop", broker="memory://")
@app.task(name="shop.remind")
def remind(): pass
remind.apply_async(countdown=3600)
queue = Queue("mail")
for _ in range(4):
    queue.enqueue(time.sleep, 20)  # more than the threads that take them
import decimal
queue.enqueue(time.sleep, decimal.Decimal(1))
""",
        BROKERLESS_RQ_WORKERS="2",
    )
    text = "\n".join(errors)
    assert re.search(r"dropped: task shop\.remind\[[0-9a-f-]{36}\], due in 3\.\d*e\+03 s", text), text
    assert re.search(r"dropped: task [0-9a-f-]{36} \(time\.sleep\) of the RQ queue 'mail', not started", text), text
    assert re.search(r"dropped: task [0-9a-f-]{36} \(a serialized call\) of the RQ queue 'mail', not started", text), (
        text
    )


def test_jobs_that_rqs_scheduler_holds_are_named() -> None:
    _, errors, _ = run(
        """
from datetime import timedelta
from brokerless.compat.rq_shim import Queue
queue = Queue("mail")
print(queue.enqueue_in(timedelta(hours=1), time.sleep, 1).id)
"""
    )
    assert errors[0] == "1 call(s) held for later are dropped, because the process ends"
    assert re.fullmatch(
        r"dropped: task [0-9a-f-]{36} \(time\.sleep\) of the RQ queue 'mail', due in 3\.\d*e\+03 s", errors[1]
    )
    assert len(errors) == 2


def test_silenced_loggers_stay_silent() -> None:
    for silence in ("setLevel(logging.CRITICAL)", "__setattr__('propagate', False)"):
        _, errors, _ = run(
            f"""
logging.getLogger("brokerless").{silence}
BackgroundTasks(1, on_exit="drop").add_task(abs, -1, delay_ms=60_000)
"""
        )
        assert errors == []


def test_every_engine_is_drained_within_one_time() -> None:
    out, errors, _ = run(
        """
engines = [BackgroundTasks(1) for _ in range(3)]
hold = threading.Event()
for number, tasks in enumerate(engines):
    tasks.exit_timeout = 0.6
    tasks.add_task(hold.wait, 60, timeout_ms=None)
    tasks.add_task(say, number)
until(lambda: all(tasks.get_stats().running_tasks for tasks in engines))
start = time.monotonic()
import atexit
atexit.register(lambda: say(time.monotonic() - start < 1.7))
"""
    )
    assert out == ["True"]
    assert sum("2 task(s)" in line for line in errors) == 3


def test_tasks_may_submit_others_while_it_drains() -> None:
    out, errors, _ = run(
        """
tasks = BackgroundTasks(1)
def chain(number):
    time.sleep(0.01)
    say(number)
    if number < 5:
        tasks.add_task(chain, number + 1)
tasks.add_task(chain, 0)
"""
    )
    assert out == [str(number) for number in range(6)] and errors == []


@starts_threads_at_exit
def test_a_task_that_imports_executors_only_then_can_use_them_at_exit() -> None:
    out, errors, _ = run(
        """
assert "concurrent.futures.thread" not in sys.modules
tasks = BackgroundTasks(1)
def late():
    time.sleep(0.1)
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(1) as pool:
        say(pool.submit(pow, 2, 5).result())
tasks.add_task(late)
"""
    )
    assert out == ["32"] and errors == []


def test_a_paused_engine_is_drained_too() -> None:
    out, _, _ = run(
        """
tasks = BackgroundTasks(1)
tasks.pause()
tasks.add_task(say, "paused")
"""
    )
    assert out == ["paused"]


@starts_threads_at_exit
def test_a_paused_engine_begins_its_event_loop_at_exit() -> None:
    out, _, _ = run(
        """
async def asay(text): say(text)
tasks = BackgroundTasks(1)
tasks.pause()
tasks.add_task(say, "paused")
tasks.add_task(asay, "coroutine")
"""
    )
    assert sorted(out) == ["coroutine", "paused"]


def test_a_chain_whose_next_step_is_far_away_is_not_waited_for() -> None:
    out, errors, _ = run(
        """
tasks = BackgroundTasks(1)
tasks.exit_timeout = 25
handle = tasks.chain_tasks([lambda: 1, {"func": say, "delay_ms": 3_600_000}])
until(lambda: handle.children and len(handle.children) == 2)
start = time.monotonic()
import atexit
atexit.register(lambda: say(time.monotonic() - start < 20))
"""
    )
    assert out == ["True"]
    assert "2 task(s)" in errors[0] and "1 running, 0 waiting, 1 delayed" in errors[0]


def test_functions_that_have_every_attribute_are_named_like_others() -> None:
    _, errors, _ = run(
        """
from unittest.mock import Mock
task = BackgroundTasks(1, on_exit="drop").add_task(Mock(), delay_ms=60_000)
print(task.task_id)
"""
    )
    assert re.fullmatch(r"dropped: task [0-9a-f]{32} \(Mock\), due in .* s", errors[1]), errors


def test_a_schedule_does_not_keep_the_process() -> None:
    out, errors, code = run(
        """
from brokerless.timetables import every
tasks = BackgroundTasks(1, on_exit="wait")
tasks.add_task(abs, -1, schedule=every(0.05))
tasks.add_task(say, "once").wait(10)
"""
    )
    assert out == ["once"] and errors == [] and code == 0
