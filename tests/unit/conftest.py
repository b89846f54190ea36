"""Fixtures of the engine's unit tests: a bare core with its threads, and the thread check for every test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from brokerless import BackgroundTasks, Engine, ManualClock
from tests.unit.rig import NOON, SOON, Rig


@pytest.fixture(autouse=True, scope="session")
def _watcher_ends_soon() -> None:
    """The thread beside compiled code would outlive the tests, which are checked for threads that they leave behind."""
    with suppress(ImportError):  # without cffi there is none
        from brokerless.compiler import control

        control._IDLE = 0.05


@pytest.fixture(autouse=True)
def _threads_end(no_thread_leak: None) -> None:
    return


@pytest.fixture
def rig(_threads_end: None) -> Iterator[Rig]:
    """One core engine with one queue of four lanes and one group; no thread until start()."""
    with Rig() as made:
        yield made


@pytest.fixture
def make_rig(_threads_end: None) -> Iterator[Callable[..., Rig]]:
    """The same with arguments for the engine."""
    rigs: list[Rig] = []

    def make(**arguments: Any) -> Rig:
        rigs.append(Rig(**arguments))
        return rigs[-1]

    yield make
    for made in rigs:
        made.close()


@pytest.fixture
def make_tasks(_threads_end: None) -> Iterator[Callable[..., BackgroundTasks]]:
    """BackgroundTasks with arguments; shut down at the end of the test."""
    made: list[BackgroundTasks] = []

    def make(workers: int | None = 2, **arguments: Any) -> BackgroundTasks:
        made.append(BackgroundTasks(workers, **arguments))
        return made[-1]

    yield make
    for tasks in made:
        tasks.shutdown(timeout=SOON, cancel_pending=True)


@pytest.fixture
def tasks(make_tasks: Callable[..., BackgroundTasks]) -> BackgroundTasks:
    """Two workers, everything else as it comes."""
    return make_tasks()


@pytest.fixture
def engine(_threads_end: None) -> Iterator[Engine]:
    """What the shims stand on, empty."""
    made = Engine(name="test")
    yield made
    made.shut_down(True, SOON, True)


@pytest.fixture(autouse=True)
def _logging_stays() -> Iterator[None]:
    """Workers and settings of tests set logging up for the whole process; the next test starts without that."""
    root = logging.getLogger()
    ours = [logging.getLogger(name) for name in list(root.manager.loggerDict) if name.startswith("brokerless")]
    before = [(logger, logger.level, logger.propagate, logger.disabled) for logger in [root, *ours]]
    handlers, disabled = root.handlers[:], root.manager.disable
    yield
    for logger, level, propagate, off in before:
        logger.setLevel(level)
        logger.propagate, logger.disabled = propagate, off
    root.handlers[:] = handlers
    root.manager.disable = disabled


@pytest.fixture
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks between processes in a folder of the test's own."""
    monkeypatch.setenv("BROKERLESS_LOCK_DIR", str(tmp_path / "locks"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(date=NOON)


@pytest.fixture
def timed(tasks: BackgroundTasks, clock: ManualClock) -> BackgroundTasks:
    """Tasks whose clock the test moves."""
    tasks.clock = clock
    return tasks
