"""Fixtures of the RQ conformance suite: a namespace, a connection, a queue, a worker and its log.

``CONFORMANCE_SIDE=oracle`` gives the real rq on a redis-server of the suite's own;
``CONFORMANCE_SIDE=shim`` (default) gives the shim in manual mode, so that a job runs only when a
test works the queue. Every test is recorded on the oracle side, also one that observes nothing:
the shim side refuses tests whose oracle run nobody has seen.

rq 3.0 is the specification. A test whose answer is another one on rq 2.12 is marked
``rq212(row)``: it must fail there, and the row of differences.md says what changed.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.recording import (  # noqa: F401
    SIDE,
    difference_rows,
    observed,
    pytest_runtest_makereport,
)
from tests.redis_server import executable, redis_server

from . import jobs
from .names import Names, names
from .watch import LogLines

HERE = Path(__file__).parent
# The real work() starts a listening thread before it refuses to run outside the main thread.
LISTENER_OF_A_REFUSED_WORKER = "ignore::pytest.PytestUnhandledThreadExceptionWarning"
LOGGERS = ("rq.worker", "rq.job", "rq.queue", "rq.scheduler", "rq.cron", "rq.webhook", "rq.registry", "rq.group")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks of this suite."""
    config.addinivalue_line("markers", "rq212(row): rq 2.12 answers otherwise; the row of differences.md says how")
    config.addinivalue_line("markers", "oracle_only(row): what the shim cannot do; the row of differences.md says why")
    config.addinivalue_line(
        "markers", "shim_only(row): what rq does not have; the row of differences.md gives the reason"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Expect a failure on rq 2.12 for each test that is marked so, and check that its row exists."""
    here = [item for item in items if HERE in Path(item.path).parents]
    for item in here:
        item.add_marker(pytest.mark.filterwarnings(LISTENER_OF_A_REFUSED_WORKER))
    marked = [(item, mark) for item in here for mark in item.iter_markers("rq212")]
    for item in here:
        for side, other in (("shim", "oracle"), ("oracle", "shim")):
            for mark in list(item.iter_markers(f"{side}_only")):
                marked.append((item, mark))
                if other == SIDE:
                    item.add_marker(pytest.mark.skip(reason=f"the {side}'s own: {mark.args[0]}"))
    if not marked:
        return
    rows = difference_rows(Path(config.rootpath))
    for _, mark in marked:
        if mark.args[0] not in rows:
            raise pytest.UsageError(f"row {mark.args[0]!r} is missing in migration_guides/differences.md")
    if SIDE == "oracle" and names().release < (3,):
        for item, mark in ((item, mark) for item, mark in marked if mark.name == "rq212"):
            item.add_marker(pytest.mark.xfail(reason=f"rq 2.12: {mark.args[0]}", strict=True))


@pytest.fixture(scope="session")
def redis_port() -> Iterator[int]:
    """Yield the port of a redis-server that lives as long as the session."""
    if executable() is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server is not installed, and CI must not skip the oracle")
        pytest.skip("the oracle side needs redis-server")
    with redis_server() as port:
        yield port


@pytest.fixture(autouse=True)
def recorded(request: pytest.FixtureRequest) -> None:
    """Give every test a record, so that the shim never runs a test unseen by the oracle."""
    if request.node.get_closest_marker("shim_only") is None:
        request.getfixturevalue("observed")


@pytest.fixture(autouse=True)
def manual_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the shim's workers still until a test works the queue itself."""
    monkeypatch.setenv("BROKERLESS_AUTOSTART", "0")


@pytest.fixture(autouse=True)
def signals_restored() -> Iterator[None]:
    """Put back the handlers that the real worker leaves installed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def rq(manual_mode: None) -> Names:
    """Return rq's names for the side in use."""
    return names()


@pytest.fixture
def connect(request: pytest.FixtureRequest, rq: Names) -> Callable[[], Any]:
    """Return a function that opens one more connection to the test's database."""
    if SIDE == "oracle":
        import redis

        port = request.getfixturevalue("redis_port")
        return lambda **options: redis.Redis(host="127.0.0.1", port=port, **options)
    stand_in = rq.module("connections").Redis
    return lambda **options: stand_in(host="127.0.0.1", port=6379, **options)


@pytest.fixture
def connection(connect: Callable[[], Any]) -> Iterator[Any]:
    """Yield a connection to an empty database, empty again afterwards."""
    client = connect()
    client.flushall()
    jobs.reset(client)
    yield client
    client.flushall()
    jobs.reset(None)
    client.close()


@pytest.fixture
def queue(rq: Names, connection: Any) -> Any:
    """Return the queue named ``default``."""
    return rq.Queue(connection=connection)


@pytest.fixture
def worker(rq: Names, connection: Any) -> Callable[..., Any]:
    """Return a function that makes a SimpleWorker for queues or their names."""

    def make(queues: Any = ("default",), **options: Any) -> Any:
        return rq.SimpleWorker(queues, connection=connection, **options)

    return make


@pytest.fixture
def burst(worker: Callable[..., Any]) -> Callable[..., bool]:
    """Return a function that works the given queues until they are empty."""

    def work(queues: Any = ("default",), **options: Any) -> bool:
        return bool(worker(queues).work(burst=True, **options))

    return work


@pytest.fixture
def logs() -> Iterator[LogLines]:
    """Yield what rq's loggers say during the test, names and numbers of this run replaced."""
    lines = LogLines()
    kept: list[tuple[logging.Logger, int]] = []
    for name in LOGGERS:
        logger = logging.getLogger(name)
        kept.append((logger, logger.level))
        logger.addHandler(lines)
        logger.setLevel(logging.INFO)
    yield lines
    for logger, level in kept:
        logger.removeHandler(lines)
        logger.setLevel(level)
