"""`celery.contrib.testing` and `celery.contrib.pytest`: what users' own test suites stand on.

The worker of every other file here is `start_worker` too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from .namespace import ROOT
from .waiting import until, value_of


def test_test_app(api: Any, observed: Any) -> None:
    module = api.mod("contrib.testing.app")
    app = module.TestApp(set_as_current=False)
    observed(
        "settings",
        {
            name: app.conf[name]
            for name in ("broker_url", "result_backend", "accept_content", "worker_log_color", "broker_heartbeat")
        },
    )
    assert isinstance(app, api.Celery)


def test_test_app_with_settings(api: Any) -> None:
    app = api.mod("contrib.testing.app").TestApp(
        config={"task_default_queue": "q"}, enable_logging=True, set_as_current=False
    )
    assert app.conf.task_default_queue == "q"


def test_trap(api: Any) -> None:
    module = api.mod("contrib.testing.app")
    with pytest.raises(RuntimeError, match="depends on current_app"):
        module.Trap().anything  # noqa: B018


def test_start_worker_yields_a_controller(api: Any, app: Any) -> None:
    testing = api.mod("contrib.testing.worker")
    api.mod("contrib.testing.tasks")
    with testing.start_worker(app, pool="threads", perform_ping_check=False, loglevel="info") as controller:
        assert isinstance(controller, testing.TestWorkController)
        assert "@" in controller.hostname
        assert str(controller) == controller.hostname


def test_ping_check(api: Any, app: Any) -> None:
    testing = api.mod("contrib.testing.worker")
    api.mod("contrib.testing.tasks")
    with testing.start_worker(app, pool="threads", ping_task_timeout=10, loglevel="info"):
        assert value_of(app.tasks["celery.ping"].delay()) == "pong"


def test_ping_check_needs_the_task(api: Any, app: Any) -> None:
    app.finalize()
    app.tasks.pop("celery.ping", None)
    with (
        pytest.raises(AssertionError),
        api.mod("contrib.testing.worker").start_worker(app, pool="threads", loglevel="info"),
    ):
        """The check comes first."""


def test_no_thread_is_left(api: Any, app: Any, worker: Any, observed: Any) -> None:
    @app.task
    def one() -> int:
        return 1

    before = set(threading.enumerate())
    with worker(app, shutdown_timeout=10):
        value_of(one.delay())
    left = [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    if observed.differs("celery-no-thread-is-left"):
        for thread in left:
            thread.join(5)
        assert [thread.name for thread in left if thread.is_alive()] == []
    else:
        assert [thread.name for thread in left if "ThreadPoolExecutor" not in thread.name] == []


@pytest.mark.manual
def test_tasks_wait_after_the_worker_stopped(app: Any, worker: Any) -> None:
    @app.task
    def one() -> int:
        return 1

    with worker(app):
        value_of(one.delay())
    result = one.delay()
    assert result.state == "PENDING"
    with worker(app):
        assert value_of(result) == 1


def test_a_task_that_runs_when_the_worker_stops(app: Any, worker: Any) -> None:
    started, go, ended = threading.Event(), threading.Event(), threading.Event()

    @app.task
    def slow() -> None:
        started.set()
        go.wait(10)
        ended.set()

    with worker(app):
        result = slow.delay()
        assert started.wait(10)
        threading.Timer(0.2, go.set).start()
    assert ended.wait(10)
    until(result.ready)
    assert result.state == "SUCCESS"


def test_signals_of_start_worker(api: Any, app: Any, worker: Any) -> None:
    testing = api.mod("contrib.testing.worker")
    seen: list[str] = []

    def note(signal: Any = None, **kwargs: Any) -> None:
        seen.append(signal.name)

    for signal in (testing.test_worker_starting, testing.test_worker_started, testing.test_worker_stopped):
        signal.connect(note)
    try:
        with worker(app, hostname="x@y"):
            seen.append("inside")
    finally:
        for signal in (testing.test_worker_starting, testing.test_worker_started, testing.test_worker_stopped):
            signal.disconnect(note)
    assert [name for name in seen if name != "test_worker_started"] == [
        "test_worker_starting",
        "inside",
        "test_worker_stopped",
    ]


def test_errors_inside_pass_through(app: Any, worker: Any) -> None:
    with pytest.raises(KeyError, match="mine"), worker(app, hostname="x@y"):
        raise KeyError("mine")


@pytest.mark.parametrize("name", ["TaskMessage", "TaskMessage1", "task_message_from_sig"])
def test_mocks_exist(api: Any, name: str) -> None:
    assert callable(getattr(api.mod("contrib.testing.mocks"), name))


def test_task_message(api: Any, observed: Any) -> None:
    message = api.mod("contrib.testing.mocks").TaskMessage("some.name", id="the-id", args=(1,), kwargs={"a": 2})
    observed("headers", {key: message.headers[key] for key in ("id", "task")})
    observed("body", message.payload)


PLUGIN_TEST = """
import pytest


@pytest.fixture(scope="session")
def celery_config():
    quick = {"polling_interval": 0.01}
    return {"broker_url": "memory://", "result_backend": "cache+memory://", "broker_transport_options": quick}


@pytest.fixture(scope="session")
def celery_worker_pool():
    return "threads"


@pytest.fixture(scope="session")
def celery_worker_parameters():
    return {"perform_ping_check": False}


def test_app(celery_app):
    assert celery_app.conf.result_backend == "cache+memory://"


def test_worker(celery_app, celery_worker):
    @celery_app.task
    def add(x, y):
        return x + y

    celery_worker.reload()
    assert add.delay(1, 2).get(timeout=10, interval=0.01) == 3


def test_session(celery_session_app, celery_session_worker):
    assert celery_session_app.conf.broker_url == "memory://"


@pytest.mark.celery(task_default_queue="marked")
def test_mark(celery_app):
    assert celery_app.conf.task_default_queue == "marked"


def test_includes(celery_includes, celery_parameters, celery_enable_logging, use_celery_app_trap, celery_class_tasks):
    assert celery_enable_logging is False
"""


def test_fixtures_of_the_pytest_plugin(tmp_path: Path) -> None:
    (tmp_path / "test_user.py").write_text(PLUGIN_TEST)
    root = str(Path(__file__).resolve().parents[3])
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        f"{ROOT}.contrib.pytest",
        "test_user.py",
    ]
    path = os.pathsep.join(part for part in (os.environ.get("PYTHONPATH"), root if ROOT == "celery" else None) if part)
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert "5 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.manual
@pytest.mark.parametrize("switch", [None, True])
def test_the_guard_is_open(api: Any, app: Any, worker: Any, switch: bool | None, observed: Any) -> None:
    """A task may wait for another one under ``start_worker``, until a test closes the guard again."""

    @app.task
    def inner() -> int:
        return 1

    @app.task
    def outer() -> Any:
        return inner.delay().get(timeout=10, interval=0.005)

    with worker(app, concurrency=2):
        if switch is not None:
            api.mod("_state")._set_task_join_will_block(switch)
        result = outer.delay()
        until(result.ready)
        api.mod("_state")._set_task_join_will_block(False)
        observed("answer", repr(result.get(propagate=False)).split("!")[0])
