"""`Engine`: the core with its threads and policies. `BackgroundTasks` and the shims stand on it.

The core queues, claims, runs and ends tasks; what it asks back (`_failed`, `_full`, `_callbacks`, …) is answered here,
by handing on to the file that knows. Nothing here knows priorities by name, milliseconds, Celery or RQ.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from . import core, lifecycle, retries
from .callbacks import SideThread
from .chains import Group
from .clocks import ManualClock
from .core import Task
from .errors import CancelInterrupt, EngineShutdown, QueueFull
from .exits import ExitPolicy
from .extra import Extra
from .forks import after_fork
from .handle import TaskResult, run_callback
from .keeper import Keeper, Timer
from .limits import Limits
from .options import TaskOptions, count, patience, seconds
from .pools import Pool
from .queues import Queue

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .eventloop import EventLoop

__all__ = ["Engine", "default_engine"]

core.set_errors(QueueFull=QueueFull, EngineShutdown=EngineShutdown)

ASYNC_LIMIT = 256
"""`async def` tasks that run at once."""


class Engine(ExitPolicy, core.Engine):
    """Queues, pools of threads, one keeper thread, one event loop. No thread exists before the first submit.

    `name` shows in thread names and messages. `ring_size` and `aging` are the core's (tasks per lane before the
    overflow list; every n-th take starts at the lowest lane, None: never). `result_ttl` seconds and `result_max` ended
    tasks are kept for `get()`; None keeps them all. `async_limit`: coroutine tasks that run at once. `on_exit`, for what
    has not ended by then: "drain" (the default, or what BROKERLESS_ON_EXIT says) waits up to `exit_timeout` seconds, but
    not for what is only due later; "wait" waits for all, "drop" for none. Dropped tasks are logged at ERROR by name and id.
    """

    on_progress: Callable[[Task], Any] | None = None
    """Told when a task or a group says how far it is."""

    def __init__(
        self,
        *,
        name: str = "engine",
        task_type: type[Task] = TaskResult,
        ring_size: int = 1024,
        aging: int | None = 64,
        result_ttl: float | None = None,
        result_max: int | None = None,
        async_limit: int = ASYNC_LIMIT,
        on_exit: str | None = None,
    ) -> None:
        super().__init__(
            task_type=task_type, ring_size=ring_size, aging=aging, result_ttl=result_ttl, result_max=result_max
        )
        self.name = name
        self.on_full = "raise"
        self.queue_size: int | None = None
        """The bound of the main queue's lanes, where there is one."""
        self.full_timeout: float | None = 30.0
        """Seconds that a submit waits for room with `on_full="block"`; None: without limit."""
        self.on_exit = on_exit  # None: the default
        self.holders: list[Callable[[], list[str]]] = []
        """Each names the calls, one a line, that would become tasks later and are lost at exit."""
        self.on_dropped: Callable[[Task], Any] | None = None
        """Called for each task that is dropped because the interpreter ends, before it is cancelled."""
        self.frozen = False
        """The interpreter ends: no threads are added any more to be faster."""
        self.add_group()  # the core's home for threads that it borrows: perform(), run_until_empty()
        self._clock: ManualClock | None = None
        self._async_limit = async_limit
        self._queues_by_name: dict[str, Queue] = {}
        self._pools_by_name: dict[str, Pool] = {}
        self._reserves: list[Pool] = []
        self._eventloop: EventLoop | None = None
        self._every_queue: list[Queue] = []
        self._observers: dict[str, Callable[[Task], Any]] = {}
        self._naming = threading.RLock()
        self._promising = threading.Lock()
        self._born = time.monotonic()
        self._side_thread = SideThread()
        self.keeper = Keeper(self)
        self.limits = Limits(self)
        self.groups_ended = dict.fromkeys((core.COMPLETED, core.FAILED, core.CANCELLED), 0)
        """Handles of chains and groups by their end: the core counts them as tasks, the statistics do not."""
        self._promises = self.queue("brokerless:groups", lanes=2)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def queue(self, name: str, lanes: int = 4) -> Queue:
        """The queue of that name, made at the first call. Raises ValueError if it exists with another lane count."""
        with self._naming:
            queue = self._queues_by_name.get(name)
            if queue is None:
                queue = self._queues_by_name[name] = Queue(self, name, lanes)
            elif queue.lanes != lanes:
                raise ValueError(f"queue {name!r} exists with {queue.lanes} lanes, lanes={lanes} was asked for")
            return queue

    def queue_made(self, queue: Queue) -> None:
        """Called by each new queue, also by those that have no place in `queues()`."""
        self._every_queue.append(queue)
        if self._observers:
            queue.observe(self._observers)

    def observe(
        self, observers: dict[str, Callable[[Task], Any]], on_progress: Callable[[Task], Any] | None = None
    ) -> None:
        """Sets who is told of all tasks of all queues (see `Queue.observe`) and of their progress; {} for nobody."""
        with self._naming:
            self._observers = observers
            self.on_progress = on_progress
            for queue in self._every_queue:
                queue.observe(observers)

    def take_from(self, group: int, queues: Sequence[int]) -> None:
        """The core's `subscribe`: the queues that a group of workers takes from, in this order."""
        super().subscribe(group, queues)

    def queues(self) -> list[Queue]:
        """All named queues, oldest first."""
        with self._naming:
            return list(self._queues_by_name.values())

    def pool(
        self, name: str, queues: Sequence[Queue], workers: int = 1, autostart: bool = True, reserve: bool = False
    ) -> Pool:
        """The pool of that name, made at the first call with so many worker threads (later calls return it as it is).

        `autostart`: the threads start at the first push to one of its queues, else with `start()`. `reserve`: the
        threads take from lane 0 only, and the first starts when a push to lane 0 finds nobody idle.
        """
        if workers < 0:
            raise ValueError(f"workers={workers!r}: expected 0 or more")
        with self._naming:
            pool = self._pools_by_name.get(name)
            if pool is None:
                pool = self._pools_by_name[name] = Pool(self, name, queues, workers, autostart, reserve)
                if reserve:
                    self._reserves.append(pool)
            return pool

    def pools(self) -> list[Pool]:
        """All pools, oldest first."""
        with self._naming:
            return list(self._pools_by_name.values())

    def remove_pool(self, name: str) -> None:
        """Forgets a stopped pool, so that its name is free again."""
        with self._naming:
            pool = self._pools_by_name.pop(name, None)
            if pool is not None:
                pool.stop(wait=False)
                pool.subscribe([])
                if pool in self._reserves:
                    self._reserves.remove(pool)

    def claim(self, queues: Sequence[Queue | int], timeout: float | None = 0) -> Task | None:
        """Takes and claims one task for the calling thread; waits up to `timeout` seconds for one (None: no limit)."""
        return super().claim([int(queue.__index__()) for queue in queues], timeout)

    def run_until_empty(self, queues: Sequence[Queue | int] | None = None, max_tasks: int | None = None) -> int:
        """Runs what waits in these queues (in all, if None) on the calling thread; returns how many ran."""
        chosen = [queue for queue in self.queues() if queue is not self._promises] if queues is None else queues
        return super().run_until_empty([int(queue.__index__()) for queue in chosen], max_tasks)

    def call_later(self, seconds: float, func: Callable[[], Any]) -> Timer:
        """Calls a short function on the keeper thread after so many seconds; the timer can be cancelled."""
        return self.keeper.call_later(seconds, func)

    @property
    def eventloop(self) -> EventLoop:
        """The engine's event loop; made, but not started, by the first look at it."""
        loop = self._eventloop
        if loop is None:
            from .eventloop import EventLoop  # loads asyncio, which most programs have no use for

            with self._naming:
                loop = self._eventloop
                if loop is None:
                    loop = self._eventloop = EventLoop(self, self._async_limit)
        return loop

    def run_coroutine(
        self, coroutine: Coroutine[Any, Any, Any], on_done: Callable[[Future[Any]], Any] | None = None
    ) -> Future[Any]:
        """Runs a coroutine on the engine's loop. Returns its future; `on_done(future)` is called at its end."""
        return self.eventloop.run_coroutine(coroutine, on_done)

    @property
    def clock(self) -> ManualClock | None:
        """The clock set by hand, None while time runs by itself."""
        return self._clock

    @clock.setter
    def clock(self, clock: ManualClock) -> None:
        if not isinstance(clock, ManualClock):
            raise TypeError(f"clock={clock!r}: expected a ManualClock; an engine without one goes by the system's")
        self._clock = clock
        self.keeper.clock_is_manual()
        clock.attach(self)
        self._clock_is_set()

    def interrupt(self, task: Task, exception: type[BaseException] = CancelInterrupt) -> bool:  # type: ignore[override]
        """Raises `exception` (a class) inside the thread that runs the task, as soon as it is in the task's own code.

        A coroutine is cancelled instead. Never blocks. False: the task is not running.
        """
        if self._eventloop is not None and self._eventloop.interrupt(task):
            return True
        return self.limits.interrupt(task, exception)

    def cancel_running(self, task: Task) -> bool:
        """What `cancel(interrupt=True)` does to a running task."""
        return self.interrupt(task, CancelInterrupt)

    def resubmit(self, task: Task, max_retries: int | None, delay_ms: float) -> TaskResult:
        """What `TaskResult.retry()` does: the same call again, as a new task."""
        delay = seconds("delay_ms", delay_ms) or None
        old = task.extra if type(task.extra) is Extra else Extra()
        if old.group is not None:
            handle = old.group.again(delay)
            handle.extra.retry_of = task
            return handle
        options = task.options
        if max_retries is not None:
            options = _with_retries(options, max_retries)
        extra = Extra(old.tags, old.metadata)
        extra.retry_of = task
        extra.user = old.user
        return self.enqueue(  # type: ignore[return-value]
            task.func,
            task.args or (),
            task.kwargs,
            queue=task.queue,
            lane=task.lane,
            delay=delay,
            timeout=task.timeout,
            options=options,
            extra=extra,
        )

    def promise(self, group: Group, extra: Extra) -> TaskResult:
        """A task that no worker runs: it is RUNNING at once and ends by `finish()`, `fail()` or `drop()`."""
        with self._promising:
            # Not in lane 0: that one calls for the reserve.
            task = self.enqueue(group, queue=self._promises.index, lane=1, extra=extra, context=False)
            claimed = super().claim([self._promises.index], 0)
        assert claimed is task, "nobody else takes from this queue"
        task.add_callback(self._count_group)
        return task  # type: ignore[return-value]

    def _count_group(self, task: Task) -> None:
        with self._promising:
            self.groups_ended[task.state] += 1

    def _clock_is_set(self) -> None:
        """For those who compute times from the clock."""

    def stop_recurring(self) -> None:
        """Nothing more is submitted by the engine itself; the first step of every end."""

    def _start(self) -> None:
        self.keeper.start()
        lifecycle.watch(self)

    def _failed(self, task: Task, error: BaseException) -> float | bool | None:
        return retries.decide(self, task, error)

    def _callbacks(self, task: Task, callbacks: list[Any]) -> None:
        if threading.current_thread() is self.keeper.thread and any(type(entry) is tuple for entry in callbacks):
            self._side_thread.run(partial(_run_callbacks, task, callbacks))
        else:
            _run_callbacks(task, callbacks)

    def drain(self, timeout: float | None = None) -> bool:
        """Waits until every task has ended and its callbacks have run, at most `timeout` seconds (None: without limit).

        Delayed tasks count. Returns whether nothing is left. New tasks may be submitted meanwhile.
        """
        timeout = patience("timeout", timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        if not super().drain(timeout):
            return False
        return self._side_thread.drain(None if deadline is None else max(0.0, deadline - time.monotonic()))

    def _need_reserve(self) -> None:
        for pool in self._reserves:
            if not pool.started and not pool.paused and not self.closed:
                pool.start()

    def _full(self, queue: int, lane: int, count: int, limit: int) -> bool:
        message = f"queue {queue}, lane {lane} of {self.name!r} has no room for {count} more task(s)"
        message += "; wait for some to finish, raise queue_size, or use on_full='block'"
        if self.on_full != "block":
            raise QueueFull(message)
        if self.is_own_thread():
            raise QueueFull(message + " (the submitter is a worker of this engine: waiting here could last for ever)")
        if count > limit:
            raise QueueFull(f"{message}; {count} can never fit into {limit}")
        if not self.wait_room(queue, lane, count, limit, self.full_timeout):
            raise QueueFull(f"{message}; none was there within {self.full_timeout} s")
        return True

    def is_own_thread(self) -> bool:
        """Whether the caller is one of this engine's threads."""
        here = threading.current_thread()
        running = core.current()
        if here is self.keeper.thread or (running is not None and running.engine is self):
            return True
        if self._eventloop is not None and here is self._eventloop.thread:
            return True
        return any(here in pool.threads() for pool in self.pools())

    def _forked(self) -> None:
        self._naming = threading.RLock()
        self._promising = threading.Lock()
        self._side_thread = SideThread()
        self._observers, self.on_progress = {}, None
        self.keeper.reset_after_fork()
        self.limits.reset_after_fork()
        for queue in self._queues_by_name.values():
            queue.reset_after_fork()
        if self._eventloop is not None:
            self._eventloop.reset_after_fork()
        for pool in self._pools_by_name.values():
            pool.reset_after_fork()

    @property
    def uptime(self) -> float:
        """Seconds since the engine was made."""
        return time.monotonic() - self._born

    def compilation_figures(self) -> dict[str, float]:
        """Counts of compiled functions: `compiled`, `success_rate`, `speedup`; empty where nothing is compiled."""
        return {}

    def settle(self, timeout: float | None) -> bool:
        """Like `drain()`, but gives up early when all that is left is not due within `timeout` seconds."""
        return lifecycle.settle(self, patience("timeout", timeout))

    def shut_down(self, wait: bool, timeout: float | None, cancel_pending: bool) -> bool:
        """Ends the engine; see `BackgroundTasks.shutdown`."""
        return lifecycle.shut_down(self, wait, patience("timeout", timeout), cancel_pending)


def _run_callbacks(task: Task, callbacks: list[Any]) -> None:
    for entry in callbacks:
        run_callback(task, entry)


def _with_retries(options: Any, max_retries: int) -> TaskOptions:
    given = count("max_retries", max_retries) or 0
    return replace(options, max_retries=given) if isinstance(options, TaskOptions) else TaskOptions(max_retries=given)


_default: Engine | None = None
_default_lock = threading.Lock()


def _after_fork() -> None:
    global _default_lock
    _default_lock = threading.Lock()


after_fork(_after_fork)


def default_engine() -> Engine:
    """The engine that all apps and queues of this process share; made at the first call, without threads."""
    global _default
    with _default_lock:
        if _default is None or _default.closed:
            _default = Engine(name="default")
        return _default
