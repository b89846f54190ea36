"""How tasks end: the transitions out of RUNNING, DELAYED and QUEUED, and what follows each of them.

What follows, in this order: who waits is woken, the callbacks, the finish hook, retention, `outstanding`. Whether a
failure is retried is asked of the Python half.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappush
from typing import Any

from .base import Base, logger
from .lanes import Worker
from .states import CANCELLED, COMPLETED, DELAYED, FAILED, QUEUED, RUNNING, checkpoint, local
from .task import Task


class Ending(Base):
    def _c_hook(self, hook: Callable[[Task], Any], task: Task) -> None:
        try:
            hook(task)
        except BaseException:
            logger.exception("hook %r failed for %r", hook, task)

    def _c_settle(
        self,
        task: Task,
        attempt: int,
        state: int,
        value: Any,
        error: BaseException | None,
        worker: Worker | None,
    ) -> bool:
        """RUNNING of this attempt becomes `state`; False when it was over or another attempt runs."""
        with self._c_lock:
            checkpoint()
            if task.state != RUNNING or task.attempt != attempt or task._home != self._c_prefix:
                return False
            now = self.now()
            if error is not None:
                task.error = error
            task._completed = now
            task.run_seconds = now - (task._started if task._started is not None else now)
            if state == COMPLETED:
                task.value = value
                self._c_completed += 1
            elif state == FAILED:
                self._c_failed_count += 1
            else:
                self._c_cancelled += 1
            if worker is not None:
                if state == COMPLETED:
                    worker.completed += 1
                elif state == FAILED:
                    worker.failed += 1
                else:
                    worker.cancelled += 1
            self._c_finish_rate.add(now)
            callbacks = self._c_over(task, state)
            hook = self._c_queues[task.queue].on_finish
            if hook is None and callbacks is None:
                _gone = self._c_done(task)  # let go of, like the arguments, when the lock no longer is held
                return True
        self._c_follow_up(task, callbacks)
        return True

    def _c_follow_up(self, task: Task, callbacks: list[Any] | None) -> None:
        """What comes after a transition into a terminal state; outside the lock."""
        dropped = None
        try:
            self._c_run_callbacks(task, callbacks)
            hook = self._c_queues[task.queue].on_finish
            if hook is not None:
                self._c_hook(hook, task)
        finally:
            with self._c_lock:
                dropped = self._c_done(task)
        del dropped

    def _c_cancel(self, task: Task, expired: bool) -> bool:
        """DELAYED or QUEUED becomes CANCELLED."""
        worker = local.worker
        if worker is not None:
            worker.shield += 1
        try:
            with self._c_lock:
                checkpoint()
                if not self._c_strike(task, expired):
                    return False
                callbacks = self._c_over(task, CANCELLED)
            self._c_follow_up(task, callbacks)
            return True
        finally:
            if worker is not None:
                worker.shield -= 1

    def _c_strike(self, task: Task, expired: bool) -> bool:
        """Cancel's transition; the lock is held. The task stays in its lane as a tombstone."""
        if task._home != self._c_prefix:
            return False  # it belongs to the process that this one was forked from
        if task.state == QUEUED:
            queue = self._c_queues[task.queue]
            queue.left(task.lane)
            if self.closed and not queue.count():
                self._c_wake_all()
        elif task.state != DELAYED:
            return False
        self._c_strike_taken(task, expired)
        return True

    def _c_strike_taken(self, task: Task, expired: bool) -> None:
        """The same for a task that is in no lane (any more)."""
        self._c_timers.remove(task)
        task._completed = self.now()
        self._c_cancelled += 1
        if expired:
            self._c_expired += 1
        self._c_finish_rate.add(task._completed)

    def _c_over(self, task: Task, state: int) -> list[Any] | None:
        """Store the terminal state, wake who waits; the callbacks are the caller's to run. The lock is held."""
        task.state = state
        waiters, task._waiters = task._waiters, None
        if waiters is not None:
            for waiter in waiters:
                waiter.release()
        callbacks, task._callbacks = task._callbacks, None
        return callbacks

    def _c_run_callbacks(self, task: Task, callbacks: list[Any] | None) -> None:
        if callbacks is None:
            return
        try:
            self._callbacks(task, callbacks)
        except BaseException:
            logger.exception("callbacks of %r failed", task)

    def _c_done(self, task: Task) -> list[Any]:
        """Its callbacks have run: keep it or let it go. Returns what nobody needs any more. The lock is held."""
        dropped: list[Any] = []
        if task._home != self._c_prefix:
            return dropped  # a callback forked, and this is the child: the rest is the parent's to do
        if task.state == COMPLETED:
            dropped += task.args, task.kwargs, task._context
            task.args = task.kwargs = task._context = None
        if not task._keep or self._c_cap == 0:
            self._c_tasks.pop(task.id, None)
        elif task.id in self._c_tasks:
            self._c_finished.append(task)
            if self._c_cap is not None and len(self._c_finished) > self._c_cap:
                oldest = self._c_finished.popleft()
                self._c_tasks.pop(oldest.id, None)
                dropped.append(oldest)
            if self._c_ttl is not None and len(self._c_finished) == 1:
                self._c_keeper_sooner(task._completed)
        self._c_outstanding -= 1
        if self._c_outstanding == 0:
            self._c_drained.notify_all()
        return dropped

    def _c_keeper_sooner(self, finished: float | None) -> None:
        if self._c_ttl is not None and finished is not None and finished + self._c_ttl < self._c_keeper_until:
            self._c_keeper.notify_all()

    def _c_retry(self, task: Task, attempt: int, error: BaseException, seconds: float, worker: Worker | None) -> bool:
        """RUNNING of this attempt becomes DELAYED, even for no time at all: the keeper then queues it."""
        with self._c_lock:
            checkpoint()
            if task.state != RUNNING or task.attempt != attempt or task._home != self._c_prefix:
                return False
            now = self.now()
            task.run_seconds = now - (task._started if task._started is not None else now)
            task.cancel_requested = False
            task.state = DELAYED
            task._due = now + seconds
            self._c_retried += 1
            if worker is not None:
                worker.retried += 1
            self._c_schedule(task, task._due)
        hook = self._c_queues[task.queue].on_finish
        if hook is not None:
            self._c_hook(hook, task)
        return True

    def _c_attempt_failed(self, task: Task, attempt: int, error: BaseException, worker: Worker | None) -> bool:
        """Ask the policy what a failed attempt means, and do it; a stale attempt means nothing."""
        if task.state != RUNNING or task.attempt != attempt or task._home != self._c_prefix:
            return False
        try:
            answer = self._failed(task, error)
        except BaseException:
            logger.exception("retry policy failed for %r", task)
            answer = None
        if answer is None or answer is True:
            return self._c_settle(task, attempt, FAILED, None, error, worker)
        if answer is False:
            return self._c_settle(task, attempt, CANCELLED, None, error, worker)
        return self._c_retry(task, attempt, error, float(answer), worker)

    def _c_free_id(self, worker: Worker) -> None:
        """The lock is held."""
        self._c_workers.pop(worker.id, None)
        self._c_performers.pop(worker.id, None)
        heappush(self._c_free_ids, worker.id)
