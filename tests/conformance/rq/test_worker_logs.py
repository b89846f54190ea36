"""The lines that a worker writes: their order, words and levels."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager

import pytest

from . import jobs
from .watch import neutral


def named(worker, **options):
    """Return a worker with a name of its own, so that lines do not differ between runs."""
    return worker(name="W", **options)


@pytest.mark.rq212("rq212-group-log-line")
def test_all_lines_of_a_burst(queue, worker, logs, observed):
    queue.enqueue(jobs.add, 1, y=2, job_id="J")
    named(worker).work(burst=True)
    observed("lines", logs.lines)
    observed("levels", sorted({level for _, level, _ in logs.records}))
    observed("loggers", sorted({name for name, _, _ in logs.records}))


def test_lines_of_an_empty_burst(queue, worker, logs, observed):
    named(worker).work(burst=True)
    observed("lines", [line for line in logs.lines if "group" not in line])


def test_two_queues_are_named(rq, connection, logs, observed):
    rq.SimpleWorker(["high", "low"], name="W", connection=connection).work(burst=True)
    observed("lines", logs.having("Listening") + logs.having("cleaning registries"))


@pytest.mark.parametrize("result_ttl", [None, 0, -1, 7], ids=str)
def test_lifespan_of_the_result(queue, worker, logs, observed, result_ttl):
    queue.enqueue(jobs.nothing, result_ttl=result_ttl, job_id="J")
    named(worker).work(burst=True)
    observed("line", [line for line in logs.lines if "result" in line])


def test_lifespan_can_be_left_out(queue, worker, logs, observed):
    queue.enqueue(jobs.nothing)
    helper = named(worker)
    helper.log_result_lifespan = False
    helper.work(burst=True)
    observed("lines", [line for line in logs.lines if "result is kept" in line])


def test_failure_is_one_error(queue, worker, logs, observed):
    queue.enqueue(jobs.boom, "bad", job_id="J")
    named(worker).work(burst=True)
    (line,) = [message for _, level, message in logs.records if level == "ERROR"]
    observed("first", line.splitlines()[0])
    observed("second", line.splitlines()[1])
    observed("last", line.strip().splitlines()[-1])
    observed("no success", logs.having("Job OK"))


def test_without_descriptions(queue, worker, logs, observed):
    queue.enqueue(jobs.nothing, job_id="J")
    named(worker, log_job_description=False).work(burst=True)
    observed("lines", [line for line in logs.lines if "J" in line])


def test_own_description_is_logged(queue, worker, logs, observed):
    queue.enqueue(jobs.nothing, job_id="J", description="my own words")
    named(worker).work(burst=True)
    observed("lines", logs.having("my own words"))


def test_max_jobs_line(queue, worker, logs, observed):
    queue.enqueue(jobs.nothing)
    named(worker).work(burst=True, max_jobs=1)
    observed("line", logs.having("quitting"))


def test_idle_line(queue, worker, logs, observed):
    named(worker).work(max_idle_time=1)
    observed("line", logs.having("quitting"))


def test_retry_lines(rq, queue, worker, logs, observed):
    queue.enqueue(jobs.boom, retry=rq.Retry(2, [0, 60]), job_id="J")
    named(worker).work(burst=True)
    observed("lines", logs.having("remaining"))
    observed("logger", sorted({name for name, _, line in logs.records if "remaining" in line}))


def test_suspended_line(rq, queue, connection, worker, logs, observed):
    rq.suspend(connection)
    queue.enqueue(jobs.nothing)
    observed("worked", named(worker).work(burst=True))
    observed("lines", logs.having("suspended") + logs.having("unfinished"))


def test_debug_line_of_the_value(queue, worker, observed):
    lines = []

    class Keep(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    keep = Keep()
    logger = logging.getLogger("rq.worker")
    logger.addHandler(keep)
    try:
        queue.enqueue(jobs.echo, "the value")
        named(worker).work(burst=True, logging_level="DEBUG")
    finally:
        logger.removeHandler(keep)
        for name in ("rq.worker", "rq.job"):
            logging.getLogger(name).setLevel(logging.NOTSET)
    observed("line", [line for line in lines if "result: " in line])


@contextmanager
def bare():
    """Take every handler away, also those of pytest, so that the worker sets up its own."""
    loggers = [logging.getLogger(name) for name in ("", "rq", "rq.job", "rq.worker")]
    kept = [(one, one.handlers, one.propagate, one.level) for one in loggers]
    for one in loggers:
        one.handlers = []
    try:
        yield loggers[-1]
    finally:
        for one, handlers, propagate, level in kept:
            one.handlers, one.propagate = handlers, propagate
            one.setLevel(level)


def test_handlers_are_set_up_when_there_are_none(queue, worker, observed):
    with bare() as logger:
        named(worker).work(burst=True)
        answer = [(type(handler).__name__, logging.getLevelName(handler.level)) for handler in logger.handlers]
        level = logging.getLevelName(logger.level)
    observed("handlers", answer)
    observed("level", level)


@pytest.mark.rq212("rq212-log-propagation")
def test_propagation_ends_at_a_logger_that_was_set_up(queue, worker, observed):
    with bare() as logger:
        named(worker).work(burst=True)
        propagate = logger.propagate
    observed("propagate", propagate)


def test_lines_go_to_stdout_and_errors_to_stderr(queue, worker, capsys, observed):
    queue.enqueue(jobs.boom, "bad", job_id="J")
    with bare():
        named(worker).work(burst=True, logging_level="INFO")
    captured = capsys.readouterr()
    observed("out", [neutral(line[9:]) for line in captured.out.splitlines() if "default" in line])
    observed("err", [neutral(line[9:]) for line in captured.err.splitlines() if "exception raised" in line])
    assert re.match(r"\d\d:\d\d:\d\d ", captured.out)


def test_date_and_log_format(queue, worker, capsys, observed):
    with bare():
        named(worker).work(burst=True, logging_level="INFO", date_format="DATE", log_format="%(asctime)s | %(message)s")
    observed("line", [line for line in capsys.readouterr().out.splitlines() if "done, quitting" in line])


def test_quiet_worker(queue, worker, capsys, observed):
    queue.enqueue(jobs.nothing)
    with bare():
        named(worker).work(burst=True, logging_level="WARNING")
    observed("out", capsys.readouterr().out)
