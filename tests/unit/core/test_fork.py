"""A forked child finds the core empty and working."""

from __future__ import annotations

from tests.unit.rig import python_ok

SET_UP = """
import os, threading, warnings
warnings.simplefilter("ignore")
from brokerless import core

class Engine(core.Engine):
    forks = 0
    starts = 0
    def _forked(self):
        self.forks += 1
    def _start(self):
        self.starts += 1

engine = Engine(result_max=100)
queue = engine.add_queue(4)
group = engine.add_group()
engine.subscribe(group, [queue])

def in_child(check):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            check()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def test_the_child_is_empty_and_works() -> None:
    python_ok(
        SET_UP
        + """
worker = engine.add_worker(group)
gate, entered = threading.Event(), threading.Event()
def block():
    entered.set()
    gate.wait(20)
engine.enqueue(block, queue=queue)
thread = threading.Thread(target=engine.work, args=(worker,), daemon=True)
thread.start()
entered.wait()
waiting = [engine.enqueue(abs, (n,), queue=queue, lane=n % 4) for n in range(20)]
delayed = engine.enqueue(abs, (1,), queue=queue, delay=1000.0)
ids = {task.task_id for task in engine.tasks()}

def check():
    assert engine.outstanding() == 0 and engine.tasks() == [] and engine.delayed() == []
    assert engine.queued(queue) == 0 and engine.pending(queue) == [] and engine.workers() == []
    assert engine.forks == 1
    assert not waiting[0].withdraw() and not delayed.withdraw()
    assert engine.totals()["submitted"] == 0
    done = []
    tasks = [engine.enqueue(done.append, (n,), queue=queue) for n in range(5)]
    assert engine.forks == 1 and engine.starts == 2
    assert tasks[0].id == 1 and tasks[0].task_id not in ids
    assert engine.run_until_empty([queue]) == 5 and done == list(range(5))
    number = engine.add_worker(group)
    threading.Thread(target=engine.work, args=(number,), daemon=True).start()
    assert engine.enqueue(abs, (-7,), queue=queue).wait(10)
    assert engine.drain(10)

in_child(check)
assert engine.outstanding() == 22 and engine.forks == 0 and engine.starts == 1
gate.set()
assert all(task.wait(10) for task in waiting)
assert delayed.withdraw() and engine.drain(10)
engine.close()
thread.join(10)
assert not thread.is_alive()
"""
    )


def test_fork_while_others_use_every_lock() -> None:
    python_ok(
        SET_UP
        + """
over = threading.Event()
workers = [engine.add_worker(group) for _ in range(2)]
threads = [threading.Thread(target=engine.work, args=(worker,), daemon=True) for worker in workers]
def churn():
    while not over.is_set():
        engine.enqueue(abs, (1,), queue=queue, delay=0.0001, expires=5.0)
        engine.enqueue(abs, (1,), queue=queue).withdraw()
        engine.fire_due()
        engine.totals(), engine.pending(queue), engine.tasks()
threads += [threading.Thread(target=churn, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()

def check():
    assert engine.outstanding() == 0
    assert engine.enqueue(abs, (-3,), queue=queue) and engine.run_until_empty([queue]) == 1
    task = engine.enqueue(abs, (-3,), queue=queue, delay=0.001)
    while not engine.fire_due():
        engine.keeper_wait(1.0)
    assert engine.run_until_empty([queue]) == 1 and task.value == 3

for _ in range(40):
    in_child(check)
over.set()
""",
        timeout=60,
    )


def test_grandchildren() -> None:
    python_ok(
        SET_UP
        + """
engine.enqueue(abs, (1,), queue=queue)

def grandchild():
    assert engine.outstanding() == 0 and engine.run_until_empty([queue]) == 0
    engine.enqueue(abs, (1,), queue=queue)
    assert engine.run_until_empty([queue]) == 1

def child():
    engine.enqueue(abs, (1,), queue=queue)
    in_child(grandchild)
    assert engine.run_until_empty([queue]) == 1

in_child(child)
assert engine.run_until_empty([queue]) == 1
"""
    )
