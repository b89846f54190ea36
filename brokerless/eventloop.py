"""The engine's one asyncio loop, in a thread of its own, for `async def` tasks.

It takes tasks from an internal queue of the engine, by priority, and runs up to `limit` of them at once. A time limit
is `Task.cancel()` on the coroutine, never an exception into the thread. A coroutine that blocks the loop delays the
others; its own limit still fails it in time, because the keeper watches the clock.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from . import core, retries
from .context import running_coroutine
from .core import DEFERRED, Task
from .keeper import Timer
from .limits import boundary, hold
from .options import TaskOptions
from .queues import Queue

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["EventLoop"]

log = logging.getLogger("brokerless")


class _Run:
    """One attempt of one `async def` task."""

    __slots__ = ("attempt", "begun", "coroutine", "held", "limited", "over", "task", "timer")

    def __init__(self, task: Task, attempt: int) -> None:
        self.task = task
        self.attempt = attempt
        self.coroutine: asyncio.Task[None] | None = None
        self.timer: Timer | None = None
        self.begun = False
        self.limited = False
        self.held: BaseException | None = None
        self.over = False

    def cancel(self) -> None:
        """On the loop's thread."""
        if self.coroutine is not None and not self.over:
            self.coroutine.cancel()


class EventLoop:
    """Made by the engine at the first `async def` task; the thread starts then."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self.engine = engine
        self.limit = limit
        self.queue = Queue(engine, "brokerless:async", 4)
        self.queue.set_hooks(on_push=self._ping, runner=self._begin)
        self.paused = False
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pinged = False
        self._runs: dict[int, _Run] = {}

    @property
    def running(self) -> int:
        """Coroutines that are under way."""
        return len(self._runs)

    @property
    def thread(self) -> threading.Thread | None:
        return self._thread

    def start(self) -> asyncio.AbstractEventLoop:
        """The loop, with its thread running."""
        with self._lock:
            if self._loop is None:
                loop = self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._main, args=(loop,), daemon=True, name="brokerless-eventloop"
                )
                try:
                    self._thread.start()
                except RuntimeError:
                    self._loop = self._thread = None
                    loop.close()
                    raise
            return self._loop

    def _main(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            left = asyncio.all_tasks(loop)
            for coroutine in left:
                coroutine.cancel()
            try:
                if left:
                    loop.run_until_complete(asyncio.wait(left, timeout=1.0))
                loop.run_until_complete(loop.shutdown_asyncgens())
            finally:
                loop.close()

    def run_coroutine(
        self, coroutine: Coroutine[Any, Any, Any], on_done: Callable[[Future[Any]], Any] | None = None
    ) -> Future[Any]:
        """Runs a coroutine on the loop, beside the tasks and without their limit. `on_done(future)` at its end."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self.start())
        if on_done is not None:
            future.add_done_callback(on_done)
        return future

    def _ping(self) -> None:
        """Any thread: something is ready."""
        if self._pinged or self.paused:
            return
        self._pinged = True
        try:
            self.start().call_soon_threadsafe(self._pump)
        except RuntimeError as error:
            self._pinged = False
            log.error("the event loop cannot take tasks: %s", error)

    def _pump(self) -> None:
        self._pinged = False
        while not self.paused and len(self._runs) < self.limit:
            task = core.Engine.claim(self.engine, [self.queue.index], 0)
            if task is None:
                break
            self.engine.perform(task)

    @boundary
    def _begin(self, task: Task) -> Any:
        """Called by the core in the submitter's context: makes the coroutine and hands the outcome over to it."""
        run = _Run(task, task.attempt)
        coroutine = task.func(*(task.args or ()), **(task.kwargs or {}))
        self._runs[task.id] = run
        options = task.options
        if isinstance(options, TaskOptions) and options.timeout is not None:
            run.timer = self.engine.call_later(options.timeout, partial(self._limit, run, options))
        run.coroutine = asyncio.get_running_loop().create_task(self._drive(run, coroutine))
        run.coroutine.add_done_callback(partial(self._never_begun, run, coroutine))
        return DEFERRED

    async def _drive(self, run: _Run, awaitable: Any) -> None:
        run.begun = True
        running_coroutine.set(run.task)
        value: Any = None
        error: BaseException | None = None
        try:
            value = await awaitable
        except BaseException as caught:
            error = caught
        self._ended(run, value, error)

    def _never_begun(self, run: _Run, awaitable: Any, driver: asyncio.Task[None]) -> None:
        """Cancelled before its first step: asyncio then does not run the driver at all."""
        if not run.begun:
            if hasattr(awaitable, "close"):
                awaitable.close()
            self._ended(run, None, asyncio.CancelledError())

    def _ended(self, run: _Run, value: Any, error: BaseException | None) -> None:
        task = run.task
        run.over = True
        if run.timer is not None:
            run.timer.cancel()
        if self._runs.get(task.id) is run:
            del self._runs[task.id]
        if run.limited:
            self._release(run)
        elif error is None:
            task.finish(run.attempt, value)
        elif isinstance(error, asyncio.CancelledError):
            task.drop(run.attempt)
        else:
            task.failed_attempt(run.attempt, error)
        if self.queue.count():
            self._pump()

    def _limit(self, run: _Run, options: TaskOptions) -> None:
        """On the keeper's thread, at the deadline."""
        error = options.limit_error(options.timeout or 0.0)
        # Set first: the coroutine may end between the decision and its being noted.
        run.limited = True
        if retries.left(run.task) and not self.engine.closed:
            won = hold(run.task, run.attempt, error)
            run.held = error if won else None
        else:
            won = run.task.fail(run.attempt, error)
        if not won:
            run.limited = False
            return
        self.engine.limits.timed_out += 1
        if run.over:
            self._release(run)
            return
        self._call(run.cancel)
        self.engine.keeper.look_later(self.engine.limits.grace, partial(self._stuck, run))

    def _release(self, run: _Run) -> None:
        """The held attempt has ended: the retry may come."""
        held, run.held = run.held, None
        if held is not None:
            run.task.failed_attempt(run.attempt + 1, held)

    def _stuck(self, run: _Run) -> None:
        if run.over:
            return
        if self._runs.get(run.task.id) is run:
            del self._runs[run.task.id]
        log.warning("coroutine task %s goes on after its time limit; its place is given away", run.task.task_id)
        held, run.held = run.held, None
        if held is not None:
            options = run.task.options
            if isinstance(options, TaskOptions) and options.retry_stuck:
                run.task.failed_attempt(run.attempt + 1, held)
            else:
                run.task.fail(run.attempt + 1, held)
        self._ping()

    def interrupt(self, task: Task) -> bool:
        """Cancels the coroutine of a running task. False: it does not run here."""
        run = self._runs.get(task.id)
        if run is None:
            return False
        self._call(run.cancel)
        return True

    def _call(self, func: Callable[[], Any]) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nothing runs on it
                loop.call_soon_threadsafe(func)

    def pause(self) -> None:
        """No new coroutine starts; running ones go on."""
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        if self.queue.count():
            self._ping()

    def stop(self, timeout: float | None = 5.0) -> None:
        """Cancels what runs and ends the thread; waits for that at most `timeout` seconds."""
        with self._lock:
            loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._call(loop.stop)
        if thread is not threading.current_thread():
            thread.join(timeout)

    def reset_after_fork(self) -> None:
        """In a forked child: no loop, no thread."""
        self._reset()
        self.queue.reset_after_fork()
