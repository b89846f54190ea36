"""The parts under the shim's names: expiry, scored sets, identities, isolation, fork, the short cuts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from brokerless.compat.rq_shim import Queue, SimpleWorker, get_current_job
from brokerless.compat.rq_shim.job import Job
from brokerless.compat.rq_shim.runtime import clock, fast
from brokerless.compat.rq_shim.runtime.expiry import Expiry
from brokerless.compat.rq_shim.runtime.identity import identity_of, options_of_url
from brokerless.compat.rq_shim.runtime.records import new_id, plain_call
from brokerless.compat.rq_shim.runtime.scored import ScoredSet
from brokerless.compat.rq_shim.runtime.store import store_of

import brokerless
from tests.unit.rig import python_ok

SOON = 10.0


def add(x: Any, y: Any = 1) -> Any:
    """A job."""
    return x + y


def grow(values: list[int]) -> list[int]:
    """A job that changes its argument."""
    values.append(0)
    return values


def own_id() -> str:
    """A job that looks at itself."""
    job = get_current_job()
    job.meta["seen"] = True
    job.save_meta()
    return str(job.id)


@pytest.fixture
def hand() -> Iterator[list[float]]:
    """A clock set by hand: the first item is the time."""
    time = [1_000_000.0]
    clock.set_clock(lambda: time[0])
    yield time
    clock.set_clock(None)


def test_expiry_gives_only_what_is_due() -> None:
    index = Expiry()
    assert index.add("b", 20.5)
    assert index.add("a", 10)
    assert not index.add("c", 20.1)
    assert index.first() == 10
    assert list(index.pop_due(15)) == ["a"]
    index.discard("b", 20.5)
    assert list(index.pop_due(30)) == ["c"]
    assert index.first() is None


def test_scored_set_removes_what_is_due_and_nothing_else() -> None:
    scored = ScoredSet()
    for member, score in (("a", 5), ("b", 5.5), ("c", 7), ("never", float("inf")), ("odd", -2)):
        assert scored.set(member, score)
    assert not scored.set("c", 6)
    assert scored.due(5.2) == ["a"]
    assert scored.remove_due(5.2) == 1
    assert scored.remove_due(100) == 2
    assert scored.ordered() == ["odd", "never"]


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://localhost:6379/3", {"host": "127.0.0.1", "db": 3}),
        ("rediss://u:p@Example.org:7000", {"host": "example.org", "port": 7000}),
        ("unix:///tmp/r.sock?db=2", {"path": "/tmp/r.sock", "db": 2}),
    ],
)
def test_a_url_and_its_options_are_one_identity(url: str, options: dict[str, Any]) -> None:
    assert identity_of(options_of_url(url)) == identity_of(options)


def test_ids_are_random_uuids() -> None:
    made = {new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(one) == 36 and one[14] == "4" and one[19] in "89ab" for one in made)


def test_only_plain_calls_do_without_bytes() -> None:
    assert plain_call("f", (1, "a", None), {"x": 2.5}) is not None
    assert plain_call("f", ([1],), {}) is None
    assert plain_call("f", (), {"x": {}}) is None


def test_arguments_and_results_are_isolated(connection: Any) -> None:
    queue = Queue(connection=connection, autostart=False)
    values = [1]
    job = queue.enqueue(grow, values)
    values.append(99)
    SimpleWorker([queue]).work(burst=True)
    assert job.return_value() == [1, 0]
    job.return_value().append(7)
    assert job.return_value(refresh=True) == [1, 0]


def test_what_cannot_be_pickled_raises_at_once(connection: Any) -> None:
    queue = Queue(connection=connection, autostart=False)
    with pytest.raises((TypeError, AttributeError)):
        queue.enqueue(add, os.scandir("."))
    assert queue.count == 0


@pytest.mark.parametrize(
    "patch",
    [
        (Queue, "enqueue_job"),
        (Queue, "enqueue_call"),
        (Queue, "create_job"),
        (Queue, "push_job_id"),
        (Job, "save"),
        (Job, "create"),
    ],
    ids=lambda patch: f"{patch[0].__name__}.{patch[1]}",
)
def test_patched_hooks_are_called(connection: Any, patch: tuple[type, str]) -> None:
    queue = Queue(connection=connection, autostart=False)
    assert fast.is_ordinary(queue)
    owner, name = patch
    with mock.patch.object(owner, name, autospec=True) as hook, contextlib.suppress(Exception):
        queue.enqueue(add, 1)  # what the hook's stand-in returns is no job
    assert hook.called
    assert fast.is_ordinary(queue)


def test_hooks_of_one_object_and_of_subclasses_are_called(connection: Any) -> None:
    queue = Queue(connection=connection, autostart=False)
    with mock.patch.object(queue, "enqueue_job") as hook:
        queue.enqueue(add, 1)
    assert hook.called

    class Mine(Queue):
        """Overrides nothing, but might."""

    assert not fast.is_ordinary(Mine(connection=connection))


def test_patched_worker_hooks_are_called_on_own_threads(connection: Any) -> None:
    from brokerless.compat.rq_shim.worker import BaseWorker

    original = BaseWorker.perform_job
    seen: list[str] = []

    def patched(self: Any, job: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(job.id)
        return original(self, job, *args, **kwargs)

    queue = Queue(connection=connection, autostart=True)
    with mock.patch.object(BaseWorker, "perform_job", patched):
        job = queue.enqueue(add, 1)
        assert job.wait(SOON)
    assert seen == [job.id]
    assert job.return_value() == 2


PATCHED_BEFORE_THE_FIRST_JOB = """
from posixpath import basename

from brokerless.compat.rq_shim import Queue
from brokerless.compat.rq_shim.{module} import {name}

original, seen = {name}.{method}, []

def patched(self, *args, **kwargs):
    seen.append(type(self).__name__)
    return original(self, *args, **kwargs)

{name}.{method} = patched

job = Queue(autostart=True).enqueue(basename, "/a/b")
assert job.wait(20), job
assert seen == ["{seen}"], seen
"""


@pytest.mark.parametrize(
    ("module", "name", "method", "seen"),
    [
        ("worker", "BaseWorker", "perform_job", "AutoWorker"),
        ("worker", "Worker", "perform_job", "AutoWorker"),
        ("worker.base", "BaseWorker", "prepare_execution", "AutoWorker"),
        ("job", "Job", "perform", "Job"),
        ("job", "Job", "_handle_success", "Job"),
    ],
)
def test_patches_made_before_the_first_job_count(module: str, name: str, method: str, seen: str) -> None:
    """An add-on patches when the program starts, and then nothing of the workers may be loaded yet."""
    python_ok(PATCHED_BEFORE_THE_FIRST_JOB.format(module=module, name=name, method=method, seen=seen))


def test_the_current_job_on_own_threads(connection: Any) -> None:
    job = Queue(connection=connection, autostart=True).enqueue(own_id)
    assert job.wait(SOON)
    assert job.return_value() == job.id
    job.refresh()
    assert job.meta == {"seen": True}


def test_finished_jobs_end_with_their_time(connection: Any, hand: list[float]) -> None:
    queue = Queue(connection=connection, autostart=False)
    job = queue.enqueue(add, 1, result_ttl=100)
    SimpleWorker([queue]).work(burst=True)
    assert queue.finished_job_registry.count == 1
    hand[0] += 99
    assert Job.exists(job.id, connection=connection)
    hand[0] += 2
    assert not Job.exists(job.id, connection=connection)
    assert queue.finished_job_registry.count == 0
    store = store_of(connection)
    store.reap()
    assert not store.jobs
    assert not store.ending.buckets


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_works_for_itself(connection: Any) -> None:
    queue = Queue(connection=connection, autostart=True)
    assert queue.enqueue(add, 1).wait(SOON)
    child = os.fork()
    if child == 0:
        job = queue.enqueue(add, 20, 22)
        os._exit(0 if job.wait(SOON) and job.return_value() == 42 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert queue.enqueue(add, 1).wait(SOON)


def test_import_loads_little_and_starts_nothing() -> None:
    """A program that only enqueues pays for neither the other shim's libraries nor asyncio, cron or the command line."""
    code = (
        "import sys, threading\n"
        "import brokerless.compat.rq_shim\n"
        "heavy = {'asyncio', 'kombu', 'croniter', 'click', 'redis', 'logging.config', 'http.client'}\n"
        "print(sorted(heavy & set(sys.modules)), threading.active_count())"
    )
    home = Path(brokerless.__path__[0]).parent
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["[]", "1"], done.stdout + done.stderr
