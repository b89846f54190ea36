"""An engine is shut down and queues go on with the next one: nothing of theirs stays with the old one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from brokerless.compat.rq_shim import Queue, SimpleWorker
from brokerless.compat.rq_shim.runtime import engines
from brokerless.compat.rq_shim.runtime.store import store_of

from brokerless import Engine
from tests.unit.rig import SOON, eventually

from . import acts


@pytest.fixture
def change(rq_engine: Engine) -> Iterator[Callable[[], None]]:
    """Shuts the engine down; another one is in use after that."""
    following = Engine(name="rq-following")

    def change() -> None:
        rq_engine.shut_down(True, SOON, True)
        engines.use_engine(following)

    yield change
    following.shut_down(True, SOON, True)


def test_a_worker_takes_from_queues_old_and_new(change: Callable[[], None], connection: Any) -> None:
    high, low = (Queue(name, connection=connection, autostart=False) for name in ("high", "low"))
    worker = SimpleWorker([high, low], connection=connection)
    for queue in (high, low):
        queue.enqueue(acts.note, 0)
    assert worker.work(burst=True)
    change()
    job = low.enqueue(acts.note, 1)
    assert low.job_ids == [job.id]
    assert worker.work(burst=True)
    assert job.return_value() == 1
    assert low.job_ids == []


def test_queues_that_start_by_themselves_do_so_again(change: Callable[[], None], connection: Any) -> None:
    queue = Queue(connection=connection, autostart=True)
    assert queue.enqueue(acts.note, 0).wait(SOON)
    change()
    job = queue.enqueue(acts.note, 1)
    assert job.wait(SOON)
    assert job.return_value() == 1


def test_what_is_scheduled_comes_due_there(change: Callable[[], None], connection: Any) -> None:
    queue = Queue(connection=connection, autostart=True)
    assert queue.enqueue(acts.note, 0).wait(SOON)
    later = queue.enqueue_in(timedelta(milliseconds=50), acts.note, 1)
    change()
    assert queue.enqueue(acts.note, 2).wait(SOON)
    assert later.wait(SOON)


def test_memory_is_given_back_there(change: Callable[[], None], connection: Any) -> None:
    queue = Queue(connection=connection, autostart=True)
    store = store_of(connection)
    assert queue.enqueue(acts.note, 0, result_ttl=1).wait(SOON)
    change()
    assert queue.enqueue(acts.note, 1, result_ttl=1).wait(SOON)
    eventually(lambda: not store.jobs, "the records end with their time")
