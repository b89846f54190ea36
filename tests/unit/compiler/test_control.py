"""Stopping compiled code: deadlines, interrupts from other threads, Ctrl-C, and the GIL being free meanwhile."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import brokerless.compiler as package
from brokerless.compiler.build import Builder
from brokerless.compiler.control import local, watcher
from brokerless.compiler.types import INT
from brokerless.compiler.variant import Variant

from . import samples


@pytest.fixture
def forever(builder: Builder) -> Variant:
    return builder.variant(samples.forever, (INT,))


def test_a_deadline_ends_an_infinite_loop(forever: Variant) -> None:
    error = TimeoutError("late")
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="late"), watcher.deadline(0.1, error):
        forever.call(1)
    assert 0.1 <= time.monotonic() - started < 20


def test_a_deadline_that_is_not_reached_leaves_nothing(builder: Builder) -> None:
    variant = builder.variant(samples.add, (INT, INT))
    with watcher.deadline(30, TimeoutError()):
        assert variant.call(1, 2) == 3
    assert variant.call(3, 4) == 7
    assert variant.native_calls == 2


class Stop(BaseException):
    pass


def test_an_interrupt_brings_a_thread_to_its_asynchronous_exception(forever: Variant) -> None:
    """As a worker's time limit does it: the exception is set first, then the native call is brought back."""
    running, seen = threading.Event(), []

    def work() -> None:
        local.record.word = 0
        running.set()
        try:
            forever.call(1)
        except Stop as error:
            seen.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert running.wait(10)
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stop))
    assert package.interrupt(thread.ident)
    thread.join(20)
    assert not thread.is_alive()
    assert len(seen) == 1


def test_an_interrupt_without_an_exception_changes_nothing(builder: Builder) -> None:
    variant = builder.variant(samples.collatz, (INT,))
    results: list[int] = []
    stop = threading.Event()

    def work() -> None:
        for _ in range(20):
            results.append(variant.call(3000))
        stop.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not stop.wait(0.0005):
        package.interrupt(thread.ident or 0)
    thread.join(20)
    assert results == [samples.collatz(3000)] * 20
    assert variant.redone_calls == 0


def test_an_interrupt_of_a_thread_without_native_calls() -> None:
    assert not package.interrupt(1)


def test_other_threads_run_while_compiled_code_runs(forever: Variant) -> None:
    """Without letting go of the GIL the counting thread could not get on before the deadline, and would stay near 0."""
    count, stop = [0], threading.Event()

    def tick() -> None:
        while not stop.is_set():
            count[0] += 1

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        before = count[0]
        with pytest.raises(TimeoutError), watcher.deadline(0.3, TimeoutError()):
            forever.call(1)
        assert count[0] - before > 1000
    finally:
        stop.set()
        thread.join(10)


CTRL_C = """
import os, signal, sys, threading
sys.path.append(sys.argv[2])
from brokerless.compiler import TaskCompiler
from tests.unit.compiler import samples
forever = TaskCompiler(cache_dir=sys.argv[1]).compile(samples.forever)
from brokerless.compiler.control import watcher
try:
    with watcher.deadline(0.01, TimeoutError()):
        forever(1)  # compiled now
except TimeoutError:
    pass
try:
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    print("ready", flush=True)
    forever(1)
except KeyboardInterrupt:
    print("interrupted", flush=True)
seen = []
def handler(number, frame):
    seen.append(number)
signal.signal(signal.SIGUSR1, handler)
threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
try:
    with watcher.deadline(1.0, TimeoutError()):
        forever(1)
except TimeoutError:
    print(len(seen), flush=True)
"""


def test_signal_handlers_run_during_a_native_call_of_the_main_thread(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CTRL_C, str(tmp_path / "cache"), str(Path(__file__).parents[3])]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout.split() == ["ready", "interrupted", "1"], done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_after_fork_deadlines_and_calls_work(builder: Builder, forever: Variant) -> None:
    add = builder.variant(samples.add, (INT, INT))
    assert add.call(1, 2) == 3
    with pytest.raises(TimeoutError), watcher.deadline(0.05, TimeoutError()):
        forever.call(1)
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(30)
            code = 0 if add.call(4, 5) == 9 else 3
            try:
                with watcher.deadline(0.05, TimeoutError()):
                    forever.call(1)
                code = 4
            except TimeoutError:
                pass
            os._exit(code)
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
