"""`JobRuns`: what a job says before, during and after a run: its callbacks, start and signs of life. Mixed into `Job`."""

from __future__ import annotations

import warnings
from datetime import datetime
from typing import Any

from ..callbacks import Callback, execute_failure_callback, execute_stopped_callback, execute_success_callback
from ..defaults import CALLBACK_TIMEOUT
from ..utils import import_attribute, now
from .jobdata import UNEVALUATED
from .joboutcome import JobOutcome
from .jobstatus import JobStatus
from .pipeline import later

__all__ = ["JobRuns"]


def _callback(given: Any, word: str) -> Callback:
    if isinstance(given, Callback):
        return given
    warnings.warn(
        f"Passing a string or function for `{word}` is deprecated, pass `Callback` instead",
        DeprecationWarning,
        stacklevel=5,
    )
    return Callback(given)


class JobRuns(JobOutcome):
    """Callbacks are kept by name and looked up when they are wanted."""

    _success_callback: Any = UNEVALUATED
    _failure_callback: Any = UNEVALUATED
    _stopped_callback: Any = UNEVALUATED

    def _set_callbacks(self, **given: Any) -> None:
        """What `on_success=`, `on_failure=` and `on_stopped=` say."""
        for word, one in given.items():
            if one:
                callback = _callback(one, f"on_{word}")
                setattr(self, f"_{word}_callback_name", callback.name)
                setattr(self, f"_{word}_callback_timeout", callback.timeout)

    def _named_callback(self, word: str) -> Any:
        found = getattr(self, f"_{word}_callback")
        if found is UNEVALUATED:
            name = getattr(self, f"_{word}_callback_name")
            found = import_attribute(name) if name else None
            setattr(self, f"_{word}_callback", found)
        return found

    def _callback_timeout(self, word: str) -> Any:
        timeout = getattr(self, f"_{word}_callback_timeout")
        return CALLBACK_TIMEOUT if timeout is None else timeout

    success_callback = property(lambda self: self._named_callback("success"))
    failure_callback = property(lambda self: self._named_callback("failure"))
    stopped_callback = property(lambda self: self._named_callback("stopped"))
    success_callback_timeout = property(lambda self: self._callback_timeout("success"))
    failure_callback_timeout = property(lambda self: self._callback_timeout("failure"))
    stopped_callback_timeout = property(lambda self: self._callback_timeout("stopped"))

    def execute_success_callback(self, death_penalty_class: Any, result: Any) -> None:
        """RQ 2's name of `callbacks.execute_success_callback`."""
        execute_success_callback(self, death_penalty_class, result)

    def execute_failure_callback(self, death_penalty_class: Any, *exc_info: Any) -> None:
        """RQ 2's name of `callbacks.execute_failure_callback`."""
        execute_failure_callback(self, death_penalty_class, *exc_info)

    def execute_stopped_callback(self, death_penalty_class: Any) -> None:
        """RQ 2's name of `callbacks.execute_stopped_callback`."""
        execute_stopped_callback(self, death_penalty_class)

    def should_enqueue_at_front(self) -> bool:
        """Whether it goes before the others when it is queued again."""
        if self.enqueue_at_front_on_retry and self.ended_at is not None:
            return True
        return bool(self.enqueue_at_front)

    def heartbeat(self, timestamp: datetime, ttl: int, pipeline: Any = None, xx: bool = False) -> None:
        """Notes a sign of life of the worker that runs it."""
        self.last_heartbeat = timestamp
        later(pipeline, self._store_fields, last_heartbeat=timestamp)

    def _store_fields(self, **fields: Any) -> None:
        record = self._store.job(self.id)
        if record is not None:
            for name, value in fields.items():
                setattr(record, name, value)

    def prepare_for_execution(self, worker_name: str, pipeline: Any = None) -> None:
        """Marks it started, here and in the store."""
        self.worker_name = worker_name
        self.last_heartbeat = self.started_at = now()
        self._status = JobStatus.STARTED
        later(pipeline, self._store_start, worker_name, self.started_at)

    def _store_start(self, worker_name: str, moment: datetime) -> None:
        record = self._store.touch_job(self.id)
        record.last_heartbeat = record.started_at = moment
        record.status = JobStatus.STARTED
        record.worker_name = worker_name
