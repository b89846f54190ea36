"""`celery.states` and `celery.exceptions`: names, sets, precedence, class relations.

How tasks move between states is pinned where each movement is tested.
"""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import pytest

NAMES = "PENDING RECEIVED STARTED SUCCESS FAILURE REVOKED REJECTED RETRY IGNORED".split()


@pytest.mark.parametrize("name", NAMES)
def test_name(api: Any, name: str) -> None:
    assert getattr(api.states, name) == name


@pytest.mark.parametrize(
    "name", ["READY_STATES", "UNREADY_STATES", "EXCEPTION_STATES", "PROPAGATE_STATES", "ALL_STATES"]
)
def test_set(api: Any, observed: Any, name: str) -> None:
    value = getattr(api.states, name)
    assert isinstance(value, frozenset)
    observed("members", sorted(value))


def test_precedence(api: Any, observed: Any) -> None:
    observed("order", list(api.states.PRECEDENCE))
    observed("lookup", api.states.PRECEDENCE_LOOKUP)
    observed("numbers", {name: api.states.precedence(name) for name in [*NAMES, "CUSTOM"]})
    assert api.states.PRECEDENCE_LOOKUP[None] == api.states.NONE_PRECEDENCE


def test_comparison(api: Any, observed: Any) -> None:
    state = api.states.state
    pairs = itertools.combinations([*NAMES, "CUSTOM"], 2)
    observed("greater", [f"{a}>{b}" for a, b in pairs if state(a) > state(b)])
    assert state("SUCCESS") == "SUCCESS"
    assert state("PENDING") < "SUCCESS"
    assert state("SUCCESS") >= state("SUCCESS")


EXCEPTIONS = (
    "CeleryError TaskError TaskPredicate Retry Ignore Reject MaxRetriesExceededError SoftTimeLimitExceeded "
    "TimeLimitExceeded TimeoutError TaskRevokedError NotRegistered AlreadyRegistered ImproperlyConfigured "
    "OperationalError WorkerLostError ChordError QueueNotFound IncompleteStream InvalidTaskError "
    "SecurityError BackendError BackendGetMetaError BackendStoreError Terminated RetryTaskError "
    "WorkerShutdown WorkerTerminate SystemTerminate CeleryWarning AlwaysEagerIgnored DuplicateNodenameWarning "
    "DuplicateTaskNameWarning FixupWarning NotConfigured SecurityWarning CPendingDeprecationWarning "
    "CDeprecationWarning CeleryCommandException"
).split()


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exception_class(api: Any, observed: Any, name: str) -> None:
    error = getattr(api.exceptions, name)
    observed("bases", [base.__name__ for base in error.__mro__])
    observed("module", error.__module__.replace("brokerless.compat.celery_shim", "celery"))


def test_operational_error_is_that_of_kombu(api: Any) -> None:
    import kombu.exceptions

    assert api.exceptions.OperationalError is kombu.exceptions.OperationalError


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Retry", {"message": "m", "exc": KeyError("k"), "when": 3}),
        ("Reject", {"reason": "r", "requeue": True}),
        ("Ignore", {}),
        ("TaskRevokedError", {}),
        ("MaxRetriesExceededError", {"task_args": (1,), "task_kwargs": {"a": 2}}),
        ("NotRegistered", {}),
        ("QueueNotFound", {}),
    ],
)
def test_exceptions_pickle(api: Any, observed: Any, name: str, arguments: Any) -> None:
    error = getattr(api.exceptions, name)(**arguments)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    observed("repr", repr(again))


def test_chord_and_backend_errors(api: Any, observed: Any) -> None:
    observed("chord", repr(api.exceptions.ChordError("x")))
    observed("meta", repr(api.exceptions.BackendGetMetaError("m", task_id="t")))
    observed("store", repr(api.exceptions.BackendStoreError("m", task_id="t", state="SUCCESS")))
