"""`@job(..., compile_to_c=)`: jobs run as C where the function qualifies, with the same results and limits."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from brokerless.compat.rq_shim.decorators import job
from brokerless.compat.rq_shim.job import JobStatus

from brokerless.compiler import CompilationError, default_compiler
from brokerless.compiler.toolchain import find
from tests.unit.rig import SOON

pytestmark = pytest.mark.skipif(find() is None, reason="no C compiler on this machine")


def squares(values: list[int]) -> int:
    total = 0
    for value in values:
        total += value * value
    return total


def endless(step: int) -> int:
    state = 0
    while True:
        state = (state + step) % 1000
    return state


def shout(text: str) -> str:
    print(text)
    return text


@pytest.fixture(scope="module", autouse=True)
def watcher() -> None:
    """The thread that watches compiled calls stays for a while: it is there before a test looks for new threads."""
    default_compiler().compile(squares, "require")([1])


@pytest.fixture(autouse=True)
def automatic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BROKERLESS_AUTOSTART", raising=False)


def test_a_job_runs_as_c_with_the_same_result(connection: Any) -> None:
    job("in-c", connection=connection, compile_to_c="require")(squares)
    done = squares.delay([1, 2, 3])  # type: ignore[attr-defined]
    assert done.wait(SOON)
    assert done.return_value() == 14
    assert default_compiler().get_compilation_info(squares).signatures
    # too large for 64 bits: done again in Python
    large = squares.delay([2**62, 1])  # type: ignore[attr-defined]
    assert large.wait(SOON)
    assert large.return_value() == 2**124 + 1


def test_a_limit_ends_an_endless_loop_in_c(connection: Any) -> None:
    job("in-c", connection=connection, timeout=1, compile_to_c="require")(endless)
    stopped = endless.delay(1)  # type: ignore[attr-defined]
    assert stopped.wait(SOON)
    assert stopped.get_status() is JobStatus.FAILED
    assert "JobTimeoutException" in stopped.latest_result().exc_string


def test_what_does_not_qualify(connection: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "brokerless"):
        job("in-c", connection=connection, compile_to_c=True)(shout)
    assert "shout stays in Python" in caplog.text
    said = shout.delay("x")  # type: ignore[attr-defined]
    assert said.wait(SOON)
    assert said.return_value() == "x"
    with pytest.raises(CompilationError, match="shout cannot be compiled"):
        job("in-c", connection=connection, compile_to_c="require")(shout)
