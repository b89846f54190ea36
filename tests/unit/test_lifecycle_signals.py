"""Signals: those that lead to a normal exit, whose handlers decide, and Ctrl-C in those who wait."""

from __future__ import annotations

import signal
import threading

import pytest

from brokerless import install_signal_handlers
from tests.unit.rig import python_ok, run

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
    with pytest.raises(TypeError, match=r"install_signal_handlers\(15\): expected several signals"):
        install_signal_handlers(15)  # type: ignore[arg-type]
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


def test_ctrl_c_interrupts_wait_in_the_main_thread() -> None:
    out = python_ok(
        """
        import os, signal, threading, time
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1)
        gate = threading.Event()
        entered = threading.Event()
        def work():
            entered.set()
            gate.wait(20)
            return "value"
        handle = tasks.add_task(work)
        entered.wait()
        def press():
            while not waiting.is_set():
                pass
            time.sleep(0.05)  # the signal should arrive inside the wait; before it would do as well
            os.kill(os.getpid(), signal.SIGINT)
        waiting = threading.Event()
        threading.Thread(target=press, daemon=True).start()
        start = time.monotonic()
        try:
            waiting.set()
            handle.wait()
        except KeyboardInterrupt:
            assert time.monotonic() - start < 10
            print("interrupted", handle.status)
        gate.set()
        print(handle.wait(10))
        """
    )
    assert out == "interrupted RUNNING\nvalue\n"


@pytest.mark.parametrize("call", ["tasks.drain()", "tasks.shutdown(timeout=None)", "handle.result(20)"])
def test_ctrl_c_interrupts_other_waits(call: str) -> None:
    out = python_ok(
        f"""
        import os, signal, threading
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1)
        gate = threading.Event()
        handle = tasks.add_task(gate.wait, 20, timeout_ms=None)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            {call}
        except KeyboardInterrupt:
            print("interrupted")
        gate.set()
        """
    )
    assert out == "interrupted\n"
