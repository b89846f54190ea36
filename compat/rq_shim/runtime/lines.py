"""`Line`: the engine's queue behind one RQ queue. Entries are job ids; each is a task of the engine that runs the job.

The order, the front, removal and waiting are the engine's. A line knows nothing of jobs but where the last entry of a
job is, so that removing it needs no search.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..defaults import RQ_KEY_PREFIX
from . import engines

if TYPE_CHECKING:
    from .store import Store

__all__ = ["LANES", "NORMAL", "Line", "pop_first"]

LANES = 4
NORMAL = 2
"""The lane of jobs without a priority of their own: two are above it, one below."""

PREFIX = RQ_KEY_PREFIX + ":queue:"


class Line:
    """Made by `store.line(key)`."""

    __slots__ = ("_finished", "engine", "index", "key", "limit", "name", "queue", "run", "store", "watched", "worked")

    def __init__(self, store: Store, key: str) -> None:
        self.store = store
        self.key = key
        self.name = key[len(PREFIX) :] if key.startswith(PREFIX) else key
        self.worked = False
        """Whether threads of this process take from it by themselves."""
        self.limit = 0
        self.watched = False
        self._finished: Any = None
        self.run = self._run
        """One bound method for all entries, which carry nothing but the job's id: fewer objects to collect."""
        self.bind()

    def bind(self) -> None:
        """Goes to the engine in use; of the one before it keeps nothing."""
        self.engine = engines.engine()
        self.queue = self.engine.queue(f"rq:{self.store.name}:{self.key}", lanes=LANES)
        self.index = self.queue.index

    def _run(self, job_id: str) -> None:
        """What the engine's threads call."""
        from .perform import run_here

        run_here(self, job_id)

    def describe_task(self, job_id: str) -> str:
        """For the list of what an exit drops."""
        record = self.store.jobs.get(job_id)
        payload = None if record is None else record.payload
        name = payload if isinstance(payload, str) else getattr(payload, "name", None)
        return f"{job_id} ({name or 'a serialized call'}) of the RQ queue {self.name!r}"

    def push(self, job_id: str, front: bool = False, lane: int = NORMAL) -> Any:
        """Appends an entry (or puts it before all others) and returns its task."""
        if self.engine.closed:
            self.store.line(self.key)  # which sees to it for all of them
        task = self.engine.enqueue(
            self.run,
            (job_id,),
            queue=self.index,
            lane=lane,
            front=front,
            keep=False,
            context=False,
            limit=self.limit,
        )
        if not self.watched:
            self.watch()
        record = self.store.jobs.get(job_id)
        if record is not None:
            record.task = task
        return task

    def finished(self) -> Any:
        """The queue's finished registry."""
        if self._finished is None:
            self._finished = self.store.space.scored(f"{RQ_KEY_PREFIX}:finished:{self.name}")
        return self._finished

    def watch(self) -> None:
        """After the first push: at exit, jobs that nobody works on are taken out."""
        self.watched = True
        engines.leave_nothing_behind()

    def tasks(self) -> list[Any]:
        return self.queue.pending()

    def all(self) -> list[str]:
        """The job ids in the order in which they would be taken."""
        return [_job_of(task) for task in self.queue.pending()]

    def count(self) -> int:
        return self.queue.count()

    def position(self, job_id: str) -> int | None:
        """How many entries are before the first one of this job."""
        for place, found in enumerate(self.all()):
            if found == job_id:
                return place
        return None

    def remove(self, job_id: str) -> int:
        """Takes the first entry of a job out: 1, or 0 if there is none."""
        record = self.store.jobs.get(job_id)
        if record is not None and record.task is not None:
            task, record.task = record.task, None
            if task.queue == self.index and task.withdraw():
                return 1
        for task in self.queue.pending():
            if _job_of(task) == job_id and task.withdraw():
                return 1
        return 0

    def pop(self) -> str | None:
        """Takes the first entry out without running it."""
        return pop_first([self], 0)[1]

    def empty(self) -> int:
        return self.queue.clear()


def _job_of(task: Any) -> str:
    return str(task.args[0])


def pop_first(lines: Sequence[Line], timeout: float | None) -> tuple[Line | None, str | None]:
    """Takes the first entry of the first line that has one; waits up to `timeout` seconds for it."""
    if not lines:
        return None, None
    task = lines[0].engine.claim([line.queue for line in lines], timeout)
    if task is None:
        return None, None
    job_id = _job_of(task)
    line = next(line for line in lines if line.index == task.queue)
    task.finish(task.attempt, None)
    record = line.store.jobs.get(job_id)
    if record is not None and record.task is task:
        record.task = None
    return line, job_id
