"""How an engine starts and ends with its process: import, first submit, shutdown, exit, fork, Ctrl-C."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable

import pytest

from brokerless import BackgroundTasks, TaskCancelledError, TaskStatus
from tests.unit.rig import SOON, Gate, eventually, python, python_ok


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


def test_start_starts_them_now(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(2)
    tasks.start()
    assert len(ours()) == 3


def test_shutdown_waits_for_the_work(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    done: list[int] = []
    for n in range(500):
        tasks.add_task(done.append, n)
    assert tasks.shutdown() is True
    assert done == list(range(500))
    assert ours() == []
    assert tasks.shutdown() is True, "it may be called again"


def test_shutdown_cancels_what_has_not_started(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    gate = Gate()
    running = tasks.add_task(gate, "finished")
    gate.wait()
    waiting = [tasks.add_task(abs, n) for n in range(5)]
    delayed = tasks.add_task(abs, -1, delay_ms=60_000)
    closing = threading.Thread(target=lambda: tasks.shutdown(cancel_pending=True))
    closing.start()
    for handle in [*waiting, delayed]:
        with pytest.raises(TaskCancelledError):
            handle.result(SOON)
    gate.open()
    closing.join(SOON)
    assert running.result(SOON) == "finished"
    assert ours() == []


def test_shutdown_gives_up_after_its_timeout(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    gate = Gate()
    running = tasks.add_task(gate, "late", timeout_ms=None)
    gate.wait()
    waiting = tasks.add_task(abs, -1)
    assert tasks.shutdown(timeout=0.05) is False
    assert waiting.status is TaskStatus.CANCELLED
    gate.open()
    assert running.result(SOON) == "late"


def test_shutdown_without_waiting_works_the_queue_off(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    gate = Gate()
    tasks.add_task(gate)
    gate.wait()
    handles = [tasks.add_task(abs, -n) for n in range(20)]
    delayed = tasks.add_task(abs, -1, delay_ms=60_000)
    assert tasks.shutdown(wait_for_completion=False) is False
    assert delayed.status is TaskStatus.CANCELLED
    gate.open()
    assert [handle.result(SOON) for handle in handles] == list(range(20))


def test_shutdown_from_a_task(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(2)
    handle = tasks.add_task(tasks.shutdown)
    handle.result(SOON)
    assert tasks.closed


def test_context_manager(make_tasks: Callable[..., BackgroundTasks]) -> None:
    with make_tasks(1) as tasks:
        handles = [tasks.add_task(abs, -n) for n in range(50)]
    assert [handle.status for handle in handles] == [TaskStatus.COMPLETED] * 50
    with pytest.raises(KeyError), make_tasks(1) as failing:
        left = failing.add_task(abs, -1, delay_ms=60_000)
        raise KeyError
    assert left.status is TaskStatus.CANCELLED
    assert ours() == []


def test_paused_engine_can_be_shut_down(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = make_tasks(1)
    tasks.pause()
    handle = tasks.add_task(abs, -1)
    assert tasks.shutdown() is True
    assert handle.result(0) == 1


def test_a_finished_engine_is_freed(make_tasks: Callable[..., BackgroundTasks]) -> None:
    tasks = BackgroundTasks(2)
    tasks.add_task(abs, -1).result(SOON)
    tasks.chain_tasks([lambda: 1, str]).result(SOON)
    tasks.shutdown()
    gone = weakref.ref(tasks)
    del tasks
    # without a GIL, what a thread let go of may be counted only once it has ended
    eventually(lambda: gc.collect() >= 0 and gone() is None, "the engine is still there")


def test_exit_drains() -> None:
    out = python_ok(
        """
        import sys, time
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(2)
        def work(n):
            time.sleep(0.01)
            sys.stdout.write(f"done {n}\\n")  # one write, so that two threads do not mix
        for n in range(20):
            tasks.add_task(work, n)
        """
    )
    assert sorted(out.splitlines()) == sorted(f"done {n}" for n in range(20))


def test_tasks_that_use_executors_still_work_at_exit() -> None:
    out = python_ok(
        """
        from concurrent.futures import ThreadPoolExecutor
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1)
        pool = ThreadPoolExecutor(1)
        tasks.add_task(lambda: print(pool.submit(pow, 2, 5).result(), flush=True))
        """
    )
    assert out == "32\n"


def test_exit_names_what_it_drops() -> None:
    done = python(
        """
        import logging, time
        logging.basicConfig(level=logging.ERROR)
        from brokerless import BackgroundTasks
        def delayed_function(): pass
        tasks = BackgroundTasks(1)
        tasks.exit_timeout = 0.2
        handle = tasks.add_task(delayed_function, delay_ms=60_000)
        print(handle.task_id)
        """
    )
    assert done.returncode == 0, done.stderr
    task_id = done.stdout.strip()
    assert "ERROR" in done.stderr
    assert task_id in done.stderr
    assert "delayed_function" in done.stderr


def test_exit_does_not_hang_on_a_stuck_task() -> None:
    done = python(
        """
        import threading
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1)
        tasks.exit_timeout = 0.2
        entered = threading.Event()
        def stuck():
            entered.set()
            threading.Lock().acquire() or threading.Event().wait()
            threading.Event().wait()
        tasks.add_task(stuck, timeout_ms=None)
        entered.wait()
        print("leaving", flush=True)
        """,
        timeout=20,
    )
    assert done.returncode == 0 and done.stdout == "leaving\n", done.stderr


def test_ctrl_c_interrupts_wait_in_the_main_thread() -> None:
    out = python_ok(
        """
        import os, signal, threading, time
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1)
        gate = threading.Event()
        entered = threading.Event()
        def work():
            entered.set()
            gate.wait(20)
            return "value"
        handle = tasks.add_task(work)
        entered.wait()
        def press():
            while not waiting.is_set():
                pass
            time.sleep(0.05)  # the signal should arrive inside the wait; before it would do as well
            os.kill(os.getpid(), signal.SIGINT)
        waiting = threading.Event()
        threading.Thread(target=press, daemon=True).start()
        start = time.monotonic()
        try:
            waiting.set()
            handle.wait()
        except KeyboardInterrupt:
            assert time.monotonic() - start < 10
            print("interrupted", handle.status)
        gate.set()
        print(handle.wait(10))
        """
    )
    assert out == "interrupted RUNNING\nvalue\n"


@pytest.mark.parametrize("call", ["tasks.drain()", "tasks.shutdown(timeout=None)", "handle.result(20)"])
def test_ctrl_c_interrupts_other_waits(call: str) -> None:
    out = python_ok(
        f"""
        import os, signal, threading
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1)
        gate = threading.Event()
        handle = tasks.add_task(gate.wait, 20, timeout_ms=None)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            {call}
        except KeyboardInterrupt:
            print("interrupted")
        gate.set()
        """
    )
    assert out == "interrupted\n"


def test_fork_child_has_an_empty_working_engine() -> None:
    out = python_ok(
        """
        import os, threading, warnings
        warnings.simplefilter("ignore")
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(2)
        gate = threading.Event()
        entered = threading.Event()
        def block():
            entered.set()
            return gate.wait(20)
        running = tasks.add_task(block)
        waiting = [tasks.add_task(abs, -n) for n in range(5)]
        delayed = tasks.add_task(abs, -1, delay_ms=60_000)
        entered.wait()
        parents_id = running.task_id
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                assert [t.name for t in threading.enumerate() if t.name.startswith("brokerless")] == []
                assert tasks.count_tasks() == 0 and tasks.get_stats().queued_tasks == 0
                assert tasks.drain(0)
                handles = [tasks.add_task(pow, n, 2) for n in range(10)]
                assert [h.result(10) for h in handles] == [n * n for n in range(10)]
                assert tasks.add_task(abs, -1, delay_ms=5).result(10) == 1
                async def coroutine():
                    return "async"
                assert tasks.add_task(coroutine).result(10) == "async"
                assert tasks.chain_tasks([lambda: 1, str]).result(10) == "1"
                assert handles[0].task_id[:16] != parents_id[:16], "ids of the child are its own"
                assert tasks.get_stats().completed_tasks == 14
                assert tasks.shutdown() is True
                code = 0
            except BaseException:
                import traceback
                traceback.print_exc()
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        gate.set()
        assert running.result(10) is True
        assert [h.result(10) for h in waiting] == list(range(5))
        assert delayed.cancel()
        print("both fine")
        """
    )
    assert out == "both fine\n"


def test_fork_before_the_first_submit() -> None:
    out = python_ok(
        """
        import os
        from brokerless import BackgroundTasks, default_engine
        tasks = BackgroundTasks(2)
        engine = default_engine()
        queue = engine.queue("q")
        engine.pool("p", [queue], workers=1)
        pids = []
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                ok = tasks.add_task(abs, -3).result(10) == 3 and queue.submit(abs, (-4,)).result(10) == 4
                os._exit(0 if ok else 1)
            pids.append(pid)
        assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0, 0]
        assert tasks.add_task(abs, -5).result(10) == 5
        print("fine")
        """
    )
    assert out == "fine\n"


def test_fork_from_inside_a_task() -> None:
    out = python_ok(
        """
        import os, warnings
        warnings.simplefilter("ignore")
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1)
        def forking():
            pid = os.fork()
            if pid == 0:
                ok = tasks.add_task(abs, -3).result(10) == 3
                os._exit(0 if ok else 1)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert tasks.add_task(forking).result(20) == 0
        assert tasks.add_task(abs, -1).result(10) == 1
        print("fine")
        """
    )
    assert out == "fine\n"


def test_a_parents_handle_in_the_child_ends_nowhere() -> None:
    out = python_ok(
        """
        import os
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1)
        handle = tasks.add_task(abs, -1, delay_ms=60_000)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                assert handle.cancel() is False
                try:
                    handle.wait(5)
                except RuntimeError as error:
                    assert "parent" in str(error)
                    code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert handle.cancel()
        print("fine")
        """
    )
    assert out == "fine\n"


def test_a_killed_process_leaves_nothing_to_wait_for() -> None:
    done = python(
        """
        import os, signal
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(2)
        for n in range(1000):
            tasks.add_task(sum, range(10_000))
        print("here", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert done.returncode == -9
    assert done.stdout == "here\n"


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


def test_system_exit_in_the_main_thread_drains_too() -> None:
    done = python(
        """
        import sys, time
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1)
        tasks.add_task(lambda: (time.sleep(0.05), print("done", flush=True)))
        sys.exit(7)
        """
    )
    assert done.returncode == 7
    assert done.stdout == "done\n"


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
