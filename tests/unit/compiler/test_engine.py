"""Compiled functions as tasks: the same handles, limits and figures, on either core."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from brokerless import (
    BackgroundTasks,
    TaskCancelledError,
    TaskExecutionError,
    TaskPriority,
    TaskStatus,
    TimeLimitExceeded,
)
from brokerless.cli import main
from brokerless.compiler import CompilationError, TaskCompiler

from . import samples


@pytest.fixture
def tasks(tmp_path: Path, compiler: TaskCompiler) -> Iterator[BackgroundTasks]:
    with BackgroundTasks(workers=2) as made:
        made.compilation.use(compiler)
        yield made


def native(tasks: BackgroundTasks, func: object) -> int:
    return tasks.get_compilation_info(func).native_calls  # type: ignore[arg-type]


def test_without_a_wish_it_is_compiled_in_the_background(tasks: BackgroundTasks) -> None:
    expected = samples.collatz(40)
    for _ in range(3):  # looked at, asked for, built
        assert tasks.add_task(samples.collatz, 40).result(20) == expected
        assert tasks.compilation.compiler.wait(60)
    assert tasks.add_task(samples.collatz, 40, priority=TaskPriority.HIGH).result(20) == expected
    assert native(tasks, samples.collatz) >= 1
    batch = tasks.add_batch([{"func": samples.collatz, "args": (n,)} for n in (10, 20, 30)])
    before = native(tasks, samples.collatz)
    assert [handle.result(20) for handle in batch] == [samples.collatz(n) for n in (10, 20, 30)]
    assert native(tasks, samples.collatz) - before <= 3
    assert native(tasks, samples.collatz) >= 4
    stats = tasks.get_stats()
    assert stats.tasks_compiled_to_c == 1
    assert stats.c_compilation_success_rate == 1.0
    assert stats.c_speedup_factor > 0


def test_functions_without_loops_are_left_alone(tasks: BackgroundTasks) -> None:
    for _ in range(3):
        assert tasks.add_task(samples.add, 1, 2).result(20) == 3
        assert tasks.compilation.compiler.wait(60)
    assert tasks.get_compilation_info(samples.add).signatures == []


def test_true_false_require(tasks: BackgroundTasks, caplog: pytest.LogCaptureFixture) -> None:
    assert tasks.add_task(samples.fib, 15, compile_to_c=True).result(20) == 610
    assert native(tasks, samples.fib) == 1
    assert tasks.add_task(samples.fib, 15, compile_to_c=False).result(20) == 610
    assert native(tasks, samples.fib) == 1
    with caplog.at_level(logging.WARNING, "brokerless.compiler"):
        handle = tasks.add_task(samples.build_report, [1], compile_to_c=True)
    assert handle.result(20) == {1: 2}
    assert "it builds a dict" in caplog.text
    with pytest.raises(CompilationError, match="it builds a dict"):
        tasks.add_task(samples.build_report, [1], compile_to_c="require")
    with pytest.raises(TypeError, match="expected True, False, None or 'require'"):
        tasks.add_task(samples.fib, 1, compile_to_c="yes")  # type: ignore[arg-type]


def test_decorated_functions(tasks: BackgroundTasks) -> None:
    assert tasks.task(compile_to_c=True)(samples.fast_computation).delay([1, -2, 3]).result(20) == 8
    assert native(tasks, samples.fast_computation) == 1


def test_exceptions_are_pythons(tasks: BackgroundTasks) -> None:
    handle = tasks.add_task(samples.divide, 1, 0, compile_to_c=True, max_retries=0)
    with pytest.raises(TaskExecutionError) as caught:
        handle.result(20)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_time_limit_ends_a_compiled_infinite_loop(tasks: BackgroundTasks) -> None:
    handle = tasks.add_task(samples.forever, 1, compile_to_c=True, timeout_ms=100, max_retries=0)
    with pytest.raises(TaskExecutionError) as caught:
        handle.result(30)
    assert isinstance(caught.value.__cause__, TimeLimitExceeded)
    # The thread is free again, not stuck: both workers still work.
    both = [tasks.add_task(samples.collatz, 50) for _ in range(4)]
    assert [one.result(20) for one in both] == [samples.collatz(50)] * 4
    assert tasks.get_stats().stuck_workers == 0


def test_a_running_compiled_task_is_cancelled(tasks: BackgroundTasks) -> None:
    with BackgroundTasks(workers=1) as other:
        other.compilation.use(tasks.compilation.compiler)
        first = other.add_task(samples.collatz, 10, compile_to_c=True)
        handle = other.add_task(samples.forever, 1, compile_to_c=True, timeout_ms=None, max_retries=0)
        assert first.result(20) == samples.collatz(10)
        while handle.status is TaskStatus.PENDING:  # the one worker takes it next
            pass
        handle.cancel(interrupt=True)
        with pytest.raises(TaskCancelledError):
            handle.result(30)


def test_map_batch_is_one_task(tasks: BackgroundTasks) -> None:
    handle = tasks.map_batch(samples.add, range(1000), range(1000), priority="high", tags=["sums"])
    assert handle.result(20) == [2 * n for n in range(1000)]
    assert tasks.get_compilation_info(samples.add).signatures == ["(int, int) -> int"]
    assert tasks.map_batch(samples.build_report, [[1], [2]]).result(20) == [{1: 2}, {2: 4}]
    assert tasks.map_batch(samples.add, [1], [2], compile_to_c=False).result(20) == [3]
    with pytest.raises(TaskExecutionError):
        tasks.map_batch(samples.divide, [1], [0], max_retries=0).result(20)


def test_compilation_can_be_switched_off() -> None:
    with BackgroundTasks(workers=1, enable_c_compilation=False) as tasks:
        assert tasks.add_task(samples.collatz, 20).result(20) == samples.collatz(20)
        assert tasks.map_batch(samples.add, [1], [2]).result(20) == [3]
        assert tasks.get_stats().tasks_compiled_to_c == 0


def test_importing_loads_neither_compiler_nor_cffi(tmp_path: Path) -> None:
    code = "import sys, brokerless; brokerless.BackgroundTasks(); print('brokerless.compiler' in sys.modules)"
    command = [sys.executable, "-c", code]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout.strip() == "False"


def test_explain_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    module = samples.__name__
    assert main(["explain", f"{module}:fib"]) == 0
    assert "for (int) -> int:" in capsys.readouterr().out
    assert main(["explain", f"{module}:build_report"]) == 1
    assert "it builds a dict" in capsys.readouterr().out
    assert main(["explain", f"{module}:nothing"]) == 1
    assert "nothing" in capsys.readouterr().err
    assert main(["explain", "nonsense"]) == 2
