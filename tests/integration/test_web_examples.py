"""The web examples through their frameworks' clients: every route, and the ends that a framework offers."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from brokerless import QueueFull
from tests.unit.rig import SOON, eventually

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def load(name: str) -> ModuleType:
    """The example, newly executed: each test has an engine of its own."""
    specification = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Web:
    """One example behind its framework's client: `call()` answers with the status code and the JSON."""

    def __init__(self, module: ModuleType, client: Any, flask: bool) -> None:
        self.module = module
        self.client = client
        self._flask = flask

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = getattr(self.client, method)(path, **({} if body is None else {"json": body}))
        return answer.status_code, answer.get_json() if self._flask else answer.json()

    def ended(self, task_id: str) -> dict[str, Any]:
        def shown() -> Any:
            code, state = self.call("get", f"/tasks/{task_id}")
            assert code == 200
            return state if state["status"] not in ("PENDING", "RUNNING") else None

        found: dict[str, Any] = eventually(shown)
        return found


@contextmanager
def example(kind: str) -> Iterator[Web]:
    pytest.importorskip(kind)
    if kind == "flask":
        module = load("flask_app")
        yield Web(module, module.app.test_client(), True)
    else:
        pytest.importorskip("httpx")
        from fastapi.testclient import TestClient

        module = load("fastapi_app")
        with TestClient(module.app) as client:
            yield Web(module, client, False)
    module.tasks.shutdown(timeout=SOON, cancel_pending=True)


@pytest.fixture(autouse=True)
def _locks(no_thread_leak: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKERLESS_LOCK_DIR", str(tmp_path / "locks"))


@pytest.fixture(params=["flask", "fastapi"])
def web(request: pytest.FixtureRequest) -> Iterator[Web]:
    with example(request.param) as made:
        yield made


@pytest.fixture
def api() -> Iterator[Web]:
    """What only FastAPI's example has: it streams, waits and recurs."""
    with example("fastapi") as made:
        yield made


def test_a_report_from_its_start_to_its_result(web: Web) -> None:
    code, started = web.call("post", "/reports", {"pages": 3})
    assert code == 202
    state = web.ended(started["task_id"])
    assert state == {
        "task_id": started["task_id"],
        "status": "COMPLETED",
        "progress": 100.0,
        "result": "report of 3 pages",
        "error": None,
    }


def test_progress_is_seen_while_it_runs_and_a_cancel_is_heard(web: Web) -> None:
    task_id = web.call("post", "/reports", {"pages": 500})[1]["task_id"]
    eventually(lambda: 0 < (web.call("get", f"/tasks/{task_id}")[1]["progress"] or 0) < 100)
    assert web.call("delete", f"/tasks/{task_id}") == (200, {"before_start": False, "status": "RUNNING"})
    assert web.ended(task_id)["result"].startswith("stopped after")


def test_a_task_that_has_not_started_is_cancelled(web: Web) -> None:
    web.module.tasks.pause()
    task_id = web.call("post", "/reports", {"pages": 1})[1]["task_id"]
    assert web.call("delete", f"/tasks/{task_id}") == (200, {"before_start": True, "status": "CANCELLED"})
    web.module.tasks.resume()
    assert web.ended(task_id)["status"] == "CANCELLED"


def test_a_batch(web: Web) -> None:
    code, started = web.call("post", "/tasks/batch", {"numbers": [1, 2, 3]})
    assert code == 202
    assert [web.ended(task_id)["result"] for task_id in started["task_ids"]] == [1, 4, 9]


def test_a_chain(web: Web) -> None:
    code, started = web.call("post", "/tasks/chain", {"text": "To be or not to be"})
    assert code == 202
    assert web.ended(started["task_id"])["result"] == {"be": 2, "not": 1, "or": 1, "to": 2}


def test_callbacks(web: Web) -> None:
    paid = web.call("post", "/orders", {"order": 1, "amount": 9.5})[1]["task_id"]
    assert web.ended(paid)["result"] == "order 1: 9.50 charged"
    failed = web.ended(web.call("post", "/orders", {"order": 2, "amount": 0})[1]["task_id"])
    assert (failed["status"], failed["error"]) == ("FAILED", "order 2: nothing to charge")
    notices = eventually(lambda: len(web.call("get", "/notices")[1]) == 2 and web.call("get", "/notices")[1])
    assert sorted(notices) == ["failed: order 2: nothing to charge", "order 1: 9.50 charged"]


def test_figures(web: Web) -> None:
    web.ended(web.call("post", "/reports", {"pages": 1})[1]["task_id"])
    web.call("post", "/tasks/batch", {"numbers": [1]})
    assert web.module.tasks.drain(SOON)
    code, stats = web.call("get", "/tasks/stats")
    assert code == 200
    assert stats["completed_tasks"] == 2
    code, health = web.call("get", "/tasks/health")
    assert (code, health["healthy"], health["queued"]) == (200, True, 0)
    known = web.module.tasks.get_worker_stats()[0].worker_id
    code, worker = web.call("get", f"/tasks/worker/{known}")
    assert (code, worker["worker_id"], worker["status"]) == (200, known, "idle")


@pytest.mark.parametrize("path", ["/tasks/worker/99", "/tasks/" + "0" * 32])
def test_what_is_not_there(web: Web, path: str) -> None:
    answer = web.client.get(path)
    assert answer.status_code == 404
    assert "no worker 99" in answer.text or "no task 0000" in answer.text


def test_a_full_queue_is_a_503(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise QueueFull("no room")

    monkeypatch.setattr(web.module.tasks, "add_batch", refuse)
    assert web.call("post", "/tasks/batch", {"numbers": [1]}) == (503, {"error": "no room"})


def test_health_after_the_shutdown(web: Web) -> None:
    web.module.tasks.shutdown(timeout=SOON)
    code, health = web.call("get", "/tasks/health")
    assert (code, health["healthy"]) == (503, False)


def test_events_are_streamed(api: Web) -> None:
    task_id = api.call("post", "/reports", {"pages": 5})[1]["task_id"]
    kinds, last = [], {}
    with api.client.stream("GET", f"/tasks/{task_id}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("event: "):
                kinds.append(line.removeprefix("event: "))
            elif line.startswith("data: "):
                last = json.loads(line.removeprefix("data: "))
    assert kinds[-1] == "finished"
    assert set(kinds[:-1]) <= {"started", "progress"}
    assert (last["task_id"], last["status"], last["progress"]["current"]) == (task_id, "COMPLETED", 5)
    assert api.module.tasks.events._subscriptions == ()


def test_a_request_waits_without_a_thread(api: Web) -> None:
    task_id = api.call("post", "/reports", {"pages": 2})[1]["task_id"]
    assert api.call("get", f"/tasks/{task_id}/wait") == (200, {"result": "report of 2 pages"})


def test_schedules_live_as_long_as_the_server(api: Web) -> None:
    (schedule,) = api.call("get", "/tasks/schedules")[1]
    assert (schedule["state"], schedule["timetable"]) == ("active", "every(3600)")
    assert schedule["name"].endswith("forget_notices")
