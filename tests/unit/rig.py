"""A bare core engine for tests: its queue, its group, and threads that end with it. Helpers for sub-processes.

Only the interface that both cores share is used here.
"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brokerless import core
from tests.switching import switching_every

SOON = 10.0
"""Seconds after which something that should happen at once has not happened."""

WITHOUT_GIL = not getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether the interpreter runs its threads at the same time."""

NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.timezone.utc).timestamp()
"""The date at which hand-set clocks begin."""

ROOT = Path(__file__).resolve().parents[2]

ELSEWHERE = ROOT / "docs"
"""Where sub-processes run, for Python looks there first: not in the repository, where the package lies without its
compiled part, nor in a folder of tests, whose names may be those of standard modules."""


class Rig:
    def __init__(self, engine_type: type[Any] | None = None, lanes: int = 4, **arguments: Any) -> None:
        self.engine: Any = (engine_type or core.Engine)(**arguments)
        self.queue: int = self.engine.add_queue(lanes)
        self.group: int = self.engine.add_group()
        self.engine.subscribe(self.group, [self.queue])
        self.threads: list[threading.Thread] = []
        self._keeping = threading.Event()
        self.ran: list[Any] = []

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def note(self, value: Any) -> Any:
        """A task: remembers that it ran."""
        self.ran.append(value)
        return value

    def start(self, count: int = 1, group: int | None = None) -> list[int]:
        """Worker threads; their ids."""
        ids = [self.engine.add_worker(self.group if group is None else group) for _ in range(count)]
        for worker in ids:
            self._thread(self.engine.work, worker)
        return ids

    def start_keeper(self) -> None:
        """A thread that fires what is due, as the real keeper does; overdue attempts are left alone."""
        self._thread(self._keep)

    def _keep(self) -> None:
        while not self._keeping.is_set():
            self.engine.keeper_wait(1.0)
            self.engine.fire_due()
            self.engine.age()

    def _thread(self, main: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=main, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def run(self, **arguments: Any) -> int:
        """Everything that waits, on this thread."""
        count: int = self.engine.run_until_empty([self.queue], **arguments)
        return count

    def advance(self, seconds: float) -> None:
        self.engine.set_now(self.engine.now() + seconds)
        self.engine.fire_due()
        self.engine.age()

    def close(self) -> None:
        self._keeping.set()
        self.engine.close()
        self.engine.stop()
        self.engine.kick()
        for thread in self.threads:
            while thread.is_alive():
                self.engine.kick()
                thread.join(0.05)
                if not thread.is_alive():
                    break


class Gate:
    """A task that says when it runs and stays until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()

    def __call__(self, value: Any = None) -> Any:
        self.entered.set()
        assert self.release.wait(SOON)
        return value

    def wait(self) -> None:
        assert self.entered.wait(SOON), "the task did not start"

    def open(self) -> None:
        self.release.set()


def spin(seconds: float = SOON) -> None:
    """Python code for so long. In a function of its own, because some Pythons leave the backward jump of an empty loop
    out of the surrounding `try`, and an interrupt that lands there passes it by."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pass


def eventually(condition: Callable[[], Any], what: str = "", within: float = SOON) -> Any:
    """Look again and again, for conditions that nothing announces."""
    deadline = time.monotonic() + within
    pause = threading.Event()
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {within} s: {what or condition}"
        pause.wait(0.002)


@contextmanager
def beside(act: Callable[[], object], threads: int = 2) -> Iterator[None]:
    """While the block runs, other threads do something again and again, and threads change places fast."""
    done = threading.Event()

    def again() -> None:
        while not done.is_set():
            act()

    others = [threading.Thread(target=again) for _ in range(threads)]
    with switching_every(1e-5):
        try:
            for thread in others:
                thread.start()
            yield
        finally:
            done.set()
            for thread in others:
                thread.join(SOON)


def settled(tasks: Any) -> None:
    """Returns once every task has ended."""
    assert tasks.drain(SOON)


def python(code: str, *, timeout: float = 30.0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter, with the same core."""
    values = {**os.environ, "BROKERLESS_CORE": core.CORE, **environment}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=values,
        cwd=ELSEWHERE,
        check=False,
    )


def python_ok(code: str, **arguments: Any) -> str:
    """The same; its output, once it has ended well."""
    done = python(code, **arguments)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


PROGRAM = """
import logging, os, signal, sys, threading, time
from brokerless import BackgroundTasks, default_engine, install_signal_handlers

def say(text):
    os.write(1, f"{text}\\n".encode())

def until(condition):
    while not condition():
        time.sleep(0.001)
"""
"""What programs of `run()` begin with."""


def run(code: str, **environment: str) -> tuple[list[str], list[str], int]:
    """`PROGRAM` and this code in a fresh interpreter: the lines of its output and of its errors, and its exit status."""
    done = python(PROGRAM + code, **environment)
    return done.stdout.splitlines(), done.stderr.splitlines(), done.returncode
