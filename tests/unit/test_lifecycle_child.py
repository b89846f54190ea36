"""What a forked child may use: its engine is empty and works, and what belongs to the parent says so."""

from __future__ import annotations

from tests.unit.rig import python_ok


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
                assert tasks.drain(10)  # an ended task counts a moment after its result is there
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


def test_a_parents_futures_fail_in_the_child() -> None:
    """An executor's futures, with nobody to end them, would keep `result()` and `shutdown()` waiting for ever."""
    out = python_ok(
        """
        import concurrent.futures, os, threading, warnings
        warnings.simplefilter("ignore")
        from brokerless import BackgroundTasks
        tasks = BackgroundTasks(1)
        executor = tasks.executor()
        gate = threading.Event()
        running, waiting, cancelled = executor.submit(gate.wait, 20), executor.submit(abs, -1), executor.submit(abs, -2)
        called = []
        waiting.add_done_callback(lambda future: called.append(os.getpid()))
        cancelled.cancel()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for future in (running, waiting):
                    assert "parent" in str(future.exception(5)), future
                assert concurrent.futures.wait([running, waiting], 5).not_done == set()
                assert cancelled.cancelled() and called == []
                assert executor.submit(abs, -3).result(10) == 3
                executor.shutdown()
                code = 0
            except BaseException:
                import traceback
                traceback.print_exc()
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        gate.set()
        assert (running.result(10), waiting.result(10)) == (True, 1)
        executor.shutdown()
        assert called == [os.getpid()]
        print("both fine")
        """
    )
    assert out == "both fine\n"
