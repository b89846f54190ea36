"""The names of task states, the sets that they form and the order in which one may replace another.

It does not decide transitions: that is done where a result is stored (``backends.base``, ``runtime``).
"""

from __future__ import annotations

__all__ = (
    "EXCEPTION_STATES",
    "FAILURE",
    "IGNORED",
    "PENDING",
    "PROPAGATE_STATES",
    "READY_STATES",
    "RECEIVED",
    "RETRY",
    "REVOKED",
    "STARTED",
    "SUCCESS",
    "UNREADY_STATES",
    "precedence",
    "state",
)

PENDING, RECEIVED, STARTED, SUCCESS, FAILURE = "PENDING", "RECEIVED", "STARTED", "SUCCESS", "FAILURE"
REVOKED, REJECTED, RETRY, IGNORED = "REVOKED", "REJECTED", "RETRY", "IGNORED"

READY_STATES = frozenset({SUCCESS, FAILURE, REVOKED})
UNREADY_STATES = frozenset({PENDING, RECEIVED, STARTED, REJECTED, RETRY})
EXCEPTION_STATES = frozenset({RETRY, FAILURE, REVOKED})
PROPAGATE_STATES = frozenset({FAILURE, REVOKED})
ALL_STATES = frozenset({PENDING, RECEIVED, STARTED, SUCCESS, FAILURE, RETRY, REVOKED})

#: Strongest first; ``None`` marks the place of states that Celery does not know.
PRECEDENCE: list[str | None] = [
    SUCCESS,
    FAILURE,
    None,
    REVOKED,
    STARTED,
    RECEIVED,
    REJECTED,
    RETRY,
    PENDING,
]
PRECEDENCE_LOOKUP = {name: place for place, name in enumerate(PRECEDENCE)}
NONE_PRECEDENCE = PRECEDENCE_LOOKUP[None]


def precedence(state: str | None) -> int:
    """Place of a state in the order: a lower number is stronger."""
    return PRECEDENCE_LOOKUP.get(state, NONE_PRECEDENCE)


class state(str):
    """A string that compares by strength: ``state(SUCCESS) > state(PENDING)``."""

    def __gt__(self, other: str) -> bool:
        return precedence(other) > precedence(self)

    def __ge__(self, other: str) -> bool:
        return precedence(other) >= precedence(self)

    def __lt__(self, other: str) -> bool:
        return precedence(other) < precedence(self)

    def __le__(self, other: str) -> bool:
        return precedence(other) <= precedence(self)
