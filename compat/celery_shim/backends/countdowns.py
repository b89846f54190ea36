"""Chords without polling: an atomic countdown per header in this process, and the results of the members beside it.

The body is sent, or failed, by the thread that reports the last member. Nothing is joined, so members whose results
are not kept (``ignore_result``) count like all others.
"""

from __future__ import annotations

import time
from copy import deepcopy
from datetime import timedelta
from itertools import islice
from typing import Any

from .. import states
from ..canvas import maybe_signature
from ..exceptions import ChordError
from ..runtime.countdown import Countdown
from ..runtime.isolation import isolate
from ..utils.functional import _regen
from ..utils.log import get_logger
from .chords import _create_chord_error_with_cause

__all__ = ("CountdownChords",)

logger = get_logger("celery.backends.base")

#: New chords between two looks at the oldest ones.
_EVERY = 256


class CountdownChords:
    """Mixed into the stores of this package: all members of a chord run in this process."""

    counts_once = True

    app: Any
    serializer: Any
    encode_result: Any
    exception_to_python: Any
    chord_error_from_stack: Any
    ensure_chords_allowed: Any
    expires: Any
    #: Chords that have not ended, by the id of their header. Ids are unique, so stores can share them.
    _countdowns: dict[str, Countdown] = {}

    def apply_chord(self, header_result_args: Any, body: Any, **kwargs: Any) -> None:
        """A header is about to be sent."""
        self.ensure_chords_allowed()
        group_id, members = header_result_args[0], header_result_args[1]
        countdowns = self._countdowns
        # a generator is read while its tasks are sent, not before
        countdowns[group_id] = Countdown(group_id, None if isinstance(members, _regen) else list(members), body)
        if len(countdowns) % _EVERY == 0:
            self._forget_old_chords()

    def _forget_old_chords(self) -> None:
        expires = getattr(self, "chord_expires", self.expires)
        if not expires:
            return
        if isinstance(expires, timedelta):
            expires = expires.total_seconds()
        countdowns = self._countdowns
        oldest = time.monotonic() - expires
        for group_id, countdown in list(islice(countdowns.items(), 2 * _EVERY)):
            if countdown.born > oldest:
                return
            countdowns.pop(group_id, None)

    def set_chord_size(self, group_id: str, chord_size: int) -> None:
        countdown = self._countdowns.get(group_id)
        if countdown is not None and countdown.expect(chord_size):
            self._finish(countdown, countdown.body)

    def add_to_chord(self, chord_id: str, result: Any) -> None:
        """One more member of a header that is running."""
        countdown = self._countdowns.get(chord_id)
        if countdown is not None:
            countdown.expect_more()

    def on_chord_part_return(self, request: Any, state: Any, result: Any, **kwargs: Any) -> None:
        """Count a member; the last one starts the body."""
        countdown = self._countdowns.get(request.group)
        if countdown is None or not request.id:
            return
        value = self.encode_result(result, state)
        if state in states.EXCEPTION_STATES:
            value = self.exception_to_python(isolate(value, self.serializer))
        else:
            value = isolate(value, self.serializer)
        self._count(countdown, request, state, value, getattr(result, "told", ()))

    def count_part(self, request: Any, state: Any, value: Any, result: Any) -> None:
        """The same where the value has been made data already."""
        if type(self).on_chord_part_return is not CountdownChords.on_chord_part_return:
            self.on_chord_part_return(request, state, result)
            return
        countdown = self._countdowns.get(request.group)
        if countdown is not None:
            self._count(countdown, request, state, value)

    def _count(self, countdown: Countdown, request: Any, state: Any, value: Any, told: Any = ()) -> None:
        if countdown.count(request.id, request.group_index, state, value, told):
            self._finish(countdown, request.chord)

    def _finish(self, countdown: Countdown, chord: Any) -> None:
        self._countdowns.pop(countdown.group_id, None)
        body = maybe_signature(deepcopy(dict(chord)), app=self.app)
        for part in countdown.in_order():
            if part.state in states.PROPAGATE_STATES:
                error = part.value
                reason = f"Dependency {part.id} raised {error!r}" if not countdown.nested else f"Join error: {error!r}"
                try:
                    raise _create_chord_error_with_cause(reason, error)
                except ChordError as failure:
                    failure.told = part.told  # type: ignore[attr-defined]
                    logger.exception("Chord %r raised: %r", countdown.group_id, failure)
                    self.chord_error_from_stack(body, failure)
                return
        try:
            self.app.amqp._retry_publish(body.delay, countdown.values())
        except Exception as exc:
            logger.exception("Chord callback for %r raised: %r", countdown.group_id, exc)
            self.chord_error_from_stack(body, ChordError(f"Callback error: {exc!r}"))
