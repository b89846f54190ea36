"""``State``: what workers and tasks are up to, as far as their events tell. Feed it with ``state.event(event)``.

Holds the last tasks and workers only (``max_tasks_in_memory``, ``max_workers_in_memory``). Does not capture events
itself: a receiver does.
"""

from __future__ import annotations

import bisect
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any
from weakref import WeakSet, ref

from kombu.clocks import timetuple

from .. import states
from ..utils.functional import LRUCache
from .members import HEARTBEAT_DRIFT_MAX, HEARTBEAT_EXPIRE_WINDOW, Task, Worker, heartbeat_expires

__all__ = ("HEARTBEAT_DRIFT_MAX", "HEARTBEAT_EXPIRE_WINDOW", "State", "Task", "Worker", "heartbeat_expires")


class CallableDefaultdict(defaultdict):
    """An index that can also be called: ``index[key]`` is a set, ``index(key)`` the same in order of time."""

    def __init__(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.fun = fun
        super().__init__(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.fun(*args, **kwargs)


def _ids(index: Any) -> dict[str, list[str]]:
    """An index as data, for pickle."""
    return {key: [task.id for task in tasks] for key, tasks in index.items()}


class State:
    """Tasks and workers by their events. Thread-safe; ``callback(state, event)`` is called before each event.

    ``handlers`` maps groups of events to ``function(subject, event)``, which then has the whole say about them.
    """

    Worker = Worker
    Task = Task
    event_count = 0
    task_count = 0
    #: How many events a task has at most, on average, in the order by time.
    heap_multiplier = 4

    def __init__(
        self,
        callback: Callable[[State, Any], Any] | None = None,
        workers: Any = None,
        tasks: Any = None,
        taskheap: list[Any] | None = None,
        max_workers_in_memory: int = 5000,
        max_tasks_in_memory: int = 10000,
        on_node_join: Callable[[Any], Any] | None = None,
        on_node_leave: Callable[[Any], Any] | None = None,
        tasks_by_type: dict[str, list[str]] | None = None,
        tasks_by_worker: dict[str, list[str]] | None = None,
    ) -> None:
        self.event_callback = callback
        self.workers = LRUCache(max_workers_in_memory) if workers is None else workers
        self.tasks = LRUCache(max_tasks_in_memory) if tasks is None else tasks
        self.max_workers_in_memory, self.max_tasks_in_memory = max_workers_in_memory, max_tasks_in_memory
        self.on_node_join, self.on_node_leave = on_node_join, on_node_leave
        self.handlers: dict[str, Callable[[str, Any], Any]] = {}
        self._mutex = threading.Lock()
        self._seen_types: set[str] = set()
        #: Tasks whose parent has not been heard of yet, by the parent's id.
        self._tasks_to_resolve = LRUCache(max_tasks_in_memory)
        #: One entry per event: (clock, time, origin, reference to the task), the oldest first.
        self._taskheap: list[Any] = [] if taskheap is None else taskheap
        self.rebuild_taskheap()
        self.tasks_by_type = self._index(self._tasks_by_type, tasks_by_type)
        self.tasks_by_worker = self._index(self._tasks_by_worker, tasks_by_worker)

    def _index(self, in_order: Callable[..., Any], ids: dict[str, list[str]] | None) -> CallableDefaultdict:
        known = {key: WeakSet(self.tasks[id] for id in some if id in self.tasks) for key, some in (ids or {}).items()}
        return CallableDefaultdict(in_order, WeakSet, known)

    # -- events -----------------------------------------------------------------------------------------------------

    def event(self, event: dict[str, Any]) -> Any:
        """Take an event in; gives ``((worker or task, whether it is new), subject)``, None for other groups."""
        with self._mutex:
            return self._event(event)

    def task_event(self, type_: str, fields: dict[str, Any]) -> Any:
        """The old form of ``event``."""
        return self._event({**fields, "type": f"task-{type_}"})[0]

    def worker_event(self, type_: str, fields: dict[str, Any]) -> Any:
        """The old form of ``event``."""
        return self._event({**fields, "type": f"worker-{type_}"})[0]

    def _event(self, event: dict[str, Any]) -> Any:
        self.event_count += 1
        if self.event_callback:
            self.event_callback(self, event)
        group, _, subject = event["type"].partition("-")
        handler = self.handlers.get(group)
        if handler is not None:
            return handler(subject, event), subject
        if group == "task":
            return self._task_event(subject, event), subject
        if group == "worker" and all(name in event for name in ("hostname", "timestamp", "local_received")):
            return self._worker_event(subject, event), subject
        return None

    def _worker_event(self, subject: str, event: dict[str, Any]) -> Any:
        hostname = event["hostname"]
        worker = self.workers.data.get(hostname)
        offline = subject == "offline"
        created = worker is None and not offline
        if worker is None:
            worker = self.Worker(hostname)
            if created:
                self.workers[hostname] = worker
        worker.event(subject, event["timestamp"], event["local_received"], event)
        if self.on_node_join and (created or subject == "online"):
            self.on_node_join(worker)
        if self.on_node_leave and offline:
            self.on_node_leave(worker)
            self.workers.pop(hostname, None)
        return worker, created

    def _task_event(self, subject: str, event: dict[str, Any]) -> Any:
        uuid, hostname, timestamp = event["uuid"], event["hostname"], event["timestamp"]
        received, clock = event["local_received"], event["clock"]
        task = self.tasks.data.get(uuid)
        created = task is None
        if task is None:
            task = self.tasks[uuid] = self.Task(uuid, cluster_state=self)
        if subject == "sent":  # by a client
            task.client = origin = hostname
        else:
            worker = self.workers.data.get(hostname)
            if worker is None:
                worker = self.workers[hostname] = self.Worker(hostname)
            task.worker = worker
            if received:
                worker.event(None, received, timestamp)
            origin = worker.id
        self._place(timetuple(clock, timestamp, origin, ref(task)))
        if subject == "received":
            self.task_count += 1
        task.event(subject, timestamp, received, event)
        if task.name is not None:
            self._seen_types.add(task.name)
            if created:
                self.tasks_by_type[task.name].add(task)
                self.tasks_by_worker[hostname].add(task)
        self._relate(task)
        return task, created

    def _place(self, entry: Any) -> None:
        """Put an entry where it belongs in the order by time: most often at the end."""
        order = self._taskheap
        if len(order) + 1 > self.max_tasks_in_memory * self.heap_multiplier:
            order.pop(0)
        if order and entry > order[-1]:
            order.append(entry)
        else:
            bisect.insort(order, entry)

    def _relate(self, task: Any) -> None:
        """Make a task a child of its parent, now or when the parent is first heard of."""
        if task.parent_id:
            parent = self.tasks.data.get(task.parent_id)
            if parent is not None:
                parent.children.add(task)
            else:
                if task.parent_id not in self._tasks_to_resolve:
                    self._tasks_to_resolve[task.parent_id] = WeakSet()
                self._tasks_to_resolve[task.parent_id].add(task)
        children = self._tasks_to_resolve.data.pop(task.uuid, None)
        if children:
            task.children.update(children)

    # -- what is known ----------------------------------------------------------------------------------------------

    def freeze_while(self, fun: Callable[..., Any], *args: Any, clear_after: bool = False, **kwargs: Any) -> Any:
        """Call a function while no event comes in; ``clear_after`` forgets everything afterwards."""
        with self._mutex:
            try:
                return fun(*args, **kwargs)
            finally:
                if clear_after:
                    self._clear()

    def clear(self, ready: bool = True) -> None:
        """Forget workers and finished tasks (all tasks without ``ready``)."""
        with self._mutex:
            self._clear(ready)

    def clear_tasks(self, ready: bool = True) -> None:
        """Forget finished tasks (all of them without ``ready``)."""
        with self._mutex:
            self._clear_tasks(ready)

    def _clear(self, ready: bool = True) -> None:
        self.workers.clear()
        self._clear_tasks(ready)
        self.event_count = self.task_count = 0

    def _clear_tasks(self, ready: bool = True) -> None:
        kept = {uuid: task for uuid, task in self.itertasks() if task.state not in states.READY_STATES} if ready else {}
        self.tasks.clear()
        self.tasks.update(kept)
        self._taskheap.clear()

    def get_or_create_worker(self, hostname: str, **kwargs: Any) -> tuple[Any, bool]:
        """``(worker, whether it is new)``; the keyword arguments are set on it."""
        if hostname in self.workers:
            worker = self.workers[hostname]
            worker.update(kwargs)
            return worker, False
        worker = self.workers[hostname] = self.Worker(hostname, **kwargs)
        return worker, True

    def get_or_create_task(self, uuid: str) -> tuple[Any, bool]:
        """``(task, whether it is new)``."""
        if uuid in self.tasks:
            return self.tasks[uuid], False
        task = self.tasks[uuid] = self.Task(uuid, cluster_state=self)
        return task, True

    def rebuild_taskheap(self, timetuple: Callable[..., Any] = timetuple) -> None:
        """Work out the order by time from the tasks."""
        self._taskheap[:] = sorted(
            timetuple(task.clock, task.timestamp, task.origin, ref(task)) for task in self.tasks.values()
        )

    def itertasks(self, limit: int | None = None) -> Iterable[tuple[str, Any]]:
        """``(id, task)``, the first ``limit`` of them."""
        return islice(self.tasks.items(), limit or None)

    def tasks_by_time(self, limit: int | None = None, reverse: bool = True) -> Iterator[tuple[str, Any]]:
        """``(id, task)`` by time, the newest first; ``limit`` counts events."""
        seen = set()
        for entry in islice(reversed(self._taskheap) if reverse else self._taskheap, 0, limit):
            task = entry[3]()
            if task is not None and task.uuid not in seen:
                seen.add(task.uuid)
                yield task.uuid, task

    tasks_by_timestamp = tasks_by_time

    def _tasks_by_type(self, name: str, limit: int | None = None, reverse: bool = True) -> Iterator[Any]:
        found = ((id, task) for id, task in self.tasks_by_time(reverse=reverse) if task.name == name)
        return islice(found, 0, limit)

    def _tasks_by_worker(self, hostname: str, limit: int | None = None, reverse: bool = True) -> Iterator[Any]:
        found = (
            (id, task)
            for id, task in self.tasks_by_time(reverse=reverse)
            if task.worker is not None and task.worker.hostname == hostname
        )
        return islice(found, 0, limit)

    def task_types(self) -> list[str]:
        """The names of all tasks seen."""
        return sorted(self._seen_types)

    def alive_workers(self) -> Iterator[Any]:
        """Workers whose last heartbeat is not too old."""
        return (worker for worker in self.workers.values() if worker.alive)

    def __repr__(self) -> str:
        return f"<State: events={self.event_count} tasks={self.task_count}>"

    def __reduce__(self) -> Any:
        return self.__class__, (
            self.event_callback,
            self.workers,
            self.tasks,
            None,
            self.max_workers_in_memory,
            self.max_tasks_in_memory,
            self.on_node_join,
            self.on_node_leave,
            _ids(self.tasks_by_type),
            _ids(self.tasks_by_worker),
        )
