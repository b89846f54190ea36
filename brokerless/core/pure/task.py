"""One task: what was submitted, its (state, attempt) word, and its outcome.

Every transition happens under the engine's lock and names the attempt that it means, so of claim, cancel, expiry,
finish and time-out exactly one wins, and an attempt that returns late cannot finish a newer one. Policies (retries,
what a failure means) are the engine's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from .states import CANCELLED, COMPLETED, DELAYED, FAILED, QUEUED, RUNNING, STATE_NAMES, checkpoint, local

if TYPE_CHECKING:
    from contextvars import Context

    from .ends import Ending


class Task:
    """Made by the engine; subclasses keep `__slots__ = ()` and do not override `__init__`."""

    __slots__ = (
        "__weakref__",
        "_callbacks",
        "_completed",
        "_context",
        "_created",
        "_due",
        "_expires",
        "_home",
        "_keep",
        "_ready",
        "_started",
        "_timer",
        "_waiters",
        "args",
        "attempt",
        "cancel_requested",
        "engine",
        "error",
        "extra",
        "func",
        "id",
        "kwargs",
        "lane",
        "options",
        "queue",
        "run_seconds",
        "state",
        "timeout",
        "value",
    )

    def __init__(
        self,
        engine: Ending,
        id: int,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
        lane: int,
        queue: int,
        timeout: float | None,
        options: Any,
        extra: Any,
        keep: bool,
        context: Context | None,
        now: float,
        due: float | None,
        expires: float | None,
    ) -> None:
        self.engine = engine
        self.id = id
        self.func: Any = func
        self.args: tuple[Any, ...] | None = args
        self.kwargs: dict[str, Any] | None = {} if kwargs is None else kwargs
        self.lane = lane
        self.queue = queue
        self.timeout = timeout
        self.options = options
        self.extra = extra
        self.state = QUEUED if due is None else DELAYED
        self.attempt = 0
        self.value: Any = None
        self.error: BaseException | None = None
        self.run_seconds: float | None = None
        self.cancel_requested = False
        self._home: str = engine._c_prefix
        self._keep = keep
        self._context = context
        self._created = now
        self._ready = now
        self._started: float | None = None
        self._completed: float | None = None
        self._due = due
        self._expires = expires
        self._timer: list[Any] | None = None
        self._callbacks: list[Any] | None = None
        self._waiters: list[Any] | None = None

    def __repr__(self) -> str:
        name = getattr(self.func, "__qualname__", None) or repr(self.func)
        return f"<{type(self).__name__} {self.id} {name} {STATE_NAMES[self.state]}>"

    @property
    def task_id(self) -> str:
        return f"{self._home}{self.id:016x}"

    @property
    def created_at(self) -> float:
        return self._created + self.engine._c_epoch

    @property
    def started_at(self) -> float | None:
        return None if self._started is None else self._started + self.engine._c_epoch

    @property
    def completed_at(self) -> float | None:
        return None if self._completed is None else self._completed + self.engine._c_epoch

    @property
    def due_at(self) -> float | None:
        due = self._due
        return None if due is None or self.state != DELAYED else due + self.engine._c_epoch

    def wait(self, timeout: float | None = None) -> bool:
        """Until the task is over; False when `timeout` seconds passed before."""
        if self.state >= COMPLETED:
            return True
        if self._home != self.engine._c_prefix:
            raise RuntimeError(
                f"task {self.id} was submitted by the parent process and never ends in this one: submit it again here"
            )
        deadline = None if timeout is None else monotonic() + timeout
        over = threading.Lock()
        over.acquire()
        with self.engine._c_lock:
            if self.state >= COMPLETED:
                return True
            if self._waiters is None:
                self._waiters = []
            self._waiters.append(over)
        try:
            if deadline is None:
                over.acquire()
            else:
                left = deadline - monotonic()
                while left > 0 and not over.acquire(timeout=min(left, threading.TIMEOUT_MAX)):
                    left = deadline - monotonic()
        finally:
            if self.state < COMPLETED:
                with self.engine._c_lock:
                    if self._waiters is not None and over in self._waiters:
                        self._waiters.remove(over)
        return self.state >= COMPLETED

    def withdraw(self) -> bool:
        """DELAYED or QUEUED becomes CANCELLED; its callbacks run here. False when it runs or is over."""
        return self.engine._c_cancel(self, expired=False)

    def request_cancel(self) -> bool:
        """Ask a task that is not over to stop; it sees the flag if it looks."""
        with self.engine._c_lock:
            checkpoint()
            if self.state >= COMPLETED:
                return False
            self.cancel_requested = True
            return True

    def add_callback(self, callback: Any) -> bool:
        """Keep `callback` for the end; False when the task is over, the caller then runs it itself."""
        with self.engine._c_lock:
            checkpoint()
            if self.state >= COMPLETED:
                return False
            if self._callbacks is None:
                self._callbacks = []
            self._callbacks.append(callback)
            return True

    def finish(self, attempt: int, value: Any) -> bool:
        """This running attempt has the result `value`; False when something else ended it first."""
        return self._end(attempt, COMPLETED, value, None)

    def fail(self, attempt: int, error: BaseException) -> bool:
        """This running attempt failed, for good."""
        return self._end(attempt, FAILED, None, error)

    def drop(self, attempt: int) -> bool:
        """This running attempt becomes CANCELLED."""
        return self._end(attempt, CANCELLED, None, None)

    def hold(self, attempt: int) -> bool:
        """This running attempt loses its number: what its thread still does cannot end the task any more."""
        with self.engine._c_lock:
            checkpoint()
            if self.state != RUNNING or self.attempt != attempt:
                return False
            self.attempt = attempt + 1
            return True

    def failed_attempt(self, attempt: int, error: BaseException) -> bool:
        """This running attempt failed; the engine decides whether there is another one."""
        worker = local.worker
        if worker is None:
            return self.engine._c_attempt_failed(self, attempt, error, None)
        worker.shield += 1
        try:
            return self.engine._c_attempt_failed(self, attempt, error, None)
        finally:
            worker.shield -= 1

    def _end(self, attempt: int, state: int, value: Any, error: BaseException | None) -> bool:
        worker = local.worker
        if worker is None:
            return self.engine._c_settle(self, attempt, state, value, error, None)
        worker.shield += 1
        try:
            return self.engine._c_settle(self, attempt, state, value, error, None)
        finally:
            worker.shield -= 1
