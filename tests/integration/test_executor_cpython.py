"""CPython's own tests of thread pools, run against `tasks.executor()`.

They come from the `test` package of the running Python or of another one on this machine (`cpython_tests`); nothing of it
is copied. What looks into a `ThreadPoolExecutor`'s insides does not apply, see `NOT_OURS`; of the other files of that
package, `test_future` is about `concurrent.futures.Future` alone, and the rest is about processes.
"""

from __future__ import annotations

import unittest
from typing import Any

import pytest

from brokerless import BackgroundTasks
from brokerless.executor import TaskExecutor
from tests.integration.cpython_tests import found

NOT_OURS = {
    "test_max_workers_negative": "the number of workers belongs to the engine, which has its own test for it",
    "test_default_workers": "the number of workers belongs to the engine",
    "test_saturation": "looks into _threads",
    "test_idle_thread_reuse": "looks into _threads",
    "test_threads_terminate": "looks into _threads",
    "test_context_manager_shutdown": "makes a ThreadPoolExecutor itself",
    "test_del_shutdown": "makes a ThreadPoolExecutor itself",
    "test_shutdown_no_wait": "makes a ThreadPoolExecutor itself",
    "test_thread_names_assigned": "names of a ThreadPoolExecutor's threads",
    "test_thread_names_default": "names of a ThreadPoolExecutor's threads",
    "test_cancel_futures_wait_false": "makes a ThreadPoolExecutor itself",
    "test_interpreter_shutdown": "makes a ThreadPoolExecutor itself",
    "test_submit_after_interpreter_shutdown": "makes a ThreadPoolExecutor itself",
    "test_hang_gh83386": "makes a ThreadPoolExecutor itself",
    "test_hang_global_shutdown_lock": "makes a ThreadPoolExecutor itself",
    "test_pending_calls_race": "makes a ThreadPoolExecutor itself",
}


class OwnEngine(TaskExecutor):
    """An executor with an engine of its own, because the tests say how many workers there are."""

    def __init__(self, max_workers: int = 5) -> None:
        super().__init__(BackgroundTasks(max_workers))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        self._tasks.shutdown(wait)


# 3.10's cases collect all garbage up to a hundred times before they say that no thread is left.
pytestmark = pytest.mark.timeout(300)

PACKAGE = "test.test_concurrent_futures"
CASES = {
    "ThreadPoolExecutorTest": found(f"{PACKAGE}.test_thread_pool", PACKAGE),
    "ThreadPoolShutdownTest": found(f"{PACKAGE}.test_shutdown", PACKAGE),
    "ThreadPoolWaitTests": found(f"{PACKAGE}.test_wait", PACKAGE),
    "WaitTests": found(f"{PACKAGE}.test_wait", PACKAGE),
    "ThreadPoolAsCompletedTests": found(f"{PACKAGE}.test_as_completed", PACKAGE),
    "ThreadPoolAsCompletedTest": found(f"{PACKAGE}.test_as_completed", PACKAGE),
}


def collected() -> list[Any]:
    tests = []
    for name, module in CASES.items():
        case = getattr(module, name, None)
        if case is None or not issubclass(case, unittest.TestCase):
            continue
        against = type(name, (case,), {"executor_type": OwnEngine, "__test__": False})
        for method in unittest.TestLoader().getTestCaseNames(against):
            reason = NOT_OURS.get(method)
            marks = [pytest.mark.skip(reason=reason)] if reason else []
            tests.append(pytest.param(against, method, id=f"{name}.{method}", marks=marks))
    return tests


TESTS = collected()


@pytest.mark.skipif(not TESTS, reason="no Python of this machine has test.test_concurrent_futures")
@pytest.mark.parametrize(("case", "method"), TESTS or [pytest.param(None, "", id="none")])
def test_of_cpython(case: Any, method: str) -> None:
    result = unittest.TestResult()
    case(method).run(result)
    if result.skipped:
        pytest.skip(result.skipped[0][1])
    for _, text in result.failures + result.errors:
        pytest.fail(text, pytrace=False)
    assert result.testsRun == 1


def test_there_are_more_than_twenty_five_of_them() -> None:
    if not TESTS:
        pytest.skip("no Python of this machine has test.test_concurrent_futures")
    assert sum(1 for test in TESTS if not test.marks) >= 25
