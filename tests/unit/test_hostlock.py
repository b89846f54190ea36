"""One holder per host: files, processes that are killed, children that outlive their parents."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from brokerless import hostlock
from brokerless.hostlock import HostLock, lock_folder
from tests.unit.rig import ELSEWHERE, SOON, eventually

pytest.importorskip("fcntl")

PRELUDE = """
import os, subprocess, sys, threading, time
from brokerless.hostlock import HostLock
def say(word):
    print(word, flush=True)
lock = HostLock("shop", "beat")
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKERLESS_LOCK_DIR", str(tmp_path / "locks"))


Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs code after the prelude in a process of its own, which ends with the test."""
    processes: list[subprocess.Popen[str]] = []

    def run(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ELSEWHERE,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


HOLD = """
    assert lock.acquire(0)
    say("held")
    sys.stdin.read()
"""


def test_one_at_a_time_in_one_process() -> None:
    first, second = HostLock("shop", "beat"), HostLock("shop", "beat")
    assert first.acquire(0)
    assert first.acquire(0), "it is held already"
    assert not second.acquire(0)
    assert (first.held, second.held) == (True, False)
    first.release()
    assert second.acquire(0)
    second.release()
    assert not second.held


def test_other_keys_do_not_exclude_each_other() -> None:
    keys = [("shop",), ("shop", "beat"), ("shop", "beat", "x"), ("shop-beat",), ("sh", "opbeat")]
    locks = [HostLock(*key) for key in keys]
    assert all(lock.acquire(0) for lock in locks)
    assert len({lock.path for lock in locks}) == len(keys)
    for lock in locks:
        lock.release()


@pytest.mark.parametrize("key", [(), ("a", 1), (None,)], ids=["none", "number", "nothing"])
def test_a_key_is_made_of_strings(key: tuple[object, ...]) -> None:
    with pytest.raises(TypeError, match="expected one or more strings"):
        HostLock(*key)  # type: ignore[arg-type]


def test_as_a_context_manager() -> None:
    with HostLock("shop") as lock:
        assert lock.held
        assert not HostLock("shop").acquire(0)
    assert HostLock("shop").acquire(0)


def test_the_folder_is_for_this_user_alone(tmp_path: Path) -> None:
    assert lock_folder() == tmp_path / "locks"
    assert lock_folder().stat().st_mode & 0o777 == 0o700
    with HostLock("shop") as lock:
        assert lock.path.stat().st_mode & 0o777 == 0o600
        assert lock.holder() == os.getpid()


def test_without_the_variable_it_is_named_by_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BROKERLESS_LOCK_DIR")
    monkeypatch.setattr(hostlock.tempfile, "gettempdir", lambda: str(tmp_path))
    assert lock_folder() == tmp_path / f"brokerless-{os.getuid()}"


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir(mode=0o755)
    (tmp_path / "locks").chmod(0o755)
    with pytest.raises(PermissionError, match=r"mode 0700.*drwxr-xr-x"):
        HostLock("shop").acquire(0)


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "locks").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="mode 0700"):
        HostLock("shop").acquire(0)


def test_a_wait_has_an_end() -> None:
    with HostLock("shop"):
        waiter = HostLock("shop")
        assert not waiter.acquire(0.01)
        assert not waiter.held


def test_release_ends_a_wait() -> None:
    with HostLock("shop"):
        waiter = HostLock("shop")
        answers: list[bool] = []
        thread = threading.Thread(target=lambda: answers.append(waiter.acquire()))
        thread.start()
        waiter.release()
        while thread.is_alive():
            waiter.release()  # the first may have come before the wait
            thread.join(0.02)
        assert answers == [False]


def test_standby_is_called_at_once_where_the_lock_is_free() -> None:
    lock = HostLock("shop")
    called: list[threading.Thread] = []
    lock.standby(lambda: called.append(threading.current_thread()))
    assert called == [threading.current_thread()]
    assert lock.held
    lock.release()


def test_standby_is_called_when_the_holder_lets_go() -> None:
    first, second = HostLock("shop"), HostLock("shop")
    first.acquire()
    took = threading.Event()
    second.standby(took.set)
    with pytest.raises(RuntimeError, match="stands by already"):
        second.standby(took.set)
    assert not took.is_set()
    first.release()
    assert took.wait(SOON)
    assert second.held
    second.release()


def test_release_ends_a_standby() -> None:
    with HostLock("shop") as holder:
        lock = HostLock("shop")
        called: list[bool] = []
        lock.standby(lambda: called.append(True))
        lock.release()
        assert not [one for one in threading.enumerate() if one.name == "brokerless-standby"]
        holder.release()
        assert HostLock("shop").acquire(0)
        assert not called


def test_another_process_has_to_wait(start: Start) -> None:
    holder = start(HOLD)
    assert line(holder) == "held"
    lock = HostLock("shop", "beat")
    assert not lock.acquire(0)
    assert lock.holder() == holder.pid
    holder.communicate()
    assert lock.acquire(0)
    lock.release()


def test_a_standby_takes_over_from_a_killed_holder(start: Start) -> None:
    holder = start(HOLD)
    assert line(holder) == "held"
    standby = start("""
        lock.standby(lambda: say("took over"))
        say("stands by")
        sys.stdin.read()
    """)
    assert line(standby) == "stands by"
    holder.send_signal(signal.SIGKILL)
    assert line(standby) == "took over"
    assert HostLock("shop", "beat").holder() == standby.pid


def test_a_forked_child_that_outlives_the_holder_does_not_keep_the_lock(start: Start) -> None:
    holder = start("""
        lock.acquire(0)
        if os.fork() == 0:
            say(f"child {lock.held} {lock.acquire(0)}")
        sys.stdin.read()
    """)
    assert line(holder) == "child False False"
    os.kill(holder.pid, signal.SIGKILL)
    lock = HostLock("shop", "beat")
    eventually(lambda: lock.acquire(0), "the child, which still runs, keeps the lock")
    lock.release()


def test_a_program_that_outlives_the_holder_does_not_keep_the_lock(start: Start) -> None:
    holder = start("""
        lock.acquire(0)
        child = subprocess.Popen(["cat"], stdin=sys.stdin, close_fds=False)
        say(child.pid)
        sys.stdin.read()
    """)
    child = int(line(holder))
    os.kill(holder.pid, signal.SIGKILL)
    lock = HostLock("shop", "beat")
    eventually(lambda: lock.acquire(0), "the program, which still runs, keeps the lock")
    os.kill(child, 0)
    lock.release()


def test_forks_beside_somebody_who_takes_and_releases(start: Start) -> None:
    # Each child lives on; one that had a copy of the descriptor would keep the lock for good.
    forker = start("""
        stop = threading.Event()
        def take_and_release():
            while not stop.is_set():
                if lock.acquire(0):
                    lock.release()
        thread = threading.Thread(target=take_and_release)
        thread.start()
        for _ in range(20):
            if os.fork() == 0:
                sys.stdin.read()
                os._exit(0)
        stop.set()
        thread.join()
        say(HostLock("shop", "beat").acquire(10))  # the last child has not closed its copy when fork() returns here
    """)
    assert line(forker) == "True"


def test_a_removed_file_is_noticed() -> None:
    lock = HostLock("shop")
    assert not lock.refresh()
    lock.acquire(0)
    assert lock.refresh()
    os.utime(lock.path, (0, 0))
    assert lock.refresh()
    assert lock.path.stat().st_mtime > 0
    lock.path.unlink()
    assert not lock.refresh()
    with HostLock("shop") as other:
        assert other.refresh()
    lock.release()


def test_a_note_for_the_next_holder(start: Start) -> None:
    lock = HostLock("shop", "beat")
    assert lock.read_note() is None
    lock.write_note("not held: nothing is written")
    assert lock.read_note() is None
    holder = start("""
        lock.acquire(0)
        lock.write_note("a long note that a short one replaces")
        lock.write_note("last run 17 \\N{CHECK MARK}")
        say("noted")
        sys.stdin.read()
    """)
    assert line(holder) == "noted"
    assert lock.read_note() == "last run 17 \N{CHECK MARK}"
    os.kill(holder.pid, signal.SIGKILL)
    eventually(lambda: lock.acquire(0))
    assert lock.read_note() == "last run 17 \N{CHECK MARK}"
    assert lock.holder() == os.getpid()
    with pytest.raises(ValueError, match="one line"):
        lock.write_note("two\nlines")
    lock.release()
