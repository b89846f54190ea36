"""Starts a real server on a free port of the loopback interface, asks it to queue tasks, and accounts for every one."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

SHOP = Path(__file__).parent / "shop"
PATIENCE = 40.0


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def eventually(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        pause.wait(0.02)


class Served:
    """One run of a server. `command` may hold {port}."""

    def __init__(self, folder: Path, command: Sequence[str], **environment: str) -> None:
        self.port = free_port()
        self.folder = folder
        self.log, self.gate, self.errors = folder / "log", folder / "gate", folder / "errors"
        self.command = [part.format(port=self.port) for part in command]
        self.environment = {**os.environ, "SHOP_LOG": str(self.log), "SHOP_GATE": str(self.gate), **environment}
        self.environment["PYTHONUNBUFFERED"] = "1"
        self.submitted: dict[int, dict[str, Any]] = {}
        """Answers by the number of the task."""
        self._numbers = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Served:
        with ExitStack() as files:
            errors = files.enter_context(self.errors.open("wb"))
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.command],
                cwd=self.environment.get("SHOP_FOLDER", SHOP),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
        try:
            eventually(lambda: self._ended() or self.get("/") == b"up", f"an answer of {self.command}")
            assert not self._ended(), self.output()
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._kill()
        if error is not None and hasattr(error, "add_note"):
            error.add_note(self.output())

    def _ended(self) -> bool:
        return self.process.poll() is not None

    def _kill(self) -> None:
        """The whole session, whatever is left of it."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(PATIENCE)

    def output(self) -> str:
        return self.errors.read_text(errors="replace")

    def get(self, path: str) -> bytes:
        """The answer; nothing while the server does not listen."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as answer:
                return bytes(answer.read())
        except (ConnectionError, urllib.error.URLError):
            return b""

    def ask(self, page: str = "queue") -> int:
        """Queues one task, at once or with "later" in an hour, and returns the process that has it."""
        number, body = eventually(lambda: self._try(page), "an answer")
        answer = self.submitted[number] = dict(json.loads(body))
        return int(answer["pid"])

    def _try(self, page: str) -> tuple[int, bytes] | None:
        with self._lock:
            self._numbers += 1
            number = self._numbers
        body = self.get(f"/{page}/{number}")
        return (number, body) if body else None  # without an answer, the task may be queued or not

    def ask_later(self) -> list[int]:
        """Queues one task for later: the numbers that cannot be done."""
        before = set(self.submitted)
        self.ask("later")
        return list(set(self.submitted) - before)

    def ask_all(self, processes: int, least: int = 12) -> set[int]:
        """Queues tasks until so many processes have taken some, and at least so many; those processes."""
        with ThreadPoolExecutor(6) as pool:
            for _ in range(100):
                list(pool.map(lambda _: self.ask(), range(6)))
                if len(self.pids()) >= processes and len(self.submitted) >= least:
                    break
        assert len(self.pids()) == processes, self.pids()
        return self.pids()

    def pids(self) -> set[int]:
        return {answer["pid"] for answer in self.submitted.values()}

    def done(self) -> dict[int, list[int]]:
        """The processes in which each task ran."""
        found: dict[int, list[int]] = {}
        if self.log.exists():
            for line in self.log.read_text().splitlines():
                number, pid = map(int, line.split())
                found.setdefault(number, []).append(pid)
        return found

    def open_gate(self) -> None:
        self.gate.touch()

    def stop(
        self, pid: int | None = None, number: int = signal.SIGTERM, until: str = "", times: int = 1, gate: bool = True
    ) -> int:
        """Sends the signal, to the process that was started or to that one; the exit status.

        The gate is opened when the text `until` was printed so many times: then the server has stopped, and all that
        is done from there on is done by the draining.
        """
        os.kill(self.process.pid if pid is None else pid, number)
        if until:
            eventually(lambda: self.output().count(until) >= times, until)
        if gate:
            self.open_gate()
        return self.process.wait(PATIENCE)

    def account(self, dropped: Iterable[int] = ()) -> None:
        """Every task ran once, in the process that took it, or is among those that must be dropped, and named so."""
        expected_drops = set(dropped)
        done = {number: pids for number, pids in self.done().items() if number in self.submitted}
        ran = {number: [answer["pid"]] for number, answer in self.submitted.items() if number not in expected_drops}
        assert done == ran
        named = set(re.findall(r"dropped: task \S*?([0-9a-f]{32}|[0-9a-f-]{36})\b", self.output()))
        assert named == {self.submitted[number]["id"] for number in expected_drops}
