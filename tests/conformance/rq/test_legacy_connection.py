"""The ``Connection`` context manager of rq 1.x, which the real package dropped and the shim offers."""

from __future__ import annotations

import pytest

from . import jobs
from .watch import outcome

ROW = "rq-legacy-connection"


@pytest.mark.parametrize(
    "name", ["Connection", "push_connection", "pop_connection", "get_current_connection", "use_connection"]
)
def test_exported_names(rq, observed, name):
    observed("exported", hasattr(rq.module(), name), shim=True, row=ROW)


def test_queue_inside_of_a_connection(rq, connection, observed):
    def program():
        with rq.module().Connection(connection):
            job = rq.Queue("old").enqueue(jobs.nothing)
        return [job.origin, job.connection is connection]

    observed("program", outcome(program).split(":")[0], shim="returned ['old', True]", row=ROW)


def test_the_worker_script_of_old_programs(rq, connection, observed):
    rq.Queue("high", connection=connection).enqueue(jobs.say, "ran")

    def program():
        with rq.module().Connection(connection):
            worker = rq.SimpleWorker(map(rq.Queue, ["high", "default"]))
            return worker.work(burst=True)

    observed("program", outcome(program).split(":")[0], shim="returned True", row=ROW)
    observed("notes", jobs.notes(), shim=["ran"], row=ROW)


def test_connections_nest(rq, connection, connect, observed):
    def program():
        other = connect(db=1)
        package = rq.module()
        with package.Connection(connection):
            with package.Connection(other):
                inner = package.get_current_connection() is other
            return [inner, package.get_current_connection() is connection]

    observed("program", outcome(program).split(":")[0], shim="returned [True, True]", row=ROW)
