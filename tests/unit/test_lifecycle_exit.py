"""The interpreter's exit: the policies, what is said of dropped tasks, and the signals that lead there."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from brokerless import BackgroundTasks, Engine, install_signal_handlers
from tests.unit.rig import python

SET_UP = """
import logging, os, signal, sys, threading, time
from brokerless import BackgroundTasks, default_engine, install_signal_handlers

def say(text):
    os.write(1, f"{text}\\n".encode())

def until(condition):
    while not condition():
        time.sleep(0.001)
"""


def run(code: str, **environment: str) -> tuple[list[str], list[str], int]:
    """Lines of standard output and of standard error, and the exit status."""
    done = python(SET_UP + code, **environment)
    return done.stdout.splitlines(), done.stderr.splitlines(), done.returncode


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


@pytest.mark.skipif(sys.version_info[:3] in ((3, 12, 0), (3, 12, 1)), reason="this Python starts no thread at exit")
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


SIGNALLED = """
tasks = BackgroundTasks(1)
entered = threading.Event()
def slow():
    entered.set()
    time.sleep(0.2)
    say("done")
def send(*signals):
    entered.wait()
    for number in signals:
        os.kill(os.getpid(), number)
        time.sleep(0.05)
"""


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", -signal.SIGINT), ("SIGHUP", 129)])
def test_a_signal_drains(name: str, code: int) -> None:
    out, errors, status = run(
        SIGNALLED
        + f"""
install_signal_handlers([signal.{name}])
tasks.add_task(slow)
tasks.add_task(say, "second")
tasks.add_task(say, "never", delay_ms=60_000)
threading.Thread(target=send, args=(signal.{name},), daemon=True).start()
time.sleep(30)
"""
    )
    assert out == ["done", "second"]
    assert any("1 task(s) of 'tasks' are dropped" in line for line in errors)
    assert status == code


def test_without_handlers_sigterm_drops_silently() -> None:
    out, errors, status = run(
        SIGNALLED
        + """
tasks.add_task(slow)
threading.Thread(target=send, args=(signal.SIGTERM,), daemon=True).start()
time.sleep(30)
"""
    )
    assert (out, errors, status) == ([], [], -signal.SIGTERM)


@pytest.mark.parametrize("policy", ["drain", "wait"])
def test_a_second_signal_cuts_the_waiting_short(policy: str) -> None:
    out, errors, status = run(
        SIGNALLED
        + f"""
install_signal_handlers()
tasks.on_exit = {policy!r}
tasks.exit_timeout = 60
tasks.add_task(threading.Event().wait, 60, timeout_ms=None)
tasks.add_task(say, "never")
until(lambda: tasks.get_stats().running_tasks)
entered.set()
threading.Thread(target=send, args=(signal.SIGTERM, signal.SIGTERM), daemon=True).start()
time.sleep(30)
"""
    )
    assert out == [] and status == 143
    assert any("2 task(s) of 'tasks' are dropped" in line for line in errors)


def test_former_handlers_are_called_and_decide() -> None:
    out, errors, status = run(
        SIGNALLED
        + """
over = threading.Event()
def own(number, frame):
    say(f"own {number == signal.SIGTERM} {frame is not None}")
    over.set()
signal.signal(signal.SIGTERM, own)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
install_signal_handlers([signal.SIGTERM, signal.SIGHUP])
assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
install_signal_handlers()  # a second time changes nothing
tasks.add_task(slow)
threading.Thread(target=send, args=(signal.SIGHUP, signal.SIGTERM), daemon=True).start()
until(over.is_set)
"""
    )
    assert out == ["own True True", "done"] and errors == [] and status == 0


@pytest.mark.parametrize("late", [False, True])
def test_a_server_that_kills_itself_at_its_end_is_kept_from_it(late: bool) -> None:
    """uvicorn puts the default handler back when it has stopped, and raises the signal again. The last requests may
    queue tasks after the signal."""
    out, errors, status = run(
        SIGNALLED
        + f"""
caught = []
signal.signal(signal.SIGTERM, lambda number, frame: caught.append(number))
install_signal_handlers()
tasks.add_task(abs, -1).wait(10)
if not {late}:
    tasks.add_task(slow)
else:
    entered.set()
threading.Thread(target=send, args=(signal.SIGTERM,), daemon=True).start()
until(lambda: caught)
if {late}:
    tasks.add_task(slow)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.raise_signal(signal.SIGTERM)
say("after the server")
"""
    )
    assert out == ["after the server", "done"] and errors == [] and status == 0


def test_the_former_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    restore = install_signal_handlers()
    assert signal.getsignal(signal.SIGTERM) is not before[0]
    restore()
    restore()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_wrong_signals_and_threads_are_refused() -> None:
    before = signal.getsignal(signal.SIGTERM)
    for wrong in (signal.SIGKILL, 12345, 0):
        with pytest.raises(ValueError, match="cannot be handled"):
            install_signal_handlers([signal.SIGTERM, wrong])
    assert signal.getsignal(signal.SIGTERM) is before
    errors: list[BaseException] = []

    def elsewhere() -> None:
        try:
            install_signal_handlers()
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=elsewhere, name="side")
    thread.start()
    thread.join()
    assert len(errors) == 1 and "'side'" in str(errors[0]) and "main thread" in str(errors[0])
