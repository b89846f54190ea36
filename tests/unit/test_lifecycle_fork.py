"""Forks: what the child finds, what the parent keeps, and what becomes of a child that comes back to a worker."""

from __future__ import annotations

import pytest

from tests.unit.rig import python, python_ok

SET_UP = """
import gc, multiprocessing, os, signal, subprocess, sys, threading, time, warnings
warnings.simplefilter("ignore")
from brokerless import BackgroundTasks, default_engine

def forked(check, code=0):
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            check()
            status = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
"""


def test_a_parents_handle_keeps_its_id() -> None:
    python_ok(
        SET_UP
        + """
tasks = BackgroundTasks(1)
done = tasks.add_task(abs, -1)
assert done.result(10) == 1
later = tasks.add_task(abs, -1, delay_ms=60_000)
ids = done.task_id, later.task_id

def grandchild(child_id, child):
    assert (done.task_id, later.task_id) == ids and child.task_id == child_id
    assert tasks.add_task(abs, -3).result(10) == 3
    assert (done.task_id, later.task_id) == ids and child.task_id == child_id
    assert tasks.get_task_by_id(child_id) is None

def child():
    assert (done.task_id, later.task_id) == ids, "before the first use"
    mine = tasks.add_task(abs, -2)
    assert (done.task_id, later.task_id) == ids, "after it"
    assert mine.task_id[:16] != ids[0][:16]
    assert tasks.get_task_by_id(mine.task_id) is mine and tasks.get_task_by_id(ids[0]) is None
    assert done.result() == 1, "an ended task shows its outcome"
    forked(lambda: grandchild(mine.task_id, mine))

forked(child)
assert tasks.get_task_by_id(ids[1]) is later
later.cancel()
"""
    )


def test_no_destructor_of_the_parents_objects_runs_in_the_child() -> None:
    out = python_ok(
        SET_UP
        + """
class Precious:
    def __del__(self):
        os.write(1, f"let go in {'parent' if os.getpid() == parent else 'child'}\\n".encode())
    def __call__(self, *_):
        pass

parent = os.getpid()
tasks = BackgroundTasks(1)
tasks.pause()
handles = [tasks.add_task(Precious(), Precious()), tasks.add_task(abs, Precious(), delay_ms=60_000)]
tasks.add_task(Precious())

def child():
    assert tasks.add_task(abs, -1) and tasks.count_tasks() == 1
    tasks.resume()
    assert tasks.drain(10)
    handles.clear()
    gc.collect()
    tasks.shutdown()
    gc.collect()

forked(child)
print("child is gone", flush=True)
handles[1].cancel()
tasks.resume()
tasks.drain(10)
"""
    )
    lines = out.splitlines()
    assert lines[0] == "child is gone"
    assert "let go in child" not in lines


def test_a_closed_engine_stays_closed_in_the_child() -> None:
    python_ok(
        SET_UP
        + """
from brokerless import EngineShutdown
tasks = BackgroundTasks(1)
tasks.add_task(abs, -1).wait(10)
tasks.shutdown()

def child():
    try:
        tasks.add_task(abs, -1)
    except EngineShutdown:
        return
    raise AssertionError("it took a task")

forked(child)
"""
    )


ENDS = {"returns": ("return None", 0), "exits": ("sys.exit(7)", 7), "raises": ("raise KeyError('in the child')", 1)}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("where", ["function", "callback", "keeper"])
def test_a_child_that_comes_back_to_our_thread_ends_there(where: str, end: str) -> None:
    """It runs nothing of the parent's, ends nothing twice, and still does what it has submitted itself."""
    statement, code = ENDS[end]
    if where != "function":
        code = 0  # what a callback raises is logged
    if (where, end) == ("callback", "exits"):
        pytest.skip("a callback's SystemExit is logged like its other errors")
    done = python(
        SET_UP
        + f"""
parent = os.getpid()
def say(text):
    os.write(1, f"{{text}} in {{'parent' if os.getpid() == parent else 'child'}}\\n".encode())

tasks = BackgroundTasks(1)
tasks.add_task(lambda: None).result(10)  # a module that is being imported at the fork never is in the child
status = []
def forking(*_):
    pid = os.fork()
    if pid == 0:
        tasks.add_task(say, "submitted")
        {statement}
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    for _ in range(3):
        tasks.add_task(say, "next")
    status.append(code)  # last: the main thread goes on to the end of the program

tasks.pause()
where = {where!r}
if where == "function":
    handle = tasks.add_task(forking, max_retries=0)
    handle.on_success(lambda _: say("ended"))
elif where == "callback":
    tasks.add_task(abs, -1).on_success(forking)
for _ in range(3):
    tasks.add_task(say, "queued")
tasks.resume()
if where == "keeper":
    tasks.call_later(0.01, forking)
while not status:
    time.sleep(0.001)
assert tasks.drain(20)
print("status", *status, flush=True)
"""
    )
    assert done.returncode == 0, done.stderr
    lines = sorted(done.stdout.splitlines())
    expected = ["next in parent"] * 3 + ["queued in parent"] * 3 + [f"status {code}", "submitted in child"]
    assert lines == sorted(expected + (["ended in parent"] if where == "function" else []))
    if end == "raises" and where == "function":
        assert "in the child" in done.stderr


def test_a_child_that_comes_back_to_a_borrowed_thread_goes_on_there() -> None:
    """run_until_empty() and perform() return in the child as well, without the parent's other tasks."""
    out = python_ok(
        SET_UP
        + """
engine = default_engine()
queue = engine.queue("q")
parent = os.getpid()
ran = []
def forking():
    ran.append("forking")
    return os.fork()
queue.submit(forking)
queue.submit(ran.append, ("next",))
count = engine.run_until_empty([queue])
if os.getpid() != parent:
    ok = ran == ["forking"] and count == 1 and queue.count() == 0
    ok = ok and queue.submit(abs, (-2,)) and engine.run_until_empty([queue]) == 1
    os._exit(0 if ok else 1)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
assert ran == ["forking", "next"] and count == 2

queue.submit(forking)
task = engine.claim([queue])
engine.perform(task)
if os.getpid() != parent:
    os._exit(0 if task.state == 2 and engine.outstanding() == 0 else 1)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 0

task = engine.claim([queue]) or queue.submit(abs, (-1,)) and engine.claim([queue])
def child():
    try:
        engine.perform(task)
    except ValueError:
        return
    raise AssertionError("it ran the parent's task")
forked(child)
engine.perform(task)
print(task.value)
"""
    )
    assert out == "1\n"


def test_the_current_task_is_none_of_the_childs() -> None:
    python_ok(
        SET_UP
        + """
from brokerless import core
tasks = BackgroundTasks(1)
def child():
    assert core.current() is None
    assert tasks.add_task(abs, -1).result(10) == 1
    assert tasks.drain(10) and tasks.shutdown(), "it is not the engine's own thread any more"
def task():
    forked(child)
    assert core.current() is not None
tasks.add_task(task, max_retries=0).result(20)
"""
    )


MAIN = """
import multiprocessing, os, sys, threading, time
from brokerless import BackgroundTasks

tasks = BackgroundTasks(2)

def say(text):
    os.write(1, (text + "\\n").encode())

def child(number):
    # It ends without waiting: the end of the process does.
    for n in range(3):
        tasks.add_task(say, f"child {number} {n}", delay_ms=20)

if __name__ == "__main__":
    gate = threading.Event()
    blocked = tasks.add_task(gate.wait, 20, timeout_ms=None)
    while not blocked.started_at:
        time.sleep(0.001)
    waiting = [tasks.add_task(say, "parent") for _ in range(2)]
    context = multiprocessing.get_context(sys.argv[1])
    processes = [context.Process(target=child, args=(number,)) for number in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
        assert process.exitcode == 0, process.exitcode
    gate.set()
    assert blocked.result(10) is True and tasks.drain(10)
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(method: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    program = tmp_path_factory.mktemp("processes") / "program.py"
    program.write_text(MAIN)
    out = python_ok(
        f"""
        import runpy, sys
        sys.argv = [{str(program)!r}, {method!r}]
        sys.path.insert(0, {str(program.parent)!r})
        import program
        sys.modules["__main__"].__dict__.update(vars(program), __name__="__main__", __file__={str(program)!r})
        exec(compile(open({str(program)!r}).read(), {str(program)!r}, "exec"), sys.modules["__main__"].__dict__)
        """,
        timeout=60,
    )
    assert sorted(out.splitlines()) == sorted(
        ["parent"] * 2 + [f"child {number} {n}" for number in range(2) for n in range(3)]
    )


def test_subprocesses_from_tasks_have_their_signals() -> None:
    """Nothing is blocked or ignored in them that was not before, and a worker can wait for them."""
    python_ok(
        SET_UP
        + """
tasks = BackgroundTasks(2)
show = "import signal; print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), signal.getsignal(signal.SIGTERM))"
def masked():
    return sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))
def run():
    return subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True).stdout
here = run()
assert tasks.add_task(masked).result(10) == masked()
assert [tasks.add_task(run).result(20) for _ in range(2)] == [here, here]

def interrupt():
    process = subprocess.Popen([sys.executable, "-c", "print('up', flush=True); import time; time.sleep(30)"],
                               stdout=subprocess.PIPE)
    process.stdout.readline()
    process.terminate()
    return process.wait(10)
assert tasks.add_task(interrupt).result(20) == -signal.SIGTERM
"""
    )


IMPORTS = (
    SET_UP
    + """
import pathlib, tempfile
folder = tempfile.TemporaryDirectory()
pathlib.Path(folder.name, "slow.py").write_text("import __main__; __main__.begun.set(); assert __main__.go.wait(60)")
sys.path.insert(0, folder.name)
begun, go = threading.Event(), threading.Event()
tasks = BackgroundTasks(1)
task = tasks.add_task(__import__, "slow")
assert begun.wait(10)

def used():
    signal.alarm(20)
    import slow
"""
)


def test_a_fork_waits_for_what_another_thread_imports() -> None:
    """Otherwise the module stays locked in the child by a thread that is not there."""
    python_ok(
        IMPORTS
        + """
threading.Timer(0.05, go.set).start()
forked(used)
assert task.result(10).__name__ == "slow"
"""
    )


def test_a_fork_does_not_wait_for_ever_for_an_import() -> None:
    python_ok(
        IMPORTS
        + """
begin = time.monotonic()
forked(lambda: tasks.add_task(abs, -1).result(10))
assert time.monotonic() - begin >= 1.0 and not task.done()
go.set()
task.wait(10)
"""
    )


def test_the_main_thread_may_import_for_as_long_as_the_program_runs() -> None:
    python_ok(
        SET_UP
        + """
import pathlib, tempfile
from brokerless import forks
forks._LONGEST_IMPORT = 60
folder = tempfile.TemporaryDirectory()
sys.path.insert(0, folder.name)
pathlib.Path(folder.name, "program.py").write_text('''
import os, time, __main__
def task():
    begin = time.monotonic()
    if os.fork() == 0:
        os._exit(0)
    return time.monotonic() - begin
waited = __main__.BackgroundTasks(1).add_task(task, timeout_ms=None).result(90)
''')
import program
assert program.waited < 30, program.waited
"""
    )
