"""Running jobs on the engine's own threads.

`run_here` is what a queue entry comes down to. A plain job goes the short way: called, timed, its result stored, in one
function. Everything else goes through the methods of a `Worker` that stands for the thread, as it would in
`Worker.work()`, because subclasses and add-ons hang on them.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import Any

from ..defaults import DEFAULT_RESULT_TTL
from ..job import JobStatus, _current_job
from ..timeouts import JobTimeoutException
from ..worker.auto import AutoWorker, originals_hold
from . import clock, deadlines
from .cases import Case
from .compiling import runnable
from .coroutines import is_coroutine, run_coroutine
from .lines import Line
from .records import PLAIN, Call, JobRecord, new_hex
from .store import MOST_RESULTS, Store

__all__ = ["Run", "run_here"]

log = logging.getLogger("rq.worker")
_root = logging.getLogger()

_here = threading.local()
_SUCCESSFUL = 1
_PLAIN_PAYLOADS = frozenset({str, Call})
_STARTED = JobStatus.STARTED
_FINISHED = JobStatus.FINISHED
_FOREVER = deadlines.FOREVER


def run_here(line: Line, job_id: str) -> None:
    """Runs the job of an entry on this thread, unless it is gone."""
    store = line.store
    record = store.jobs.get(job_id)
    if record is None or (record.expires_at is not None and store.job(job_id) is None):
        return
    record.task = None
    try:
        run = _here.runs[store]
    except (AttributeError, KeyError):
        run = _new_run(store, line)
    queue = run.queues.get(line.key)
    if queue is None:
        queue = run.learn(line)
    if (
        queue is run.ordinary
        and record.more is None
        and type(record.payload) in _PLAIN_PAYLOADS
        and originals_hold()
        and _is_quiet()
    ):
        run.short(line, record)
    else:
        run.long(line, job_id)


def _is_quiet() -> bool:
    """Whether nobody would see the lines that a worker logs about a job."""
    if log.parent is _root and not log.handlers and not _root.handlers:
        return True
    return not (log.isEnabledFor(logging.INFO) and log.hasHandlers())


def _new_run(store: Store, line: Line) -> Run:
    if not hasattr(_here, "runs"):
        _here.runs = {}
    run = _here.runs[store] = Run(store, line)
    if store.autorun is not None:
        store.autorun.runs.append(run)
    return run


def _function(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    try:
        return runnable(getattr(sys.modules[module], attribute))
    except (KeyError, AttributeError):
        from ..utils import import_attribute

        return runnable(import_attribute(name))


class Run:
    """What one thread does for one store: its worker, and the plain job that it runs now."""

    def __init__(self, store: Store, line: Line) -> None:
        self.store = store
        self.ordinary = _Ordinary()
        self.queues: dict[str, Any] = {}
        self.record: JobRecord | None = None
        self.line = line
        self.job: Any = None
        self.execution: Any = None
        self.verdict = False
        """Somebody else has decided how the job ended."""
        self.worker = AutoWorker(self, self.queue_of(line))
        self.guard = deadlines.Guard(None, JobTimeoutException, by_signal=False)
        self.guard.on_stuck = self._stuck
        self.guard.start()

    @property
    def busy(self) -> bool:
        return self.record is not None or self.worker._case is not None

    def queue_of(self, line: Line) -> Any:
        """The queue object through which this queue became known."""
        autorun = self.store.autorun
        queue = autorun.kinds.get(line.key) if autorun is not None else None
        if queue is None:
            from ..connections import Redis
            from ..queue import Queue

            connection = Redis.__new__(Redis)
            connection._adopt(self.store)
            queue = Queue(line.name, connection=connection, autostart=True)
        return queue

    def learn(self, line: Line) -> Any:
        """How jobs of that queue are run: `self.ordinary`, or the queue object."""
        from .fast import is_ordinary

        queue = self.queue_of(line)
        self.queues[line.key] = found = self.ordinary if is_ordinary(queue) else queue
        return found

    def long(self, line: Line, job_id: str) -> None:
        """Through the methods of a worker."""
        self.worker.run(self.queue_of(line), job_id)

    # -- the short way ----------------------------------------------------------------------------------------------

    def short(self, line: Line, record: JobRecord) -> None:
        """What the methods would do for a job without options, in one go."""
        started = clock.now()
        record.started_at = record.last_heartbeat = started
        record.worker_name = self.worker.name
        record.status = _STARTED
        self.line = line
        self.record = record
        guard = self.guard
        seconds = record.timeout
        if seconds is not None and seconds > 0:
            deadline = time.monotonic() + seconds
            guard.limit(deadline, JobTimeoutException, seconds)
            if deadline < deadlines._next_look:
                deadlines._look_at(deadline)
        token = _current_job.set(self)
        try:
            try:
                call: Any = record.payload
                if type(call) is str:
                    value = _function(call)(*record.args)
                else:
                    value = _function(call.name)(*call.args, **call.kwargs)
                if type(value) not in PLAIN and is_coroutine(value):
                    value = run_coroutine(value)
            finally:
                _current_job.reset(token)
                guard._deadline = _FOREVER
                if guard._fired:
                    guard.clear(sys.exc_info()[1])
        except BaseException:
            self._ended_otherwise(None, sys.exc_info())
            return
        if type(value) not in PLAIN or not self._store_success(record, value, started):
            self._ended_otherwise(value, None)

    def _store_success(self, record: JobRecord, value: Any, started: Any) -> bool:
        """False: there is more to do than that."""
        store = self.store
        worker = self.worker
        ended = clock.now()
        seconds = clock.time()
        ms = int(seconds * 1000)
        with store.lock:
            if self.verdict or record.id in store.dependents or record.more is not None:
                return False
            if self.execution is None:
                execution_id = new_hex()
            else:
                execution_id = self.execution.id
                worker.cleanup_execution(self.current_job(), execution=self.execution)
                self.execution = None
            if ms <= store._last_ms:
                ms = store._last_ms
                store._last_seq += 1
            else:
                store._last_ms = ms
                store._last_seq = 0
            # the fields of a ResultRecord
            entry = (
                _SUCCESSFUL, value, False, None, worker.name, execution_id, started, ended, ms, store._last_seq,
            )  # fmt: skip
            # A job that was deleted while it ran is there again when it has finished, as in RQ.
            store.jobs[record.id] = record
            record.ended_at = ended
            record.results = (entry,) if record.results is None else (*record.results, entry)[-MOST_RESULTS:]
            at = seconds + DEFAULT_RESULT_TTL
            record.expires_at = record.results_until = at
            if store.ending.add(record.id, at):
                store.wake_at(int(at))
            self.line.finished().set(record.id, int(seconds) + DEFAULT_RESULT_TTL)
            # last, because who waits looks at it without the lock and then at the rest
            record.status = _FINISHED
            worker.done += 1
            worker.busy += (ended - started).total_seconds()
            self.record = self.job = None
        if store.waiters:
            store.notify(record.id)
        return True

    def _ended_otherwise(self, value: Any, exc_info: Any) -> None:
        """The function is through; its end is the worker's."""
        with self.store.lock:
            if self.verdict:
                return
            self.show()
            job, execution = self.current_job(), self.execution
            self.record = self.job = self.execution = None
        worker = self.worker
        queue = self.queue_of(self.line)
        case = worker._case = Case(worker, job, queue, execution)
        case.open()
        try:
            if exc_info is not None:
                worker._finish_failure(job, queue, execution, exc_info)
                return
            try:
                worker._finalize_success(job, queue, execution, value)
            except BaseException:
                worker._finish_failure(job, queue, execution, sys.exc_info())
        except BaseException:
            worker._fell(job, queue, execution)
        finally:
            case.close()
            worker._case = None

    def _stuck(self, exception: type[BaseException]) -> None:
        """On the keeper's thread: the function of a plain job did not end in time."""
        with self.store.lock:
            if self.record is None or self.verdict:
                return
            self.show()
            self.verdict = True
            job, execution = self.current_job(), self.execution
            if self.store.autorun is not None and self in self.store.autorun.runs:
                self.store.autorun.runs.remove(self)
        case = Case(self.worker, job, self.queue_of(self.line), execution)
        case.thread_id = self.worker.thread_id
        case.stuck(exception)

    def interrupt(self) -> bool:
        """Ends the plain job that runs, if one does."""
        from .cases import HorseKilled

        if self.record is None:
            return False
        self.guard.interrupt(HorseKilled)
        return True

    # -- for who looks ----------------------------------------------------------------------------------------------

    def current_job(self) -> Any:
        """The job that runs here; made when somebody asks for it."""
        record = self.record
        if self.job is None and record is not None:
            queue = self.queue_of(self.line)
            job = queue.job_class(record.id, connection=queue.connection, serializer=queue.serializer)
            job._load(record)
            self.job = job
        return self.job

    def show(self) -> None:
        """Enters worker and run into the registries."""
        self.worker.show()
        record = self.record
        if record is not None and self.execution is None:
            self.execution = self.worker.enter(record, self.current_job())


class _Ordinary:
    """Stands for every queue whose jobs need nothing special."""
