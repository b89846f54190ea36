"""What a task sees of its arguments is what kombu's JSON would have made of them, types included."""

from __future__ import annotations

import datetime
import decimal
import uuid
from typing import Any

import pytest
from brokerless.compat.celery_shim.runtime.isolation import isolate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kombu.serialization import dumps, loads


class Text(str):
    pass


class Number(int):
    pass


class Mapping(dict):  # type: ignore[type-arg]
    pass


ATOMS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text()
    | st.text().map(Text)
    | st.integers(-5, 5).map(Number)
    | st.binary(max_size=8)
    | st.uuids()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.datetimes(timezones=st.just(datetime.timezone.utc))
)
#: A loaded machine is no reason to fail.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
KEYS = st.text(max_size=6) | st.integers(-3, 3) | st.booleans() | st.none() | st.text(max_size=3).map(Text)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3).map(Mapping)
    ),
    max_leaves=12,
)


def described(value: Any) -> Any:
    """The value with the exact type of each part; floats by their text, so that nan equals nan."""
    if isinstance(value, dict):
        return type(value).__name__, [(described(key), described(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [described(item) for item in value]
    return type(value).__name__, repr(value)


def outcome(call: Any) -> Any:
    try:
        return described(call())
    except Exception as error:
        return type(error)


@UNHURRIED
@given(VALUES)
def test_it_equals_a_trip_through_kombu(value: Any) -> None:
    def trip() -> Any:
        content_type, encoding, body = dumps(value, serializer="json")
        return loads(body, content_type, encoding, accept=["application/json"])

    assert outcome(lambda: isolate(value)) == outcome(trip)


@UNHURRIED
@given(st.lists(st.lists(st.integers()), max_size=3))
def test_the_copy_shares_nothing_that_can_change(value: list[list[int]]) -> None:
    copied = isolate(value)
    assert copied == value and copied is not value
    assert all(inner is not outer for inner, outer in zip(copied, value, strict=True))


@pytest.mark.parametrize(
    "value", [{1, 2}, object(), datetime.timedelta(1), {"a": {3}}], ids=["set", "object", "timedelta", "nested"]
)
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(Exception, match="JSON|serializable|Encode"):
        isolate(value)


def test_rare_types_come_back_as_themselves() -> None:
    kept = [uuid.UUID(int=1), decimal.Decimal("1.50"), datetime.date(2026, 1, 2), b"\x00\xff"]
    assert described(isolate(kept)) == described(kept)
