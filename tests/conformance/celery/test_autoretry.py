"""Retries by declaration: `autoretry_for`, `dont_autoretry_for`, backoff, jitter, limits.

The call `self.retry()` is test_retry.py.
"""

from __future__ import annotations

from typing import Any

import pytest


class Base(Exception):
    """An application's base error."""


class Child(Base):
    """A narrower one."""


def delays(api: Any, app: Any, count: int, **options: Any) -> list[Any]:
    """Return the countdowns that `count` runs of a failing task ask for."""
    seen: list[Any] = []

    class Noting(api.Task):  # type: ignore[misc]
        abstract = True

        def retry(self, *args: Any, **kwargs: Any) -> Any:
            seen.append(kwargs.get("countdown"))
            return super().retry(*args, **kwargs)

    @app.task(base=Noting, **options)
    def failing() -> None:
        raise Base("x")

    for retries in range(count):
        failing.apply(retries=retries)
        del seen[retries + 1 :]
    return seen


@pytest.mark.parametrize(
    ("options", "runs", "final"),
    [
        ({"autoretry_for": (Base,)}, 4, "Base"),
        ({"autoretry_for": [Base]}, 4, "Base"),
        ({"autoretry_for": (Child,)}, 1, "Base"),
        ({"autoretry_for": (Exception,), "retry_kwargs": {"max_retries": 1}}, 2, "Base"),
        ({"autoretry_for": (Base,), "max_retries": 2}, 3, "Base"),
        ({"autoretry_for": (Base,), "max_retries": 0}, 1, "Base"),
        ({"autoretry_for": (Exception,), "dont_autoretry_for": (Base,)}, 1, "Base"),
        ({"autoretry_for": ()}, 1, "Base"),
    ],
)
def test_runs(app: Any, options: Any, runs: int, final: str) -> None:
    count: list[int] = []

    @app.task(**options)
    def failing() -> None:
        count.append(1)
        raise Base("x")

    result = failing.apply()
    assert len(count) == runs
    assert result.state == "FAILURE"
    assert type(result.result).__name__ == final


def test_a_single_class_is_not_a_sequence(app: Any, observed: Any) -> None:
    @app.task(autoretry_for=Base)
    def failing() -> None:
        raise Base("x")

    try:
        observed("outcome", repr(failing.apply().result))
    except TypeError as error:
        observed("raised", str(error))


def test_success_after_retries(app: Any, worker: Any) -> None:
    from .waiting import value_of

    @app.task(autoretry_for=(Base,), retry_kwargs={"countdown": 0}, bind=True)
    def sometimes(self: Any) -> int:
        if self.request.retries < 2:
            raise Child("x")
        return int(self.request.retries)

    with worker(app, concurrency=1):
        assert value_of(sometimes.delay()) == 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"retry_backoff": True, "retry_jitter": False}, [1, 2, 4, 8]),
        ({"retry_backoff": 3, "retry_jitter": False}, [3, 6, 12, 24]),
        ({"retry_backoff": 1, "retry_jitter": False, "retry_backoff_max": 3}, [1, 2, 3, 3]),
        ({"retry_backoff": 700, "retry_jitter": False}, [600, 600, 600, 600]),
        ({"retry_kwargs": {"countdown": 7}}, [7, 7, 7, 7]),
        ({}, [None, None, None, None]),
    ],
)
def test_delays(api: Any, app: Any, options: Any, expected: list[Any]) -> None:
    assert delays(api, app, 4, autoretry_for=(Base,), max_retries=10, **options) == expected


def test_jitter_stays_below_the_delay(api: Any, app: Any) -> None:
    for retries, delay in enumerate(delays(api, app, 6, autoretry_for=(Base,), max_retries=10, retry_backoff=4)):
        assert 0 <= delay <= 4 * 2**retries


def test_class_attributes(api: Any, app: Any) -> None:
    class Retrying(api.Task):  # type: ignore[misc]
        abstract = True
        autoretry_for = (Base,)
        max_retries = 1

    count: list[int] = []

    @app.task(base=Retrying)
    def failing() -> None:
        count.append(1)
        raise Child("x")

    assert failing.apply().state == "FAILURE"
    assert len(count) == 2


@pytest.mark.parametrize("name", ["Ignore", "Retry"])
def test_predicates_are_never_retried(api: Any, app: Any, name: str) -> None:
    count: list[int] = []

    @app.task(autoretry_for=(Exception,), bind=True)
    def stop(self: Any) -> None:
        count.append(1)
        if name == "Ignore":
            raise api.exceptions.Ignore
        raise self.retry(max_retries=0, exc=KeyError("k")) if self.request.retries else KeyError("k")

    stop.apply()
    assert len(count) == (1 if name == "Ignore" else 2)


def test_reject_is_retried_when_it_matches(api: Any, app: Any, observed: Any) -> None:
    count: list[int] = []

    @app.task(autoretry_for=(Exception,), max_retries=1)
    def stop() -> None:
        count.append(1)
        raise api.exceptions.Reject("why")

    result = stop.apply()
    observed("runs", len(count))
    observed("state", result.state)


def test_original_run_is_kept(app: Any) -> None:
    @app.task(autoretry_for=(Base,))
    def fine(x: int) -> int:
        return x

    assert fine._orig_run(4) == 4
    assert fine.run(4) == 4


def test_retry_kwargs_of_the_class_are_not_changed(app: Any) -> None:
    options = {"max_retries": 2, "countdown": 1}

    @app.task(autoretry_for=(Base,), retry_kwargs=options)
    def failing() -> None:
        raise Base("x")

    failing.apply()
    assert options == {"max_retries": 2, "countdown": 1}


def test_max_retries_none(app: Any) -> None:
    @app.task(autoretry_for=(Base,), max_retries=None, bind=True)
    def failing(self: Any) -> int:
        if self.request.retries < 8:
            raise Base("x")
        return int(self.request.retries)

    assert failing.apply().get() == 8


def test_an_explicit_retry_inside_keeps_its_delay(api: Any, app: Any, worker: Any) -> None:
    from .waiting import until

    @app.task(autoretry_for=(Exception,), bind=True)
    def failing(self: Any) -> None:
        raise self.retry(exc=Base("own"), countdown=500)

    with worker(app, concurrency=1):
        result = failing.delay()
        until(lambda: result.state == "RETRY")
        assert "Retry in 500s" in result.traceback
