"""One web server in a process of its own, and the flows that each web example has, over HTTP: tests of examples and of
applications on other frameworks share them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.processes import end

__all__ = ["Server", "chain_batch_and_callbacks", "figures", "progress_and_cancel", "report", "serving"]

PATIENCE = 40.0
"""Seconds; some servers share the machine with many others while they start."""


class Server:
    """Asks a server on this port; answers are status codes and JSON."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.base + path, data, {"Content-Type": "application/json"}, method=method.upper()
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def ended(self, task_id: str) -> dict[str, Any]:
        """The state of the task once it has ended."""

        def shown() -> Any:
            state = self.call("get", f"/tasks/{task_id}")[1]
            return state if state["status"] not in ("PENDING", "RUNNING") else None

        found: dict[str, Any] = until(shown)
        return found


def until(condition: Callable[[], Any]) -> Any:
    """What the condition gives once it gives something."""
    deadline, pause = time.monotonic() + PATIENCE, threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {condition}"
        pause.wait(0.005)
    return found


@contextmanager
def serving(command: Sequence[str | Path], port: int, folder: Path, **environment: str) -> Iterator[Server]:
    """Runs a Python program that serves on this port, until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    made = Server(port)

    def up() -> bool:
        assert process.poll() is None, "the server has ended"
        try:
            return made.call("get", "/tasks/health")[0] == 200
        except OSError:
            return False

    try:
        until(up)
        yield made
    finally:
        end(process, PATIENCE)


def report(server: Server) -> None:
    """A task from its start over HTTP to its result."""
    code, started = server.call("post", "/reports", {"pages": 3})
    assert code == 202
    state = server.ended(started["task_id"])
    assert (state["status"], state["progress"], state["error"]) == ("COMPLETED", 100.0, None)
    assert state["result"] == "report of 3 pages"


def progress_and_cancel(server: Server) -> None:
    """Progress is seen while the task runs, and a cancel is heard."""
    task_id = server.call("post", "/reports", {"pages": 500})[1]["task_id"]
    until(lambda: 0 < (server.call("get", f"/tasks/{task_id}")[1]["progress"] or 0) < 100)
    code, cancelled = server.call("delete", f"/tasks/{task_id}")
    assert (code, cancelled["before_start"]) == (200, False)
    assert server.ended(task_id)["result"].startswith("stopped after")


def chain_batch_and_callbacks(server: Server) -> None:
    """Tasks that are submitted together, one after the other, and with callbacks."""
    task_ids = server.call("post", "/tasks/batch", {"numbers": [1, 2, 3]})[1]["task_ids"]
    assert [server.ended(task_id)["result"] for task_id in task_ids] == [1, 4, 9]
    chain = server.call("post", "/tasks/chain", {"text": "To be or not to be"})[1]["task_id"]
    assert server.ended(chain)["result"] == {"be": 2, "not": 1, "or": 1, "to": 2}
    server.ended(server.call("post", "/orders", {"order": 1, "amount": 9.5})[1]["task_id"])
    failed = server.ended(server.call("post", "/orders", {"order": 2, "amount": 0})[1]["task_id"])
    assert (failed["status"], failed["error"]) == ("FAILED", "order 2: nothing to charge")

    def notices() -> list[str]:
        found = server.call("get", "/notices")[1]
        listed: list[str] = found["notices"] if isinstance(found, dict) else found
        return listed if len(listed) == 2 else []

    assert sorted(until(notices)) == ["failed: order 2: nothing to charge", "order 1: 9.50 charged"]


def figures(server: Server, workers: int) -> None:
    """Statistics, health, workers, and what is not there."""
    server.ended(server.call("post", "/reports", {"pages": 1})[1]["task_id"])
    code, stats = server.call("get", "/tasks/stats")
    assert code == 200
    assert stats["total_workers"] == workers
    assert stats["completed_tasks"] >= 1
    shown = [server.call("get", f"/tasks/worker/{number}") for number in range(workers + 2)]
    assert sum(code == 200 and one["status"] in ("idle", "busy") for code, one in shown) >= workers
    assert server.call("get", "/tasks/worker/99")[0] == 404
    assert server.call("get", "/tasks/" + "0" * 32)[0] == 404
    assert server.call("get", "/tasks/health")[1]["healthy"] is True
