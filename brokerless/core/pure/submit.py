"""The submitting side: how work comes in, one by one or all or nothing."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from .ends import Ending
from .lanes import Queue
from .states import OPTION_NAMES, QUEUED, checkpoint, errors
from .task import Task

_CO_NOT_PLAIN = 0x80 | 0x200  # coroutine function, asynchronous generator function


ReadItem = Callable[[Any], tuple[Any, ...]]

_NO_KEYWORDS: dict[str, Any] = {}


def _is_plain(func: Any) -> bool:
    """A function of a kind whose call is known to be just that."""
    if type(func) is MethodType:
        func = func.__func__
    if type(func) is FunctionType:
        # A function with attributes may be marked as a coroutine function or carry a decorator's options.
        return not (func.__code__.co_flags & _CO_NOT_PLAIN or func.__dict__)
    return type(func) is BuiltinFunctionType


class Submitting(Ending):
    def set_defaults(self, *, lane: int, limit: int, timeout: float | None, options: Any, queue: int) -> None:
        """What add_task() and submit() use."""
        found = self._c_a_queue(queue)
        self._c_check_lane(found, lane)
        self._c_lane, self._c_limit, self._c_timeout = lane, int(limit), timeout
        self._c_options, self._c_queue = options, queue

    def show_functions(self, on: bool) -> None:
        """Whether add_task() gives functions that know() has not had to `_add_with_options`."""
        self._c_shows = bool(on)

    def know(self, func: Any) -> None:
        """From now on add_task() takes this function without asking."""
        if type(func) is FunctionType:
            if len(self._c_seen) > 1000:  # addresses only, and functions made in a loop have new ones
                self._c_seen.clear()
            self._c_seen.add(id(func.__code__))

    def _c_knows(self, func: Any) -> bool:
        return not self._c_shows or type(func) is not FunctionType or id(func.__code__) in self._c_seen

    def submit(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task:
        """The default queue and lane, no bound, no time limit; every keyword goes to the function."""
        return self.enqueue(func, args, kwargs or None, queue=self._c_queue, lane=self._c_lane)

    def add_task(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Task:
        """The defaults as set; options beyond a plain `priority` are the Python half's."""
        lane = self._c_lane
        if kwargs and not OPTION_NAMES.isdisjoint(kwargs):
            priority = kwargs.get("priority")
            if not isinstance(priority, int) or isinstance(priority, bool):
                return self._add_with_options(func, args, kwargs)
            if not OPTION_NAMES.isdisjoint(name for name in kwargs if name != "priority"):
                return self._add_with_options(func, args, kwargs)
            if not 0 <= priority < len(self._c_queues[self._c_queue].lanes):
                return self._add_with_options(func, args, kwargs)
            lane = int(priority)
            kwargs = {name: value for name, value in kwargs.items() if name != "priority"}
            if not _is_plain(func) or not self._c_knows(func):
                return self._add_with_options(func, args, {**kwargs, "priority": lane})
        elif not _is_plain(func) or not self._c_knows(func):
            return self._add_with_options(func, args, kwargs)
        return self.enqueue(
            func,
            args,
            kwargs or None,
            queue=self._c_queue,
            lane=lane,
            timeout=self._c_timeout,
            limit=self._c_limit if lane else 0,
            options=self._c_options,
        )

    def _add_with_options(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Task:
        priority = kwargs.pop("priority", self._c_lane)
        wrong = OPTION_NAMES.intersection(kwargs)
        if wrong:
            raise TypeError(f"the core takes no {', '.join(sorted(wrong))}")
        return self.enqueue(
            func,
            args,
            kwargs,
            queue=self._c_queue,
            lane=priority,
            timeout=self._c_timeout,
            limit=self._c_limit if priority else 0,
            options=self._c_options,
        )

    @staticmethod
    def _c_check_lane(queue: Queue, lane: int) -> None:
        if not isinstance(lane, int) or not 0 <= lane < len(queue.lanes):
            raise ValueError(f"no lane {lane!r} in queue {queue.index}, it has {len(queue.lanes)}")

    def _c_ready_to_submit(self) -> None:
        if self.closed:
            raise errors.closed("the engine is shut down")
        if not self._c_started:
            with self._c_lock:
                if self._c_started:
                    return
                self._c_started = True
            try:
                self._start()
            except BaseException:
                self._c_started = False
                raise

    def enqueue(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        queue: int = 0,
        lane: int = 0,
        front: bool = False,
        delay: float | None = None,
        expires: float | None = None,
        timeout: float | None = None,
        limit: int = 0,
        keep: bool = True,
        options: Any = None,
        extra: Any = None,
        context: bool = True,
    ) -> Task:
        if not callable(func):
            raise TypeError(f"the task must be callable, not {func!r}")
        where = self._c_a_queue(queue)
        self._c_check_lane(where, lane)
        lane = int(lane)
        kwargs = dict(kwargs) if kwargs else None  # the caller's may change before the task runs
        self._c_ready_to_submit()
        variables = contextvars.copy_context() if context else None
        if not variables:
            variables = None
        delayed = delay is not None and delay > 0
        while True:
            with self._c_lock:
                checkpoint()
                if self.closed:
                    raise errors.closed("the engine is shut down")
                if not limit or delayed or where.live[lane] < limit:
                    now = self.now()
                    task = self._c_make(
                        (func, args, kwargs, lane, delay, expires, timeout, options, extra, queue), now, keep, variables
                    )
                    if delayed:
                        return task
                    where.push(task, front)
                    idle = self._c_wake(where, 1, lane == 0)
                    break
            self._full(queue, lane, 1, limit)
        if (lane == 0 and not idle) or where.on_push is not None:
            self._c_after_push(where, idle, lane == 0)
        return task

    def wait_room(self, queue: int, lane: int, count: int, limit: int, timeout: float | None = None) -> bool:
        """Until a lane bounded by `limit` has room for `count` more, or close(); False after `timeout` seconds.
        Reserves nothing."""
        where = self._c_a_queue(queue)
        self._c_check_lane(where, lane)
        end = None if timeout is None else time.monotonic() + timeout
        with self._c_lock:
            where.blocked += 1
            try:
                while limit and where.live[lane] + count > limit and not self.closed:
                    left = None if end is None else end - time.monotonic()
                    if left is not None and left <= 0:
                        return False
                    where.room.wait(None if left is None else min(left, threading.TIMEOUT_MAX))
                return True
            finally:
                where.blocked -= 1

    def _c_make(self, item: Sequence[Any], now: float, keep: bool, variables: contextvars.Context | None) -> Task:
        """The task, known and timed, in no lane yet. The lock is held."""
        func, args, kwargs, lane, delay, expires, timeout, options, extra, queue = item
        id = self._c_next_id
        due = now + delay if delay is not None and delay > 0 else None
        expiry = None if expires is None else now + expires
        task = self._c_task_type(
            self,
            id,
            func,
            args,
            kwargs,
            lane,
            queue,
            timeout,
            options,
            extra,
            keep,
            variables,
            now,
            due,
            expiry,
        )
        self._c_next_id = id + 1
        self._c_tasks[id] = task
        self._c_outstanding += 1
        self._c_submitted += 1
        self._c_submit_rate.add(now)
        if due is not None:
            self._c_schedule(task, due)
        elif expiry is not None:
            self._c_schedule(task, expiry)
        hook = self._c_queues[queue].on_submit
        if hook is not None:
            self._c_hook(hook, task)
        return task

    def enqueue_many(self, items: Sequence[Any], *, limit: int, read: ReadItem | None = None) -> list[Task]:
        """All of them or none, with one wake-up. `read` makes a tuple of an item that is neither one nor a plain dict."""
        checked = [self._c_check_item(item, read) for item in tuple(items)]  # whoever is asked may change them
        if not checked:
            return []
        self._c_ready_to_submit()
        rooms: dict[tuple[int, int], int] = {}
        for item in checked:
            if not (item[4] is not None and item[4] > 0):
                where = item[9], item[3]
                rooms[where] = rooms.get(where, 0) + 1
        variables = contextvars.copy_context() or None
        while True:
            with self._c_lock:
                checkpoint()
                if self.closed:
                    raise errors.closed("the engine is shut down")
                full = self._c_first_full(rooms, limit)
                if full is None:
                    tasks, pushed = self._c_push_many(checked, variables)
                    break
            self._full(*full, limit)
        for queue, idle, first_lane in pushed:
            self._c_after_push(queue, idle, first_lane)
        return tasks

    def _c_check_item(self, item: Any, read: ReadItem | None) -> tuple[Any, ...]:
        if not isinstance(item, tuple):
            plain = self._c_plain_item(item)
            if plain is not None:
                item = plain
            elif read is not None:
                item = read(item)
            else:
                raise TypeError(f"a batch item is a tuple, or a dict of func, args, kwargs and priority, not {item!r}")
        if not isinstance(item, tuple) or len(item) != 10:
            raise TypeError(f"a batch item must be a tuple of 10, not {item!r}")
        func, args, kwargs, lane, *others, queue = item
        if not callable(func):
            raise TypeError(f"the task must be callable, not {func!r}")
        self._c_check_lane(self._c_a_queue(queue), lane)
        return (func, tuple(args), dict(kwargs) if kwargs else None, int(lane), *others, queue)

    def _c_plain_item(self, item: Any) -> tuple[Any, ...] | None:
        """A dict of func, args, kwargs and priority that needs no look from the Python half, as a tuple."""
        if type(item) is not dict or not item.keys() <= {"func", "args", "kwargs", "priority"}:
            return None
        func, args, kwargs = item.get("func"), item.get("args", ()), item.get("kwargs", _NO_KEYWORDS)
        lane = item.get("priority", self._c_lane)
        if not _is_plain(func) or not self._c_knows(func) or type(args) is not tuple or type(kwargs) is not dict:
            return None
        if (
            not isinstance(lane, int)
            or isinstance(lane, bool)
            or not 0 <= lane < len(self._c_queues[self._c_queue].lanes)
        ):
            return None
        return func, args, kwargs or None, int(lane), None, None, self._c_timeout, self._c_options, None, self._c_queue

    def _c_first_full(self, rooms: dict[tuple[int, int], int], limit: int) -> tuple[int, int, int] | None:
        if limit:
            for (queue, lane), count in rooms.items():
                if lane and self._c_queues[queue].live[lane] + count > limit:
                    return queue, lane, count
        return None

    def _c_push_many(
        self, items: Iterable[tuple[Any, ...]], variables: contextvars.Context | None
    ) -> tuple[list[Task], list[tuple[Queue, bool, bool]]]:
        """The lock is held."""
        now = self.now()
        tasks = []
        touched: dict[int, list[int]] = {}
        for item in items:
            task = self._c_make(item, now, True, variables)
            tasks.append(task)
            if task.state == QUEUED:
                self._c_queues[task.queue].push(task, False)
                counts = touched.setdefault(task.queue, [0, 0])
                counts[0] += 1
                counts[1] += task.lane == 0
        pushed = []
        for index, (count, first) in touched.items():
            queue = self._c_queues[index]
            pushed.append((queue, self._c_wake(queue, count, first > 0), first > 0))
        return tasks, pushed
