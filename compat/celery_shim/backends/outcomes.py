"""How a call ended, for stores: success, failure, revoked, retry, and who has to hear of it. Mixed into ``Backend``."""

from __future__ import annotations

import sys
from typing import Any

from .. import states
from ..exceptions import TaskRevokedError
from .chords import ChordErrors

__all__ = ("Outcomes",)


def _is_request_ignore_result(request: Any) -> Any:
    return False if request is None else request.ignore_result


class Outcomes(ChordErrors):
    """The end of a call."""

    def mark_as_started(self, task_id: str, **meta: Any) -> Any:
        return self.store_result(task_id, meta, states.STARTED)

    def mark_as_done(
        self, task_id: str, result: Any, request: Any = None, store_result: bool = True, state: str = states.SUCCESS
    ) -> None:
        if store_result and not _is_request_ignore_result(request):
            self.store_result(task_id, result, state, request=request)
        if request and request.chord:
            self.on_chord_part_return(request, state, result)

    def mark_as_failure(
        self,
        task_id: str,
        exc: Any,
        traceback: Any = None,
        request: Any = None,
        store_result: bool = True,
        call_errbacks: bool = True,
        state: str = states.FAILURE,
    ) -> None:
        """Store the failure, and pass it on to the chord, to the rest of the chain and to errbacks."""
        if store_result:
            self.store_result(task_id, exc, state, traceback=traceback, request=request)
        if request:
            if request.chord:
                self.on_chord_part_return(request, state, exc)
            self._fail_chain(getattr(request, "chain", None), exc, traceback, store_result=store_result, state=state)
            if call_errbacks and request.errbacks:
                self._call_task_errbacks(request, exc, traceback)

    def mark_as_revoked(
        self,
        task_id: str,
        reason: str = "",
        request: Any = None,
        store_result: bool = True,
        state: str = states.REVOKED,
    ) -> None:
        exc = TaskRevokedError(reason)
        if store_result:
            self.store_result(task_id, exc, state, traceback=None, request=request)
        if request:
            if request.chord:
                self.on_chord_part_return(request, state, exc)
            # later steps keep their states; the chords that wait for them must not wait for ever
            self._fail_chain(getattr(request, "chain", None), exc, store_result=False, state=state)

    def mark_as_dropped(self, request: Any, exc: Any) -> None:
        """A call that ended without a state: ignored, or thrown away unread. Chords that wait for it fail."""
        if request.chord:
            self.on_chord_part_return(request, states.FAILURE, exc)
        self._fail_chain(getattr(request, "chain", None), exc, store_result=False)

    def mark_as_retry(
        self,
        task_id: str,
        exc: Any,
        traceback: Any = None,
        request: Any = None,
        store_result: bool = True,
        state: str = states.RETRY,
    ) -> Any:
        return self.store_result(task_id, exc, state, traceback=traceback, request=request)

    def fail_from_current_stack(self, task_id: str, exc: Any = None) -> Any:
        """Store the exception that is being handled as the task's failure."""
        from billiard.einfo import ExceptionInfo

        kind, handled, tb = sys.exc_info()
        try:
            exc = handled if exc is None else exc
            info = ExceptionInfo((kind, exc, tb))
            self.mark_as_failure(task_id, exc, info.traceback)
            return info
        finally:
            while tb is not None:
                try:
                    tb.tb_frame.clear()
                    tb.tb_frame.f_locals  # noqa: B018 - drops the snapshot that was taken for a debugger
                except RuntimeError:
                    pass
                tb = tb.tb_next
            del tb
