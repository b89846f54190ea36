"""How an engine starts: nothing at import, threads at the first submit, and what tools see of them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest

from brokerless import BackgroundTasks, Engine, lifecycle
from tests.unit.rig import SOON, Gate, beside, python, python_ok


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("brokerless")]


def test_import_starts_nothing() -> None:
    out = python_ok(
        """
        import threading, signal, logging
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), list(logging.getLogger().handlers)
        import brokerless
        import brokerless.engine, brokerless.tasks
        tasks = brokerless.BackgroundTasks()
        engine = brokerless.default_engine()
        engine.queue("q"); engine.pool("p", [engine.queue("q")])
        tasks.get_stats()
        assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
        after = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), list(logging.getLogger().handlers)
        assert before == after
        print("quiet")
        """
    )
    assert out == "quiet\n"


def test_threads_start_with_the_first_submit(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(2)
    assert ours() == []
    assert tasks.add_task(abs, -1).result(SOON) == 1
    names = sorted(thread.name for thread in ours())
    assert names == ["brokerless-keeper", "brokerless-worker-1", "brokerless-worker-2"]
    assert all(thread.daemon for thread in ours())


def test_looking_for_engines_while_others_begin_and_go() -> None:
    """As a signal's handler and the interpreter's exit do."""
    kept = [Engine(name="kept") for _ in range(200)]
    for engine in kept:
        lifecycle.watch(engine)
    with beside(lambda: lifecycle.watch(Engine(name="fleeting"))):
        assert all(lifecycle.alive() for _ in range(1000))
    for engine in kept:
        engine.shut_down(False, SOON, True)


def test_start_starts_them_now(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(2)
    tasks.start()
    assert len(ours()) == 3


def test_missing_native_core_is_announced_once() -> None:
    done = python(
        """
        import sys
        class Hide:
            def find_spec(self, name, path=None, target=None):
                if name.endswith("brokerless.native._engine"):
                    raise ImportError("hidden by the test")
        sys.meta_path.insert(0, Hide())
        import logging
        logging.basicConfig(level=logging.INFO)
        import brokerless, brokerless.core
        assert brokerless.CORE == "pure"
        assert brokerless.BackgroundTasks(1).add_task(abs, -1).result(10) == 1
        """,
        BROKERLESS_CORE="",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("pure Python core") == 1


def test_an_unknown_core_is_refused() -> None:
    done = python("from brokerless import Engine", BROKERLESS_CORE="fast")
    assert done.returncode != 0
    assert "'native' and 'pure'" in done.stderr


def test_worker_threads_are_ordinary_threads_to_tools(make_tasks: Callable[..., BackgroundTasks]) -> None:
    """What debuggers and profilers go by: the list of threads, and the frames of each."""
    tasks = make_tasks(1)
    gate = Gate()

    def visible_function() -> None:
        gate()

    tasks.add_task(visible_function)
    gate.wait()
    [worker] = [thread for thread in threading.enumerate() if thread.name == "brokerless-worker-1"]
    names = []
    frame = sys._current_frames()[worker.ident]  # type: ignore[index]
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back  # type: ignore[assignment]
    assert "visible_function" in names
    assert names[-1] == "_bootstrap"
    gate.open()


@pytest.mark.parametrize("hook", ["settrace", "setprofile"])
def test_tracers_see_the_tasks(hook: str) -> None:
    out = python_ok(
        f"""
        import threading
        from brokerless import BackgroundTasks
        seen = []
        threading.{hook}(lambda frame, event, argument: seen.append(frame.f_code.co_name))
        def traced_function():
            pass
        with BackgroundTasks(1) as tasks:
            tasks.add_task(traced_function).result(10)
        print("traced_function" in seen)
        """
    )
    assert out == "True\n"
