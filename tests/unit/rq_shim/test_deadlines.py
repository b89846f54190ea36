"""When a guard raises its exception, and when a call that goes on counts as stuck. Time is given by hand."""

from __future__ import annotations

from typing import Any

import pytest
from brokerless.compat.rq_shim.runtime import deadlines
from brokerless.compat.rq_shim.runtime.deadlines import GRACE, Guard

THREAD = 1


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was raised in threads."""
    found: list[Any] = []
    monkeypatch.setattr(deadlines, "_set_exception", lambda thread_id, exception: found.append(exception))
    return found


def overdue(stuck: list[Any]) -> Guard:
    guard = Guard(None, RuntimeError, by_signal=False)
    guard.on_stuck = stuck.append
    guard._thread, guard._deadline = THREAD, 0.0
    return guard


def test_the_grace_counts_from_the_exception_on_and_only_while_the_process_runs(
    raised: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck: list[Any] = []
    guard = overdue(stuck)
    own_code = [False]
    monkeypatch.setattr(deadlines, "_may_interrupt", lambda thread_id: own_code[0])
    guard.look(0.0)
    guard.look(60.0)  # nobody ran in between
    assert (raised, stuck) == ([], [])
    own_code[0] = True
    guard.look(120.0)
    guard.look(180.0)
    assert (raised, stuck) == ([RuntimeError], [])
    now, looks = 180.0, 0
    while not stuck:
        now, looks = now + 0.05, looks + 1
        guard.look(now)
    assert stuck == [RuntimeError]
    assert GRACE - 0.15 <= looks * 0.05 <= GRACE + 0.1


def test_a_call_that_never_lets_the_exception_in_is_stuck(raised: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    stuck: list[Any] = []
    guard = overdue(stuck)
    monkeypatch.setattr(deadlines, "_may_interrupt", lambda thread_id: False)
    for look in range(20):
        guard.look(look * 0.05)
    assert (raised, stuck) == ([], [RuntimeError])


def test_a_call_that_has_just_ended_is_left_alone(raised: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    guard = overdue([])
    monkeypatch.setattr(deadlines, "_may_interrupt", lambda thread_id: True)
    guard._deadline = deadlines.FOREVER  # its thread was past the call before the keeper came to it
    guard._fire(1.0)
    assert raised == []
    assert not guard.fired
