"""How the exception of a task reaches the caller: class, arguments, traceback, what is lost on the way.

Values have test_serialization.py.
"""

from __future__ import annotations

import builtins
import decimal
import sys
from typing import Any

import pytest

from .waiting import until, value_of


class Plain(Exception):
    """Importable and made from its arguments."""


class TwoArguments(Exception):
    """Importable; its arguments are its constructor's."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message, code)
        self.message, self.code = message, code


class KeywordOnly(Exception):
    """Importable; its keyword state is not in `args`."""

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class OddConstructor(Exception):
    """`cls(*args)` fails."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first}-{second}")


class ArgumentsOfObjects(Exception):
    """Has an argument that is not JSON."""


def make(kind: str) -> BaseException:
    """Return the exception that the task raises."""
    if kind == "local":
        return type("Local", (Exception,), {"__qualname__": "make.<locals>.Local"})("l")
    return {
        "value": ValueError("v"),
        "value two": ValueError("v", 2),
        "empty": ValueError(),
        "key": KeyError("k"),
        "os": FileNotFoundError(2, "No such file", "name"),
        "zero": ZeroDivisionError("z"),
        "plain": Plain("p"),
        "two": TwoArguments("m", 5),
        "keyword": KeywordOnly("m", code=5),
        "odd": OddConstructor("a", "b"),
        "objects": ArgumentsOfObjects({1, 2}),
        "unicode": UnicodeDecodeError("utf-8", b"x", 0, 1, "why"),
        "assertion": AssertionError("a"),
        "decimal": decimal.InvalidOperation([decimal.ConversionSyntax]),
        "stop": StopIteration(3),
        "nested": Plain(Plain("inner")),
    }[kind]


KINDS = (
    "value|value two|empty|key|os|zero|plain|two|keyword|odd|objects|unicode|assertion|decimal|stop|nested|local".split(
        "|"
    )
)


@pytest.mark.parametrize("kind", KINDS)
def test_exception(app: Any, worker: Any, observed: Any, kind: str) -> None:
    @app.task
    def bad() -> None:
        raise make(kind)

    with worker(app):
        result = bad.delay()
        error = value_of(result, propagate=False)
        observed(
            "class", [type(error).__module__.replace("brokerless.compat.celery_shim", "celery"), type(error).__name__]
        )
        observed("text", str(error))
        observed("args", list(error.args))
        observed("is the original class", type(error) is type(make(kind)))


@pytest.mark.parametrize("kind", ["plain", "two", "keyword"])
def test_attributes(app: Any, worker: Any, observed: Any, kind: str) -> None:
    @app.task
    def bad() -> None:
        raise make(kind)

    with worker(app):
        error = value_of(bad.delay(), propagate=False)
        observed("attributes", {name: getattr(error, name, "missing") for name in ("message", "code")})


def test_caught_by_its_class(app: Any, worker: Any) -> None:
    @app.task
    def bad() -> None:
        raise TwoArguments("m", 5)

    with worker(app), pytest.raises(TwoArguments) as caught:
        value_of(bad.delay())
    assert caught.value.code == 5


def test_an_odd_constructor_is_not_caught_by_its_class(api: Any, app: Any, worker: Any) -> None:
    @app.task
    def bad() -> None:
        raise OddConstructor("a", "b")

    with worker(app), pytest.raises(api.mod("utils.serialization").UnpickleableExceptionWrapper):
        value_of(bad.delay())


@pytest.mark.parametrize("kind", ["value", "two", "odd", "keyword"])
def test_pickle_keeps_more(make_app: Any, worker: Any, observed: Any, kind: str) -> None:
    app = make_app(result_serializer="pickle", accept_content=["pickle", "json"])

    @app.task
    def bad() -> None:
        raise make(kind)

    with worker(app):
        error = value_of(bad.delay(), propagate=False)
        observed("class", type(error).__name__)
        observed("text", str(error))


def test_traceback_is_text(app: Any, worker: Any) -> None:
    def deep() -> None:
        raise Plain("deep")

    @app.task
    def bad() -> None:
        deep()

    with worker(app):
        result = bad.delay()
        until(result.ready)
        assert isinstance(result.traceback, str)
        assert "in deep" in result.traceback
        assert result.traceback.strip().endswith("Plain: deep")


def test_remote_tracebacks(make_app: Any, worker: Any) -> None:
    import traceback

    app = make_app(task_remote_tracebacks=True)

    def deep() -> None:
        raise ValueError("deep")

    @app.task
    def bad() -> None:
        deep()

    with worker(app), pytest.raises(ValueError, match="deep") as caught:
        value_of(bad.delay())
    assert "in deep" in "".join(traceback.format_exception(caught.type, caught.value, caught.tb))


def test_chained_exceptions_in_the_traceback(app: Any, worker: Any) -> None:
    @app.task
    def bad() -> None:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error

    with worker(app):
        result = bad.delay()
        with pytest.raises(ValueError, match="second"):
            value_of(result)
        assert "ValueError: second" in result.traceback


def test_stored_form(app: Any, worker: Any, observed: Any) -> None:
    import json

    @app.task
    def bad() -> None:
        raise TwoArguments("m", 5)

    with worker(app):
        result = bad.delay()
        until(result.ready)
        backend = app.backend
        stored = json.loads(backend.encode(backend.prepare_exception(TwoArguments("m", 5))))
        observed("stored", {**stored, "exc_module": stored["exc_module"] == __name__})


@pytest.mark.parametrize(
    "stored",
    [
        {"exc_type": "ValueError", "exc_message": ["v"], "exc_module": "builtins"},
        {"exc_type": "ValueError", "exc_message": "v", "exc_module": None},
        {"exc_type": "NotThere", "exc_message": ["v"], "exc_module": "no.such.module"},
        {"exc_type": "NotThere", "exc_message": ["v"], "exc_module": "builtins"},
        {"exc_type": "KeyError", "exc_message": ["k"]},
    ],
)
def test_rebuilding(app: Any, observed: Any, stored: Any) -> None:
    error = app.backend.exception_to_python(dict(stored))
    observed("class", [type(error).__name__, [base.__name__ for base in type(error).__mro__[1:2]]])
    observed("args", list(error.args))


@pytest.mark.parametrize("name", ["system", "int", "print"])
def test_rebuilding_refuses_what_is_no_exception(api: Any, app: Any, name: str) -> None:
    module = {"system": "os", "int": "builtins", "print": "builtins"}[name]
    import os as _os

    assert _os.system
    with pytest.raises(api.exceptions.SecurityError):
        app.backend.exception_to_python({"exc_type": name, "exc_message": ["1"], "exc_module": module})


@pytest.mark.parametrize("value", [{1, 2}, object(), lambda: None], ids=["set", "object", "function"])
def test_an_unserializable_result(app: Any, worker: Any, value: Any) -> None:
    from kombu.exceptions import EncodeError

    @app.task
    def odd() -> Any:
        return value

    with worker(app):
        result = odd.delay()
        with pytest.raises(EncodeError):
            value_of(result)
        assert result.state == "FAILURE"


def test_base_exception_subclasses(app: Any, worker: Any, observed: Any) -> None:
    @app.task
    def bad() -> None:
        raise GeneratorExit("g")

    @app.task
    def ping() -> int:
        return 1

    with worker(app, concurrency=1):
        result = bad.delay()
        value_of(ping.delay())
        if observed.differs("celery-every-task-ends"):
            until(result.ready)
            assert result.state == "FAILURE"
        else:
            assert result.state in ("PENDING", "FAILURE")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with Python 3.11")
def test_exception_group(app: Any, worker: Any, observed: Any) -> None:
    @app.task
    def bad() -> None:
        raise builtins.ExceptionGroup("several", [ValueError(1), KeyError(2)])

    with worker(app):
        error = value_of(bad.delay(), propagate=False)
        observed("class", type(error).__name__)


def test_names_of_classes(api: Any, app: Any, worker: Any, observed: Any) -> None:
    """Where the package's own exceptions say that they are from."""

    @app.task(bind=True, max_retries=0)
    def gives_up(self: Any) -> None:
        raise self.retry()

    with worker(app):
        result = gives_up.delay()
        until(result.ready)
        names = [result.traceback.splitlines()[-1].split(":")[0], type(result.result).__module__, api.Task.__module__]
        ours = [
            f"brokerless.compat.celery_shim.{name}" for name in ("exceptions.MaxRetriesExceededError", "exceptions")
        ]
        observed("names", names, shim=[*ours, "brokerless.compat.celery_shim.app.task"], row="celery-class-names")
