"""The working side: taking, claiming and running tasks, and interrupting the one that a thread runs.

An interrupt is an asynchronous exception. It is sent only by a holder of the lock, only while the record says that
the task's own code runs (`open`, not `closing`, no `shield`), and whatever is still pending when the function has
returned is taken before the thread takes another task.
"""

from __future__ import annotations

import contextvars
import ctypes
import threading
import time
from collections.abc import Sequence
from heapq import heappop
from typing import Any

from .ends import Ending
from .lanes import Group, Queue, Worker
from .states import CANCELLED, COMPLETED, DEFERRED, NEVER, RUNNING, checkpoint, local
from .task import Task

_send_exc = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.py_object)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)

# What a take found too late, with the callbacks that are still to run.
_Expired = list["tuple[Task, list[Any] | None]"]


class Working(Ending):
    def add_worker(self, group: int) -> int:
        with self._c_lock:
            checkpoint()
            worker = self._c_new_worker(self._c_a_group(group))
            self._c_workers[worker.id] = worker
            return worker.id

    def _c_new_worker(self, group: Group | None) -> Worker:
        """The lock is held."""
        if self._c_free_ids:
            id = heappop(self._c_free_ids)
        else:
            id = self._c_worker_ids
            self._c_worker_ids += 1
        aging = self._c_aging if group is not None and not group.reserve else 0
        return Worker(id, group, self.now(), aging)

    def work(self, worker: int) -> None:
        """A thread's main loop: until stop_worker(), stop(), or close() and empty lanes."""
        record = self._c_workers.get(worker)
        if record is None or record.thread_id is not None:
            raise ValueError(f"no free worker {worker!r}")
        record.thread_id = threading.get_ident()
        before = local.worker
        local.worker = record
        try:
            while contextvars.Context().run(self._c_loop, record):
                pass
        finally:
            local.worker = before
            with self._c_lock:
                if self._c_workers.get(worker) is record:
                    self._c_free_id(record)
                group = record.group
                if group is not None:
                    if record in group.sleepers:
                        group.sleepers.remove(record)
                    self._c_hand_on(group.queues)

    def _c_loop(self, worker: Worker) -> bool:
        """Until the worker leaves (False), or a task has left context variables behind (True)."""
        while self._c_workers.get(worker.id) is worker:
            expired: _Expired = []
            with self._c_lock:
                task = self._c_take(worker, expired)
                if task is None and not expired:
                    if self._c_leaves(worker):
                        return False
                    if worker.group is not None:
                        worker.group.sleepers.append(worker)
            for dead, callbacks in expired:
                self._c_follow_up(dead, callbacks)
            if task is not None:
                self._c_perform(worker, task)
                task = None
                if contextvars.copy_context():
                    return True
            elif not expired:
                worker.park.acquire()
        return False

    def _c_leaves(self, worker: Worker) -> bool:
        if worker.stop or worker.abandoned or self._c_stopping:
            return True
        return self.closed and (worker.group is None or not worker.group.has_work())

    def stop_worker(self, worker: int) -> None:
        with self._c_lock:
            checkpoint()
            record = self._c_workers.get(worker)
            if record is None:
                return
            record.stop = True
            record.wake()

    # Taking; the lock is held.

    def _c_take(self, worker: Worker, expired: _Expired) -> Task | None:
        """Claim the next task of this worker's queues; it counts as begun."""
        group = worker.group
        if group is None or group.paused or worker.stop or worker.abandoned or self._c_stopping:
            return None
        lowest = worker.left == 1
        task = self._c_take_from(group.order(), lowest, group.reserve, expired)
        if task is not None and worker.left:
            worker.left = self._c_aging if lowest else worker.left - 1
        return task

    def _c_take_from(self, queues: Sequence[Queue], lowest: bool, only_first: bool, expired: _Expired) -> Task | None:
        for queue in queues:
            while True:
                task = queue.pop(lowest, only_first)
                if task is None:
                    break
                if task._expires is not None and task.attempt == 0:
                    if task._expires <= self.now():
                        self._c_strike_taken(task, expired=True)
                        expired.append((task, self._c_over(task, CANCELLED)))
                        continue
                    self._c_timers.remove(task)
                task.state = RUNNING
                task.attempt += 1
                return task
        return None

    # Running.

    def _c_perform(self, worker: Worker, task: Task) -> None:
        """Run a claimed task on the calling thread."""
        queue = self._c_queues[task.queue]
        attempt = task.attempt
        outer = local.task
        with self._c_lock:
            now = self.now()
            worker.task, worker.attempt, worker.busy = task, attempt, True
            worker.started = task._started = now
            worker.closing = worker.interrupted = False
            self._c_wait_times[min(task.lane, 3)].add(now - task._ready)
            if task.timeout:
                worker.deadline = now + task.timeout
                if worker.deadline < self._c_keeper_until:
                    self._c_keeper.notify_all()
        local.task = task
        if queue.on_start is not None:
            self._c_hook(queue.on_start, task)
        try:
            self._c_call(worker, task, queue)
        finally:
            local.task = outer
        value, worker.value = worker.value, None
        error, worker.error = worker.error, None
        if task._home != self._c_prefix:
            # It forked, and this is the child: nothing here is ours to end.
            if error is not None:
                raise error
            return
        with self._c_lock:
            now = self.now()
            spent = now - worker.started
            worker.busy_seconds += spent
            self._c_busy_seconds += spent
            self._c_run_times.add(spent)
            worker.task, worker.busy, worker.deadline = None, False, NEVER
        if error is not None:
            self._c_attempt_failed(task, attempt, error, worker)
        elif value is not DEFERRED:
            self._c_settle(task, attempt, COMPLETED, value, None, worker)

    def _c_call(self, worker: Worker, task: Task, queue: Queue) -> None:
        """Call the function; the outcome is left in the record.

        At most two interrupts can land after `closing` is set (one that was pending, one that was being sent), each
        unwinds one `try`, and none can be sent once _shut() is through.
        """
        context, runner = task._context, queue.runner
        args, kwargs = task.args or (), task.kwargs or {}
        if context is not None:
            context = context.copy()  # a stuck attempt may still be inside
        try:
            try:
                try:
                    try:
                        worker.open = True
                        if runner is None:
                            if context is not None:
                                worker.value = context.run(task.func, *args, **kwargs)
                            else:
                                worker.value = task.func(*args, **kwargs)
                        elif context is not None:
                            worker.value = context.run(runner, task)
                        else:
                            worker.value = runner(task)
                        worker.closing = True
                    except BaseException as error:
                        worker.closing = True
                        worker.error = error
                    self._c_shut(worker)
                except BaseException:
                    self._c_shut(worker)
            except BaseException:
                self._c_shut(worker)
        except BaseException:
            self._c_shut(worker)

    def _c_shut(self, worker: Worker) -> None:
        """No interrupt can be sent after this, and none is pending."""
        with self._c_lock:
            worker.open = False
            if worker.interrupted:
                # What is pending is taken here. Setting it to nothing instead would leave the interpreter looking
                # for it for ever (up to 3.12): it would be slow, and hang as soon as a debugger traces.
                try:
                    checkpoint()
                except BaseException:
                    pass

    def interrupt(self, worker: int, task: Task, attempt: int, exc: type[BaseException]) -> bool:
        """Raise `exc` in the thread of this worker, if the task's own code runs there and it is this attempt."""
        if not (isinstance(exc, type) and issubclass(exc, BaseException)):
            raise TypeError(f"the exception must be a class, not {exc!r}")
        with self._c_lock:
            checkpoint()
            record = self._c_workers.get(worker) or self._c_performers.get(worker)
            if record is None or record.task is not task or record.attempt != attempt:
                return False
            if not record.open or record.closing or record.shield or record.thread_id is None:
                return False
            record.interrupted = True
            return bool(_send_exc(record.thread_id, exc) == 1)

    def abandon(self, worker: int) -> bool:
        """Its thread is stuck: it leaves when it returns, at once if it just did."""
        with self._c_lock:
            checkpoint()
            record = self._c_workers.get(worker)
            if record is None:
                return False
            record.abandoned = True
            record.wake()
            return True

    # On the calling thread.

    def claim(self, queues: Sequence[int], timeout: float | None = 0) -> Task | None:
        """Take and claim one task; waits up to `timeout` seconds for one (None: until there is one)."""
        wanted = [self._c_a_queue(index) for index in queues]
        deadline = None if timeout is None else time.monotonic() + timeout
        outer = local.worker
        if outer is not None:
            outer.shield += 1
        try:
            while True:
                expired: _Expired = []
                claimer = None
                with self._c_lock:
                    checkpoint()
                    task = self._c_take_from(wanted, False, False, expired)
                    left = None if deadline is None else deadline - time.monotonic()
                    if task is None and not expired:
                        if self.closed or (left is not None and left <= 0):
                            return None
                        claimer = ([queue.index for queue in wanted], threading.Lock())
                        claimer[1].acquire()
                        self._c_claimers.append(claimer)
                for dead, callbacks in expired:
                    self._c_follow_up(dead, callbacks)
                if task is not None:
                    return task
                if claimer is not None:
                    self._c_await_push(claimer, left, wanted)
        finally:
            if outer is not None:
                outer.shield -= 1

    def _c_await_push(self, claimer: tuple[list[int], threading.Lock], left: float | None, wanted: list[Queue]) -> None:
        try:
            claimer[1].acquire(timeout=-1 if left is None else min(left, threading.TIMEOUT_MAX))
        except BaseException:
            with self._c_lock:
                if claimer not in self._c_claimers:
                    self._c_hand_on(wanted)  # it was woken for something that it will not take
            raise
        finally:
            with self._c_lock:
                if claimer in self._c_claimers:
                    self._c_claimers.remove(claimer)

    def perform(self, task: Task) -> None:
        """Run a claimed task here."""
        if task.state != RUNNING or task._home != self._c_prefix:
            raise ValueError(f"{task!r} was not claimed here")
        record = self._c_performer()
        try:
            self._c_perform(record, task)
        finally:
            self._c_dismiss(record)

    def run_until_empty(self, queues: Sequence[int] | None = None, max_tasks: int | None = None) -> int:
        """Run what waits in these queues (None: the default one) here until nothing does; the count of attempts."""
        wanted = [self._c_a_queue(index) for index in ([self._c_queue] if queues is None else queues)]
        count = 0
        record = self._c_performer()
        try:
            while max_tasks is None or count < max_tasks:
                expired: _Expired = []
                with self._c_lock:
                    task = self._c_take_from(wanted, False, False, expired)
                for dead, callbacks in expired:
                    self._c_follow_up(dead, callbacks)
                if task is None:
                    break
                self._c_perform(record, task)
                count += 1
        finally:
            self._c_dismiss(record)
        return count

    def _c_performer(self) -> Worker:
        outer = local.worker
        if outer is not None:
            outer.shield += 1  # what this thread runs now is not the outer task's own code
        with self._c_lock:
            record = self._c_new_worker(None)
            record.thread_id = threading.get_ident()
            self._c_performers[record.id] = record
        record.outer = outer
        local.worker = record
        return record

    def _c_dismiss(self, record: Worker) -> None:
        with self._c_lock:
            if self._c_performers.get(record.id) is record:
                self._c_free_id(record)
        outer = local.worker = record.outer
        if outer is not None:
            outer.shield -= 1
