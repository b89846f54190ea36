"""`enable_background_tasks`: objects of every kind, and the starts and ends that frameworks offer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from brokerless import BackgroundTasks, EngineStats, enable_background_tasks, every
from tests.unit.rig import SOON, Gate, eventually

pytestmark = pytest.mark.usefixtures("own_locks")

Enable = Callable[..., BackgroundTasks]


class App:
    """Any object."""


@pytest.fixture
def enable(_threads_end: None) -> Iterator[Enable]:
    made: list[BackgroundTasks] = []

    def enabled(app: Any, **options: Any) -> BackgroundTasks:
        made.append(enable_background_tasks(app, **{"workers": 2, **options}))
        return made[-1]

    yield enabled
    for tasks in made:
        tasks.shutdown(timeout=SOON, cancel_pending=True)


def test_any_object(enable: Enable) -> None:
    app: Any = App()
    before = threading.active_count()
    tasks = enable(app, queue_size=50, memory_profiling=True)
    assert app.tasks is tasks
    assert (tasks.queue_size, threading.active_count()) == (50, before)

    @app.task(priority="high", tags="own")
    def double(n: int) -> int:
        return 2 * n

    handle = double.delay(4)
    assert handle.wait(SOON) == 8
    assert app.get_task_result(handle.task_id) == 8
    assert app.add_task(abs, -1).wait(SOON) == 1
    assert [one.wait(SOON) for one in app.add_batch([{"func": abs, "args": (n,)} for n in (-1, -2)])] == [1, 2]
    assert tasks.drain(SOON)
    stats = app.get_task_stats()
    assert isinstance(stats, EngineStats)
    assert (stats.completed_tasks, stats.total_tasks_processed) == (4, 4)
    memory = app.get_memory_stats()
    assert memory["allocator"] in ("malloc", "jemalloc", "python")
    assert memory["resident_mb"] == memory["memory_usage_mb"] > 0
    assert memory["jemalloc_enabled"] is app.has_jemalloc
    assert (memory["memory_profiling"], memory["auto_tuning_active"]) == (True, False)
    assert (app.memory_profiling, app.auto_memory_tuning) == (True, False)


def test_options_are_checked(enable: Enable) -> None:
    app: Any = App()
    with pytest.raises(TypeError, match="wokers"):
        enable(app, wokers=3)
    with pytest.raises(ValueError, match="queue_size=0"):
        enable(app, queue_size=0)
    with pytest.raises(ValueError, match="shutdown_timeout=-1"):
        enable(app, shutdown_timeout=-1)
    assert not hasattr(app, "tasks")


def test_twice_is_once_too_often(enable: Enable) -> None:
    app: Any = App()
    first = enable(app)
    with pytest.raises(RuntimeError, match="already"):
        enable(app)
    first.shutdown(timeout=SOON)
    assert enable(app) is app.tasks is not first


def test_an_object_that_takes_no_attributes(enable: Enable) -> None:
    with pytest.raises(TypeError, match="takes no new attributes"):
        enable(object())


def test_what_a_framework_has_of_its_own_is_replaced_or_kept(enable: Enable) -> None:
    class Framework:
        tasks = None
        has_jemalloc = "its own"
        memory_profiling = "its own"

        def add_task(self, *_: Any) -> None:
            raise AssertionError("not this one")

        def get_memory_stats(self) -> str:
            return "its own"

    app: Any = Framework()
    enable(app)
    assert app.add_task(abs, -3).wait(SOON) == 3
    assert (app.has_jemalloc, app.memory_profiling, app.get_memory_stats()) == ("its own",) * 3
    assert app.auto_memory_tuning is False


def test_flask_begins_schedules_with_the_first_request(enable: Enable) -> None:
    flask = pytest.importorskip("flask")
    app = flask.Flask(__name__)
    tasks = enable(app)
    assert app.extensions["brokerless"] is tasks
    tick = app.task(schedule=every(3600))(abs)
    app.add_url_rule("/", view_func=lambda: tick.schedule.state)
    assert tick.schedule.state == "waiting"
    assert app.test_client().get("/").text == "active"
    tasks.shutdown(timeout=SOON)
    assert app.test_client().get("/").text == "ended", "requests go on after the engine's end"


def starlette() -> Any:
    return pytest.importorskip("starlette.applications").Starlette


async def lived(app: Any, inside: Callable[[dict[str, Any]], Any]) -> None:
    """One life of an ASGI application as a server leads it."""
    scope: dict[str, Any] = {"type": "lifespan", "app": app, "state": {}}
    to_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    server = asyncio.create_task(app(scope, to_app.get, from_app.put))
    await to_app.put({"type": "lifespan.startup"})
    assert (await asyncio.wait_for(from_app.get(), SOON))["type"] == "lifespan.startup.complete"
    inside(scope["state"])
    await to_app.put({"type": "lifespan.shutdown"})
    assert (await asyncio.wait_for(from_app.get(), SOON))["type"] == "lifespan.shutdown.complete"
    await server


def test_a_lifespan_begins_schedules_and_waits_for_tasks(enable: Enable) -> None:
    order: list[str] = []

    @asynccontextmanager
    async def own(app: Any) -> AsyncIterator[dict[str, Any]]:
        order.append("start")
        yield {"kept": True}
        order.append("end")

    app = starlette()(lifespan=own)
    tasks = enable(app)
    tick = tasks.task(schedule=every(3600))(abs)
    assert tick.schedule is not None
    gate = Gate()
    handles = []

    def inside(state: dict[str, Any]) -> None:
        assert tick.schedule is not None
        assert (state, tick.schedule.state) == ({"kept": True}, "active")
        handles.append(app.add_task(gate, 5))
        gate.wait()
        threading.Timer(0.05, gate.open).start()

    for _ in range(2):
        gate.entered.clear()
        gate.release.clear()
        asyncio.run(lived(app, inside))
        assert handles[-1].value == 5, "the end waited for the task"
        assert tick.schedule.state == "waiting", "another process may take over"
    assert order == ["start", "end"] * 2


def test_the_end_of_a_lifespan_does_not_wait_for_ever(enable: Enable) -> None:
    app = starlette()()
    enable(app, shutdown_timeout=0.05)
    gate = Gate()

    def inside(_: dict[str, Any]) -> None:
        app.add_task(gate, timeout_ms=None)
        gate.wait()
        app.add_task(abs, 1, delay_ms=3_600_000)

    asyncio.run(lived(app, inside))
    gate.open()
    eventually(lambda: app.tasks.get_stats().completed_tasks == 1)


def test_django_connections_are_looked_after(enable: Enable, monkeypatch: pytest.MonkeyPatch) -> None:
    apps, db = pytest.importorskip("django.apps"), pytest.importorskip("django.db")
    closed: list[threading.Thread] = []
    monkeypatch.setattr(db, "close_old_connections", lambda: closed.append(threading.current_thread()))

    class Shop(apps.AppConfig):
        name = "shop"
        path = "."

    app: Any = Shop("shop", apps)
    tasks = enable(app)
    ran = app.add_task(threading.current_thread)
    thread = ran.wait(SOON)
    assert tasks.drain(SOON)
    assert closed == [thread, thread]
