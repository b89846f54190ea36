"""`Case`: one run of one job, and who decides how it ended: the thread that runs it, or, when that thread is stuck
past a time limit or a stop, another one. Whoever claims the case first decides; the other's outcome is dropped."""

from __future__ import annotations

import threading
from typing import Any

from .deadlines import Guard, guard_of

__all__ = ["Case", "ColdShutDown", "HorseKilled"]


class HorseKilled(BaseException):
    """Raised inside a job that was stopped, or whose horse was killed."""


class ColdShutDown(SystemExit):
    """Raised in the worker's thread by the second signal, wherever it is; a job that runs is left as it is."""


class Case:
    """Made at the start of a run, on its thread."""

    __slots__ = ("_guard", "_lock", "_owner", "execution", "job", "queue", "thread_id", "worker")

    def __init__(self, worker: Any, job: Any, queue: Any, execution: Any) -> None:
        self.worker = worker
        self.job = job
        self.queue = queue
        self.execution = execution
        self.thread_id = threading.get_ident()
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._guard = Guard(None, HorseKilled, by_signal=False)

    def open(self) -> None:
        self._guard.on_stuck = self.stuck
        self._guard.start()

    def close(self) -> None:
        self._guard.stop()

    def claim(self) -> bool:
        """True for the first thread that asks, and for it again."""
        here = threading.get_ident()
        with self._lock:
            if self._owner is None:
                self._owner = here
            return self._owner == here

    def interrupt(self) -> None:
        """From any thread: ends the function with `HorseKilled`."""
        guard = guard_of(self.thread_id)
        if guard is not None:
            guard.interrupt(HorseKilled)

    def stuck(self, exception: type[BaseException]) -> None:
        """On the keeper's thread: the function did not end in time."""
        threading.Thread(target=self._decide, args=(exception,), daemon=True, name="brokerless-rq-verdict").start()

    def _decide(self, exception: type[BaseException]) -> None:
        from .autorun import stuck_thread

        if not self.claim():
            return
        stuck_thread(self.thread_id)
        error = exception()
        try:
            self.worker._finish_failure(self.job, self.queue, self.execution, (type(error), error, None))
        except Exception:
            self.worker._fell(self.job, self.queue, self.execution)
