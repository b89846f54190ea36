"""The task option ``compile_to_c``: the body runs as C where it qualifies, with the same results, limits and errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from brokerless.compat.celery_shim import Celery
from brokerless.compat.celery_shim.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded

from brokerless.compiler import CompilationError, default_compiler
from brokerless.compiler.toolchain import find

pytestmark = pytest.mark.skipif(find() is None, reason="no C compiler on this machine")


def squares(values: list[int]) -> int:
    total = 0
    for value in values:
        total += value * value
    return total


def shout(text: str) -> str:
    print(text)
    return text


def forever(step: int) -> int:
    state = 0
    while True:
        state = (state + step) % 1000
    return state


@pytest.fixture(scope="module", autouse=True)
def watcher() -> None:
    """The thread that watches compiled calls stays for good: it is there before a test looks for new threads."""
    default_compiler().compile(squares, "require")([1])


@pytest.fixture
def app() -> Iterator[Any]:
    made = Celery("compiled", set_as_current=False)
    yield made
    made.close()


def test_a_task_runs_as_c_with_the_same_result(app: Any) -> None:
    task = app.task(shared=False, compile_to_c="require")(squares)
    assert task.delay([1, 2, 3]).get(timeout=30) == 14
    assert default_compiler().get_compilation_info(squares).can_compile
    assert default_compiler().get_compilation_info(squares).signatures
    # too large for 64 bits: done again in Python
    assert task.delay([2**62, 1]).get(timeout=30) == 2**124 + 1
    assert task([3]) == 9


def test_off_by_default(app: Any) -> None:
    task = app.task()(shout)
    assert task.run is shout


def test_what_does_not_qualify_stays_in_python_with_one_warning(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "brokerless"):
        task = app.task(shared=False, compile_to_c=True)(shout)
        assert task.delay("x").get(timeout=30) == "x"
        assert task.delay("y").get(timeout=30) == "y"
    said = [record.getMessage() for record in caplog.records if "shout" in record.getMessage()]
    assert len(said) == 1
    assert "line" in said[0]


def test_require_raises_where_the_task_is_made(app: Any) -> None:
    with pytest.raises(CompilationError, match="shout cannot be compiled"):
        app.task(shared=False, compile_to_c="require", lazy=False)(shout)
    with pytest.raises(CompilationError, match="bind=True"):
        app.task(shared=False, compile_to_c="require", bind=True, lazy=False)(squares)
    with pytest.raises(ValueError, match="compile_to_c"):
        app.task(shared=False, compile_to_c="yes", lazy=False)(squares)


def test_limits_end_an_endless_loop_in_c(app: Any) -> None:
    soft = app.task(shared=False, compile_to_c="require", soft_time_limit=0.1, name="soft")(forever)
    with pytest.raises(SoftTimeLimitExceeded):
        soft.delay(1).get(timeout=30)
    hard = app.task(shared=False, compile_to_c="require", time_limit=0.1, name="hard")(forever)
    with pytest.raises(TimeLimitExceeded):
        hard.delay(1).get(timeout=30)
