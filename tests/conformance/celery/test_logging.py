"""Log records about tasks: logger names, texts, levels, extra data; task loggers; what Celery sets up.

The `logging_on` fixture lets Celery configure loggers, which the other files leave alone.
"""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from .waiting import until, value_of


def records(caplog: pytest.LogCaptureFixture, name: str) -> list[logging.LogRecord]:
    """Return what one logger said."""
    return [record for record in caplog.records if record.name == name]


@pytest.fixture
def trace(app: Any, worker: Any, caplog: pytest.LogCaptureFixture) -> Any:
    """Return a function that runs a task once and answers with the records about its run."""

    def run(body: Any, *args: Any, **options: Any) -> list[logging.LogRecord]:
        task = app.task(name="body", **options)(body)
        done: list[Any] = []

        @app.task(name="ping")
        def ping() -> None:
            done.append(1)

        for name in ("celery.app.trace", "celery.worker.strategy", "celery.worker.request"):
            caplog.set_level(logging.DEBUG, logger=name)
        with worker(app, concurrency=1):
            run.result = task.delay(*args)
            value_of(ping.delay())
        return [r for r in caplog.records if getattr(r, "data", {}).get("name") == "body" or "body[" in r.getMessage()]

    return run


def ok(x: int = 0) -> int:
    """Return the argument."""
    return x


def bad() -> None:
    """Fail."""
    raise ValueError("x")


def test_received(trace: Any, observed: Any) -> None:
    record = next(r for r in trace(ok, 3) if "received" in r.getMessage())
    assert record.getMessage() == f"Task body[{trace.result.id}] received"
    observed("logger", [record.name, record.levelname])
    observed("data", sorted(record.data))


def test_succeeded(trace: Any, observed: Any) -> None:
    record = next(r for r in trace(ok, 3) if "succeeded" in r.getMessage())
    assert re.fullmatch(rf"Task body\[{trace.result.id}\] succeeded in [0-9.e-]+s: 3", record.getMessage())
    observed("logger", [record.name, record.levelname])
    observed("data", sorted(record.data))
    assert record.data["id"] == trace.result.id
    assert record.data["return_value"] == "3"


def test_failed(trace: Any, observed: Any) -> None:
    record = next(r for r in trace(bad) if "raised" in r.getMessage())
    assert record.getMessage() == f"Task body[{trace.result.id}] raised unexpected: ValueError('x')"
    observed("logger", [record.name, record.levelname])
    observed("data", sorted(record.data))
    assert record.exc_info is not None
    assert record.exc_info[0] is ValueError


def test_expected_failure(trace: Any, observed: Any) -> None:
    record = next(r for r in trace(bad, throws=(ValueError,)) if "raised" in r.getMessage())
    assert record.getMessage() == f"Task body[{trace.result.id}] raised expected: ValueError('x')"
    observed("logger", [record.name, record.levelname])
    observed("exc_info", bool(record.exc_info))


def test_retry(trace: Any, observed: Any) -> None:
    def again(self: Any) -> None:
        raise self.retry(exc=ValueError("x"), countdown=600)

    record = next(r for r in trace(again, bind=True) if "retry" in r.getMessage())
    assert record.getMessage() == f"Task body[{trace.result.id}] retry: Retry in 600s: ValueError('x')"
    observed("logger", [record.name, record.levelname])


@pytest.mark.parametrize(("name", "word"), [("Ignore", "ignored"), ("Reject", "reject")])
def test_ignored_and_rejected(api: Any, trace: Any, observed: Any, name: str, word: str) -> None:
    def stop() -> None:
        raise getattr(api.exceptions, name)("why")

    found = [r for r in trace(stop) if word in r.getMessage().lower()]
    observed("messages", sorted({re.sub(r"\[.*?\]", "[id]", r.getMessage()) + " " + r.levelname for r in found}))


def test_unknown_task(app: Any, worker: Any, caplog: pytest.LogCaptureFixture, observed: Any) -> None:
    @app.task
    def ping() -> None:
        """Nothing."""

    with worker(app, concurrency=1):
        app.send_task("nothing.here")
        value_of(ping.delay())
    found = [r for r in caplog.records if "unregistered task" in r.getMessage()]
    assert "nothing.here" in found[0].getMessage()
    observed("level", [len(found), found[0].levelname])


def test_revoked(app: Any, worker: Any, caplog: pytest.LogCaptureFixture, observed: Any) -> None:
    caplog.set_level(logging.INFO)

    @app.task(name="one")
    def one() -> None:
        """Nothing."""

    with worker(app, concurrency=1):
        result = one.apply_async(countdown=0.7)
        result.revoke()
        until(lambda: any("Discarding revoked task" in r.getMessage() for r in caplog.records))
    record = next(r for r in caplog.records if "Discarding revoked task" in r.getMessage())
    assert record.getMessage() == f"Discarding revoked task: one[{result.id}]"
    observed("level", record.levelname)


def test_long_results_are_cut(trace: Any) -> None:
    def long() -> str:
        return "x" * 5000

    record = next(r for r in trace(long) if "succeeded" in r.getMessage())
    assert len(record.getMessage()) < 1300
    assert record.getMessage().endswith("...") or "..." in record.getMessage()


def test_resultrepr_maxsize(trace: Any, observed: Any) -> None:
    def long() -> str:
        return "x" * 500

    record = next(r for r in trace(long, resultrepr_maxsize=20) if "succeeded" in r.getMessage())
    observed("value", record.data["return_value"])


@pytest.mark.parametrize("name", ["my.tasks", __name__])
def test_task_logger(api: Any, name: str) -> None:
    logger = api.mod("utils.log").get_task_logger(name)
    assert logger.name == name
    assert logger.parent.name == "celery.task"


def test_logger(api: Any) -> None:
    assert api.mod("utils.log").get_logger("celery.mine").name == "celery.mine"
    assert api.mod("utils.log").get_logger("mine").name == "mine"


@pytest.mark.parametrize("name", ["celery", "celery.task"])
def test_reserved_task_logger_names(api: Any, name: str) -> None:
    with pytest.raises(RuntimeError):
        api.mod("utils.log").get_task_logger(name)


def test_task_formatter(api: Any, app: Any, worker: Any) -> None:
    formatter = api.mod("app.log").TaskFormatter("%(task_name)s %(task_id)s %(message)s", use_color=False)
    made = logging.LogRecord("n", logging.INFO, "p", 1, "hello", None, None)
    assert formatter.format(made) == "??? ??? hello"
    lines: list[str] = []

    @app.task(name="one")
    def one() -> None:
        lines.append(formatter.format(logging.LogRecord("n", logging.INFO, "p", 1, "hello", None, None)))

    with worker(app):
        result = one.delay()
        value_of(result)
    assert lines == [f"one {result.id} hello"]


@pytest.mark.parametrize(("text", "level"), [("INFO", 20), ("info", 20), (10, 10), ("ERROR", 40)])
def test_levels(api: Any, text: Any, level: int) -> None:
    assert api.mod("utils.log").mlevel(text) == level


def test_log_is_not_set_up_when_somebody_else_does(api: Any, app: Any) -> None:
    seen: list[Any] = []

    def own(loglevel: Any = None, **kwargs: Any) -> None:
        seen.append(loglevel)

    api.signals.setup_logging.connect(own)
    root = list(logging.getLogger().handlers)
    try:
        app.log.already_setup = False
        type(app.log)._setup = False
        app.log.setup(loglevel="INFO", redirect_stdouts=False)
    finally:
        api.signals.setup_logging.disconnect(own)
    assert seen
    assert logging.getLogger().handlers == root


def test_formats(api: Any, observed: Any) -> None:
    defaults = api.mod("app.defaults")
    observed("task", defaults.DEFAULT_TASK_LOG_FMT)
    observed("process", defaults.DEFAULT_PROCESS_LOG_FMT)


def test_stdout_of_tasks_is_left_alone(app: Any, worker: Any, capsys: pytest.CaptureFixture[str]) -> None:
    @app.task
    def speak() -> None:
        print("spoken in a task")

    with worker(app):
        value_of(speak.delay())
    assert "spoken in a task" in capsys.readouterr().out


def test_the_root_logger_is_untouched(app: Any, worker: Any) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))

    @app.task
    def one() -> None:
        """Nothing."""

    with worker(app):
        value_of(one.delay())
    assert (root.level, list(root.handlers)) == before
