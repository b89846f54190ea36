"""Fixtures of the Celery conformance suite: the package under test, applications, running workers.

Oracle side: a threads worker over the memory broker; `redis_app` has Redis as broker and backend, and
`prefork_app` a prefork worker beside it, where only processes show the behaviour. Shim side: the same
calls on the shim, which has one kind of worker, with the result store that it has without a setting
(CONFORMANCE_BACKEND=cache+memory:// takes another); CONFORMANCE_AUTOSTART=1 leaves out `start_worker` and
relies on the worker that starts with the first task.

Does not compare anything: `observed` of tests/conformance/recording.py does.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conformance.recording import SIDE, observed, pytest_runtest_makereport
from tests.redis_server import executable, redis_server

from .canvases import kit, redis_kit
from .namespace import API, Namespace

__all__ = ["kit", "observed", "pytest_runtest_makereport", "redis_kit"]

AUTOSTART = SIDE == "shim" and os.environ.get("CONFORMANCE_AUTOSTART") == "1"
if SIDE == "shim" and not AUTOSTART:
    os.environ["BROKERLESS_AUTOSTART"] = "0"
BACKEND = os.environ.get("CONFORMANCE_BACKEND") or ("cache+memory://" if SIDE == "oracle" else None)
INNER = os.environ.get("CONFORMANCE_INNER") == "1"
POOLS: dict[int, str] = {}
COUNTER = itertools.count()
if SIDE == "oracle":
    from kombu import Connection
    from kombu.transport import memory

    _drain_events = Connection.drain_events

    def _drain_in_short_steps(self: Any, **kwargs: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            kwargs["timeout"] = min(kwargs.get("timeout") or 0.05, 0.05)
        return _drain_events(self, **kwargs)

    # The worker looks at its stop flag once per drain_events, which waits two seconds otherwise.
    Connection.drain_events = _drain_in_short_steps


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks of this suite."""
    config.addinivalue_line("markers", "manual: needs a mode in which nothing runs before a worker is started")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of the manual mode when workers start by themselves."""
    for item in items:
        if AUTOSTART and item.get_closest_marker("manual"):
            item.add_marker(pytest.mark.skip(reason="workers start by themselves in this run"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test with prefork workers in a pytest of its own: children forked beside many threads may hang."""
    if SIDE != "oracle" or INNER or "prefork_app" not in getattr(item, "fixturenames", ()):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    started = time.time()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--timeout", "60", item.nodeid]
    done = subprocess.run(
        command,
        env={**os.environ, "CONFORMANCE_INNER": "1"},
        cwd=item.config.rootpath,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    report = pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        outcome="passed" if done.returncode == 0 else "failed",
        longrepr=None if done.returncode == 0 else done.stdout,
        when="call",
        start=started,
        stop=time.time(),
        duration=time.time() - started,
    )
    item.ihook.pytest_runtest_logreport(report=report)
    # the test before this one left its module set up, because this one follows it there; no hook ends that alone
    item.session._setupstate.teardown_exact(nextitem)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture
def api() -> Namespace:
    """The package under test."""
    return API


@pytest.fixture
def side() -> str:
    """`oracle` or `shim`."""
    return SIDE


@pytest.fixture(autouse=True)
def proved(observed: Any) -> None:
    """Every test leaves a record, so that the shim side knows that the oracle passed it."""


@pytest.fixture(autouse=True)
def clean_state(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test the process-wide state of a fresh import: current app, shared tasks, logging."""
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL", "CELERY_RESULT_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    API.mod("app.builtins")
    API.mod("contrib.testing.tasks")
    state = API.mod("_state")
    finalizers = set(state._on_app_finalizers)
    default = state.default_app
    current = getattr(state._tls, "current_app", None)

    def leave_logging_alone(**kwargs: Any) -> None:
        """A receiver of setup_logging: Celery then configures no logger."""

    API.signals.setup_logging.connect(leave_logging_alone)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    API.signals.setup_logging.disconnect(leave_logging_alone)
    root.handlers[:], root.level = handlers, level
    state._on_app_finalizers.clear()
    state._on_app_finalizers.update(finalizers)
    state.default_app = default
    state._tls.current_app = current
    state._set_task_join_will_block(False)
    for known in (
        "revoked",
        "revoked_stamps",
        "reserved_requests",
        "active_requests",
        "successful_requests",
        "total_count",
    ):
        getattr(API.mod("worker.state"), known).clear()
    if SIDE == "shim":
        API.mod("runtime.broker")._brokers.clear()
        for store in API.mod("backends.local")._stores.values():
            store.results.clear()
            store.keys.clear()
    else:
        memory.Channel.queues.clear()
        memory.Transport.global_state.clear()
        API.mod("backends.cache")._DUMMY_CLIENT_CACHE.clear()


@pytest.fixture
def make_app(api: Namespace) -> Iterator[Callable[..., Any]]:
    """Return a maker of applications with a broker in memory and a backend in memory."""
    made: list[Any] = []

    def make(main: str | None = "conf", **conf: Any) -> Any:
        # A worker that started by itself goes on: the next test's application must not be its too.
        url = f"memory://{next(COUNTER)}" if AUTOSTART else "memory://"
        app = api.Celery(main, broker=url, backend=BACKEND)
        app.conf.update({"broker_transport_options": {"polling_interval": 0.005}, **conf})
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()


@pytest.fixture
def app(make_app: Callable[..., Any]) -> Any:
    """A fresh application."""
    return make_app()


@pytest.fixture
def worker(api: Namespace) -> Callable[..., Any]:
    """Return a context manager that runs a worker for an application."""

    @contextlib.contextmanager
    def running(app: Any, **options: Any) -> Iterator[Any]:
        if AUTOSTART and not options:
            yield None
            return
        settings = {
            "pool": POOLS.get(id(app), "threads"),
            "concurrency": 2,
            "perform_ping_check": False,
            "shutdown_timeout": 30.0,
            "loglevel": "info",
            **options,
        }
        with api.mod("contrib.testing.worker").start_worker(app, **settings) as controller:
            yield controller

    return running


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a Redis of our own on a free loopback port (oracle side only)."""
    if executable() is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server is missing, and CI must not skip the oracle")
        pytest.skip("redis-server is missing")
    with redis_server() as port:
        yield f"redis://127.0.0.1:{port}/0"


def _with_redis(request: pytest.FixtureRequest, app: Any, pool: str) -> Any:
    if SIDE == "oracle":
        url = request.getfixturevalue("redis_url")
        app.conf.update(broker_url=url, result_backend=url)
        POOLS[id(app)] = pool
        request.addfinalizer(lambda: POOLS.pop(id(app)))
        request.addfinalizer(app.control.purge)
    return app


@pytest.fixture
def redis_app(request: pytest.FixtureRequest, make_app: Callable[..., Any]) -> Any:
    """An application whose oracle has Redis as broker and backend (results are pushed to the waiter)."""
    return _with_redis(request, make_app(), "threads")


@pytest.fixture
def prefork_app(request: pytest.FixtureRequest, make_app: Callable[..., Any]) -> Any:
    """An application whose oracle runs tasks in child processes: limits and termination are real there."""
    return _with_redis(request, make_app(), "prefork")


class SignalLog:
    """What some signals carried, in order: `names()`, `of(name)`; keeps the receivers alive."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any, dict[str, Any]]] = []
        self.connected: list[tuple[Any, Any]] = []

    def listen(self, *names: str, **options: Any) -> SignalLog:
        """Record each of these signals from now on."""
        for name in names:
            signal = getattr(API.signals, name)

            def receive(sender: Any = None, _name: str = name, **kwargs: Any) -> None:
                kwargs.pop("signal", None)
                self.events.append((_name, sender, kwargs))

            signal.connect(receive, weak=False, **options)
            self.connected.append((signal, receive))
        return self

    def names(self) -> list[str]:
        """Return the signals in the order in which they came."""
        return [name for name, _, _ in self.events]

    def of(self, name: str) -> list[tuple[Any, dict[str, Any]]]:
        """Return (sender, arguments) of each time that ``name`` came."""
        return [(sender, kwargs) for seen, sender, kwargs in self.events if seen == name]

    def close(self) -> None:
        """Disconnect what `listen` connected."""
        for signal, receive in self.connected:
            signal.disconnect(receive)


@pytest.fixture
def signal_log() -> Iterator[SignalLog]:
    """A SignalLog that ends with the test."""
    log = SignalLog()
    yield log
    log.close()
