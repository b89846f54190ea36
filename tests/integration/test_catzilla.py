"""The flows of the web examples on the real Catzilla, whose own task methods `enable_background_tasks` replaces."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.rig import SOON, eventually

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("catzilla") is None, reason="catzilla is not installed: pip install '.[catzilla]'"
)

HERE = Path(__file__).resolve().parent


class Server:
    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._base + path, data, {"Content-Type": "application/json"}, method=method.upper()
        )
        try:
            with urllib.request.urlopen(request, timeout=SOON) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def ended(self, task_id: str) -> dict[str, Any]:
        def shown() -> Any:
            state = self.call("get", f"/tasks/{task_id}")[1]
            return state if state["status"] not in ("PENDING", "RUNNING") else None

        found: dict[str, Any] = eventually(shown)
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, HERE / "catzilla_app.py", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    made = Server(port)

    def up() -> bool:
        assert process.poll() is None, "the server has ended"
        try:
            return made.call("get", "/tasks/health")[0] == 200
        except OSError:
            return False

    try:
        eventually(up, "the server answers")
        yield made
    finally:
        process.terminate()
        try:
            process.wait(SOON)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_a_report_from_its_start_to_its_result(server: Server) -> None:
    code, started = server.call("post", "/reports", {"pages": 3})
    assert code == 202
    state = server.ended(started["task_id"])
    assert state == {"status": "COMPLETED", "progress": 100.0, "result": "report of 3 pages", "error": None}


def test_progress_and_cancel(server: Server) -> None:
    task_id = server.call("post", "/reports", {"pages": 500})[1]["task_id"]
    eventually(lambda: 0 < (server.call("get", f"/tasks/{task_id}")[1]["progress"] or 0) < 100)
    assert server.call("delete", f"/tasks/{task_id}") == (200, {"before_start": False})
    assert server.ended(task_id)["result"].startswith("stopped after")


def test_a_batch_a_chain_and_callbacks(server: Server) -> None:
    task_ids = server.call("post", "/tasks/batch", {"numbers": [1, 2, 3]})[1]["task_ids"]
    assert [server.ended(task_id)["result"] for task_id in task_ids] == [1, 4, 9]
    chain = server.call("post", "/tasks/chain", {"text": "To be or not to be"})[1]["task_id"]
    assert server.ended(chain)["result"] == {"be": 2, "not": 1, "or": 1, "to": 2}
    server.ended(server.call("post", "/orders", {"order": 1, "amount": 9.5})[1]["task_id"])
    failed = server.ended(server.call("post", "/orders", {"order": 2, "amount": 0})[1]["task_id"])
    assert (failed["status"], failed["error"]) == ("FAILED", "order 2: nothing to charge")
    notices = eventually(lambda: len(found := server.call("get", "/notices")[1]["notices"]) == 2 and found)
    assert sorted(notices) == ["failed: order 2: nothing to charge", "order 1: 9.50 charged"]


def test_figures(server: Server) -> None:
    server.ended(server.call("post", "/reports", {"pages": 1})[1]["task_id"])
    code, stats = server.call("get", "/tasks/stats")
    assert code == 200
    assert stats["total_workers"] == 2
    assert stats["completed_tasks"] >= 1
    workers = [server.call("get", f"/tasks/worker/{number}") for number in range(4)]
    assert sum(code == 200 and one["status"] in ("idle", "busy") for code, one in workers) >= 2
    assert server.call("get", "/tasks/worker/99")[0] == 404
    assert server.call("get", "/tasks/" + "0" * 32)[0] == 404
    assert server.call("get", "/tasks/health")[1]["healthy"] is True
