"""`BackgroundTasks`: the public face of one engine. It checks arguments, gives them to the engine, and lists tasks.

`add_task` of plain functions is the core's own method and does not pass through this file; whatever else can be asked
for (options, coroutines, decorated functions) comes back through `_add_with_options`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from .batches import BatchReader, Item
from .calls import Call, call_of, unwrap
from .chains import Chain, Parallel
from .compilation import Compilation, Compiling
from .configuration import Configuration
from .core import Task
from .decorators import TaskFunction
from .events import Listening
from .executor import TaskExecutor
from .extra import Extra
from .handle import TaskResult
from .memory import has_jemalloc, memory_stats
from .model import EngineStats, MemoryStats, TaskPriority, TaskStatus, WorkerStats
from .options import DEFAULTS, OPTION_NAMES, Settings, count, is_async, priority_of, status_of, tags_of
from .recurring import Recurring
from .scaling import Scaler
from .schedules import Schedule, Schedules
from .stats import Statistics
from .timetables import Timetable

__all__ = ["BackgroundTasks"]

P = ParamSpec("P")
R = TypeVar("R")


class BackgroundTasks(Compiling, Listening, Recurring):
    """Runs functions in the background of this process. No thread exists before the first submit.

    `workers`: threads at the start (default: one per core, at least 2). `min_workers`, `max_workers`: what auto-scaling
    stays between; without them it keeps at least `workers`, and adds threads (up to min(32, cores + 4)) only if
    `workers` is not given either. `queue_size`: most waiting tasks per priority, None for no bound; CRITICAL, retries
    and delayed tasks are exempt. `on_full`: "raise" (QueueFull) or "block" (waits up to `full_timeout`, an attribute,
    30 s at first; in a worker thread it raises). `on_exit`: what the interpreter's exit does with tasks that have not
    ended: "drain" (the default, unless BROKERLESS_ON_EXIT says otherwise) waits up to `exit_timeout` (an attribute, 10
    s at first), "wait" waits for all, delayed ones too, "drop" does not wait; what is dropped is logged at ERROR.
    `result_ttl`: seconds, and `result_max`: count of ended tasks that are kept for `get_task_by_id`; None for no limit.
    `memory_pool_mb`: so much memory for tasks is reserved at the start; it grows beyond that as needed. `application`:
    names this program in the locks that let a schedule run once per host; by default that is the file of the scheduled
    function. `enable_profiling` and `use_jemalloc` are accepted and change nothing: the figures are always measured,
    and the allocator was chosen when this package was built. Other names that are accepted: `initial_workers`,
    `task_workers`, `task_queue_size`, `enable_task_c_compilation`, `enable_jemalloc`, `memory_profiling`.

    Raises TypeError or ValueError for a wrong argument. Use it as a context manager to shut it down at the end.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        min_workers: int | None = None,
        max_workers: int | None = None,
        queue_size: int | None = 10_000,
        enable_auto_scaling: bool = True,
        memory_pool_mb: int | None = None,
        enable_c_compilation: bool = True,
        enable_profiling: bool = True,
        on_full: str = "raise",
        on_exit: str | None = None,
        result_ttl: float | None = 3600.0,
        result_max: int | None = 10_000,
        application: str | None = None,
        **other_names: Any,
    ) -> None:
        given = {
            "workers": workers,
            "min_workers": min_workers,
            "max_workers": max_workers,
            "queue_size": queue_size,
            "enable_auto_scaling": enable_auto_scaling,
            "memory_pool_mb": memory_pool_mb,
            "enable_c_compilation": enable_c_compilation,
            "enable_profiling": enable_profiling,
            "on_full": on_full,
            "on_exit": on_exit,
            "result_ttl": result_ttl,
            "result_max": result_max,
            "application": application,
        }
        self.configuration = configuration = Configuration.checked(given, other_names)
        super().__init__(name="tasks", result_ttl=configuration.result_ttl, result_max=configuration.result_max)
        if configuration.memory_pool_mb is not None:
            self.reserve_memory(configuration.memory_pool_mb << 20)
        self.application = configuration.application
        self.schedules = Schedules(self)
        self.on_full = configuration.on_full
        self.on_exit = configuration.on_exit
        self.queue_size = configuration.queue_size
        self._main_queue = self.queue("tasks", lanes=len(TaskPriority))
        self._main_pool = self.pool("worker", [self._main_queue], workers=configuration.workers)
        self._reserve_pool = self.pool("reserve", [self._main_queue], workers=1, reserve=True)
        least, most = configuration.min_workers, configuration.max_workers
        scales = configuration.enable_auto_scaling and least < most
        self._scaler = Scaler(self, self._main_pool, least, most) if scales else None
        self._statistics = Statistics(self, self._main_queue, self.queue_size)
        self._paused = False
        self.compilation = Compilation(self, configuration.enable_c_compilation)
        self.set_defaults(
            lane=TaskPriority.NORMAL,
            limit=self.queue_size or 0,
            timeout=DEFAULTS.timeout,
            options=DEFAULTS.task_options,
            queue=self._main_queue.index,
        )

    if TYPE_CHECKING:

        @overload
        def add_task(
            self,
            func: Callable[..., Any],
            /,
            *args: Any,
            priority: TaskPriority | int | str = TaskPriority.NORMAL,
            delay_ms: float = 0,
            max_retries: int = 3,
            timeout_ms: float | None = 30_000,
            expires_ms: float | None = None,
            compile_to_c: bool | str | None = None,
            tags: Iterable[str] | str | None = None,
            metadata: Mapping[str, Any] | None = None,
            retry_stuck: bool = False,
            schedule: None = None,
            **kwargs: Any,
        ) -> TaskResult: ...

        @overload
        def add_task(
            self,
            func: Callable[..., Any],
            /,
            *args: Any,
            priority: TaskPriority | int | str = TaskPriority.NORMAL,
            max_retries: int = 3,
            timeout_ms: float | None = 30_000,
            expires_ms: float | None = None,
            compile_to_c: bool | str | None = None,
            tags: Iterable[str] | str | None = None,
            metadata: Mapping[str, Any] | None = None,
            retry_stuck: bool = False,
            schedule: Timetable,
            **kwargs: Any,
        ) -> Schedule: ...

        def add_task(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> TaskResult | Schedule:
            """Queues one call `func(*args, **kwargs)` and returns its handle.

            `func`: a function, a coroutine function, or one decorated with `task` (whose options then hold where none
            is given here). `priority`: a TaskPriority, its number or its name. `delay_ms`: not before so many
            milliseconds. `max_retries`: automatic retries after a failure. `timeout_ms`: time limit of one attempt in
            milliseconds, None for none. `expires_ms`: CANCELLED if it has not started by then. `compile_to_c`: None,
            True, False or "require", see docs/compilation.md. `tags` and `metadata` are kept for queries.
            `retry_stuck`: retry after a time limit even while the thread is still in the function. `schedule`: an
            `every()` or a `cron()`; the call is then made again and again, and its `Schedule` is returned.

            Raises QueueFull (or blocks, see `on_full`), EngineShutdown, and TypeError or ValueError for wrong
            arguments, with nothing queued.
            """

    def _add_with_options(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Task:
        settings, func = unwrap(func)
        given = {name: kwargs.pop(name) for name in OPTION_NAMES.intersection(kwargs)}
        settings = settings.updated(given)
        if settings.schedule is None:
            return self.submit_with(settings, func, args, kwargs)
        schedule = self._recur(settings, func, args, kwargs)
        self.outstanding()  # lets the core see a fork before anything starts here
        self._start()
        return schedule  # type: ignore[return-value]

    def submit_with(
        self, settings: Settings, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> TaskResult:
        """Queues one call with checked options; every keyword in `kwargs` goes to the function."""
        return self._submit_checked(settings, func, args, kwargs, self.queue_size or 0)

    def _submit_checked(
        self,
        settings: Settings,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        limit: int,
        keep: bool = True,
    ) -> TaskResult:
        options = settings.task_options
        coroutine = is_async(func)
        return self.enqueue(  # type: ignore[return-value]
            func if coroutine else self.compilation.form(func, settings.compile_to_c),
            args,
            dict(kwargs) if kwargs else None,
            queue=self.eventloop.queue.index if coroutine else self._main_queue.index,
            lane=int(settings.priority),
            delay=settings.delay,
            expires=settings.expires,
            timeout=None if coroutine else options.timeout,
            limit=0 if settings.priority is TaskPriority.CRITICAL else limit,
            keep=keep,
            options=options,
            extra=_extra(settings),
        )

    def add_batch(
        self,
        tasks: Iterable[Mapping[str, Any]],
        default_priority: TaskPriority | int | str = TaskPriority.NORMAL,
        batch_size: int = 1000,
        **default_options: Any,
    ) -> list[TaskResult]:
        """Queues many calls, all of them or none, and returns their handles in order.

        `tasks`: mappings with `func`, and optionally `args`, `kwargs` and any option of `add_task`.
        `default_priority` and `default_options` hold where a mapping says nothing. `batch_size` is accepted and has no
        effect: the whole list goes in at once.
        Raises like `add_task`; QueueFull when not all of them fit.
        """
        count("batch_size", batch_size, least=1)
        items: list[Any] = tasks if isinstance(tasks, list) else list(tasks)
        settings = DEFAULTS.updated({"priority": default_priority, **default_options}).once()
        read = BatchReader(lambda item: self._batch_item(item, settings))
        if settings != DEFAULTS:
            items = list(map(read, items))
        return self.enqueue_many(items, limit=self.queue_size or 0, read=read)  # type: ignore[return-value]

    def _batch_item(self, item: Any, defaults: Settings) -> Item:
        call = call_of(item, defaults)
        settings, options = call.settings, call.settings.task_options
        coroutine = is_async(call.func)
        return (
            call.func if coroutine else self.compilation.form(call.func, settings.compile_to_c),
            call.args,
            dict(call.kwargs) or None,
            int(settings.priority),
            settings.delay,
            settings.expires,
            None if coroutine else options.timeout,
            options,
            _extra(settings),
            self.eventloop.queue.index if coroutine else self._main_queue.index,
        )

    def chain_tasks(
        self, funcs: Iterable[Any], chain_on_success: bool = True, stop_on_failure: bool = True
    ) -> TaskResult:
        """Runs functions one after the other and returns one handle for the whole chain.

        `funcs`: functions, or mappings as for `add_batch` with arguments and options of their own. The flags:

        | chain_on_success | stop_on_failure | after a success the next function gets | after a failure or a cancel |
        |---|---|---|---|
        | True | True | the value, before its own arguments | nothing follows; the chain ends like that function |
        | True | False | the value, before its own arguments | the next one gets None in the value's place |
        | False | True | its own arguments only | nothing follows; the chain ends like that function |
        | False | False | its own arguments only | the next one gets its own arguments only |

        The first function gets its own arguments. The chain has the outcome of the last function that ran; a failure
        counts once the retries are used up. `handle.children` are the tasks so far, `handle.progress` counts the ended
        ones, and `handle.cancel()` ends the chain. Raises ValueError for an empty chain, else like `add_task`; later
        functions are not bound by `queue_size`.
        """
        calls = [call_of(item) for item in funcs]
        if not calls:
            raise ValueError("chain_tasks([]) has nothing to run: give at least one function")
        return Chain(self, self._submit_call, calls, bool(chain_on_success), bool(stop_on_failure)).start()

    def parallel_tasks(
        self, funcs: Iterable[Any], wait_for_all: bool = True, max_parallelism: int | None = None
    ) -> TaskResult:
        """Runs functions side by side and returns one handle for the group.

        `funcs` as for `chain_tasks`. With `wait_for_all` the handle ends when all functions have: its value is the list
        of their values in the order of `funcs`; if some failed it FAILED with the error of the first of them (by
        position), if none failed but some were cancelled it is CANCELLED. Without `wait_for_all` the first function
        that completes ends it, with its value (others that run go on, those not submitted yet are not); if none
        completes, the handle ends like the last. `max_parallelism`: at most so many of them queued or running at once.
        An empty group completes with []. `handle.cancel()` ends the group. Raises like `add_task`; functions after the
        first `max_parallelism` are not bound by `queue_size`.
        """
        width = count("max_parallelism", max_parallelism, least=1, optional=True)
        calls = [call_of(item) for item in funcs]
        if not calls and not wait_for_all:
            raise ValueError("parallel_tasks([], wait_for_all=False) has nothing that could come first")
        return Parallel(self, self._submit_call, calls, bool(wait_for_all), width).start()

    def _submit_call(self, call: Call, first_args: tuple[Any, ...]) -> Task:
        return self._submit_checked(call.settings, call.func, first_args + call.args, call.kwargs, 0)

    @overload
    def task(self, func: Callable[P, R], /) -> TaskFunction[P, R]: ...

    @overload
    def task(self, func: None = None, /, **options: Any) -> Callable[[Callable[P, R]], TaskFunction[P, R]]: ...

    def task(self, func: Any = None, /, **options: Any) -> Any:
        """Decorator, bare or with options of `add_task`: the function stays callable and gets `.delay(*args,
        **kwargs)`.

        With `schedule` the function also recurs, without arguments, from the engine's start on (the first submit, or
        `start()`): a decoration starts no threads. Its `schedule` is the `Schedule`.
        Raises TypeError or ValueError for a wrong option, at the decoration.
        """
        if func is not None and not callable(func):
            raise TypeError(f"task() decorates functions, got {func!r}; options are given by keyword")
        settings = DEFAULTS.updated(options)

        def decorate(function: Callable[..., Any]) -> TaskFunction[..., Any]:
            made = TaskFunction(function, self, replace(settings, schedule=None))
            if settings.schedule is not None:
                made.schedule = self._recur(settings, function, (), {})
            return made

        return decorate if func is None else decorate(func)

    def executor(self, **options: Any) -> TaskExecutor:
        """A `concurrent.futures.Executor` whose calls are tasks of this engine; see `TaskExecutor`.

        `options`: those of `add_task`, for every call. Raises TypeError or ValueError for a wrong one.
        """
        return TaskExecutor(self, **options)

    def get_tasks(
        self,
        status: TaskStatus | str | None = None,
        priority: TaskPriority | int | str | None = None,
        tags: Iterable[str] | str | None = None,
        limit: int | None = 100,
    ) -> list[TaskResult]:
        """Known tasks, newest first, at most `limit` (None: all): those with this status, this priority and all of
        these tags. Handles of chains and groups are among them. Ended tasks leave after `result_ttl` and
        `result_max`."""
        most = count("limit", limit, optional=True)
        found: list[TaskResult] = []
        for task in self._matching(status, priority, tags):
            if most is not None and len(found) >= most:
                break
            found.append(task)
        return found

    def count_tasks(
        self,
        status: TaskStatus | str | None = None,
        priority: TaskPriority | int | str | None = None,
        tags: Iterable[str] | str | None = None,
    ) -> int:
        """How many known tasks match; filters as for `get_tasks`."""
        return sum(1 for _ in self._matching(status, priority, tags))

    def _matching(self, status: Any, priority: Any, tags: Any) -> Iterable[TaskResult]:
        wanted_status = None if status is None else status_of(status)
        lane = None if priority is None else priority_of(priority)
        wanted_tags = frozenset(tags_of("tags", tags))
        for task in reversed(self.tasks()):
            if lane is not None and task.lane != lane:
                continue
            if wanted_status is not None and task.status is not wanted_status:  # type: ignore[attr-defined]
                continue
            if wanted_tags and not wanted_tags.issubset(task.tags):  # type: ignore[attr-defined]
                continue
            yield task  # type: ignore[misc]

    def get_task_by_id(self, task_id: str) -> TaskResult | None:
        """The handle with this `task_id`; None when it is unknown or was let go."""
        return self.get(task_id)  # type: ignore[return-value]

    def get_task_result(self, task: TaskResult | str) -> Any:
        """The value of a task, by handle or id, None while it is pending or running; never blocks.

        Raises KeyError for an unknown id, else like `TaskResult.get_result`.
        """
        handle = task if isinstance(task, Task) else self.get(task)
        if handle is None:
            raise KeyError(f"no task {task!r}: never submitted here, or let go after result_ttl or result_max")
        return handle.get_result()  # type: ignore[attr-defined]

    def start(self) -> None:
        """Starts the threads now instead of at the first submit."""
        self._start()
        self._main_pool.start()

    def pause(self) -> None:
        """No new task starts, of whatever priority; running ones go on, submitting goes on."""
        self._paused = True
        self._main_pool.pause()
        self._reserve_pool.pause()
        self.eventloop.pause()

    def resume(self) -> None:
        """Ends a pause."""
        self._paused = False
        self._main_pool.resume()
        self._reserve_pool.resume()
        self.eventloop.resume()

    def is_paused(self) -> bool:
        """Whether `pause()` holds."""
        return self._paused

    def shutdown(
        self, wait_for_completion: bool = True, timeout: float | None = 30.0, cancel_pending: bool = False
    ) -> bool:
        """Ends the engine; from its end on, submits raise EngineShutdown. May be called again.

        `wait_for_completion`: waits up to `timeout` seconds (None: without limit) for all tasks, but not for those that
        are delayed beyond that; what has not started by then is cancelled, and threads that still run a task are left
        to it. `cancel_pending`: what has not started is cancelled first. With neither, the call returns at once, the
        queues are worked off in the background, and delayed tasks are cancelled. Returns whether every task had ended
        by itself. Called by one of its own tasks, it does not wait.
        """
        if self.closed:
            return self.outstanding() == 0
        if self._paused and not cancel_pending:
            self.resume()  # a pause would let it wait for nothing
        return self.shut_down(bool(wait_for_completion), timeout, bool(cancel_pending))

    def __enter__(self) -> BackgroundTasks:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # After an error in the block nobody is left to use what waits.
        self.shutdown(cancel_pending=kind is not None)

    def get_stats(self) -> EngineStats:
        """The engine's figures at this moment. Never blocks."""
        return self._statistics.read()

    def get_worker_stats(self, worker_id: int | None = None) -> WorkerStats | list[WorkerStats]:
        """One worker's figures, or a list with all workers' for None. Raises KeyError for an unknown worker."""
        if worker_id is None:
            return self._statistics.workers()
        found = self._statistics.worker(worker_id)
        if found is None:
            known = [stats.worker_id for stats in self._statistics.workers()]
            raise KeyError(f"no worker {worker_id!r}; there are {known}")
        return found

    def get_memory_stats(self) -> MemoryStats:
        """Memory of the engine and the process at this moment."""
        return memory_stats(self)

    @property
    def has_jemalloc(self) -> bool:
        """Whether the engine's bytes come from jemalloc, by its own figures."""
        return has_jemalloc()

    def _forked(self) -> None:
        super()._forked()
        if self._scaler is not None:
            self._scaler.reset_after_fork()


def _extra(settings: Settings) -> Extra | None:
    if settings.tags or settings.metadata:
        return Extra(settings.tags, settings.metadata)
    return None
