"""Copies of plain values and ids: both cores give what JSON gives, and the same as each other."""

from __future__ import annotations

import json
import math
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerless import core
from brokerless.core import pure

BOTH = pytest.mark.parametrize("values", [core, pure], ids=["chosen", "pure"])

atoms = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8"))
plain = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner)
    ),
    max_leaves=12,
)


class Named(dict):  # type: ignore[type-arg]
    """A dictionary by its type, as JSON writers with `__json__` see it."""

    def __json__(self) -> dict[str, Any]:
        return dict(self)


class Other(dict):  # type: ignore[type-arg]
    """A dictionary that nobody has said anything about."""


@BOTH
@given(plain)
def test_a_copy_is_what_json_gives(values: Any, value: Any) -> None:
    copied = values.copy_plain(value)
    if copied is NotImplemented:
        assert "__type__" in json.dumps(value)
    else:
        expected = json.loads(json.dumps(value))
        assert copied == expected
        assert repr(copied) == repr(expected)


@given(st.lists(plain), st.dictionaries(st.text(), plain))
def test_both_cores_copy_arguments_alike(args: list[Any], kwargs: dict[str, Any]) -> None:
    ours, twins = core.copy_arguments(args, kwargs), pure.copy_arguments(args, kwargs)
    assert (ours is NotImplemented) == (twins is NotImplemented)
    assert ours is NotImplemented or repr(ours) == repr(twins)


@BOTH
@pytest.mark.parametrize(
    "value",
    [
        b"bytes",
        {1: 2},
        {"__type__": "x"},
        {1, 2},
        1 << 5000,
        -(1 << 5000),
        Other(a=1),
        object,
        [[b""]],
        {"a": {"b": 1j}},
    ],
    ids=[
        "bytes",
        "number as key",
        "type",
        "set",
        "long",
        "long and negative",
        "subclass",
        "class",
        "inside a list",
        "inside",
    ],
)
def test_what_needs_a_serializer_is_refused(values: Any, value: Any) -> None:
    assert values.copy_plain(value) is NotImplemented
    assert values.copy_arguments([value], {}) is NotImplemented
    assert values.copy_arguments([], {"value": value}) is NotImplemented


@BOTH
def test_containers_are_copied_and_cycles_refused(values: Any) -> None:
    inner = [1]
    outer = {"inner": inner, "named": Named(a=(1, 2))}
    copied = values.copy_plain(outer)
    inner.append(2)
    assert copied == {"inner": [1], "named": {"a": [1, 2]}}
    assert type(copied["named"]) is dict
    cycle: list[Any] = []
    cycle.append(cycle)
    assert values.copy_plain(cycle) is NotImplemented
    assert math.isnan(values.copy_plain(math.nan))


@BOTH
def test_arguments_keep_their_repr(values: Any) -> None:
    assert values.copy_arguments((1, [2]), {"a": None}) == ([1, [2]], {"a": None})
    assert values.copy_arguments(((1, 2),), {}) is NotImplemented
    assert values.copy_arguments("text", {}) is NotImplemented
    assert values.copy_arguments((), None) is NotImplemented


@BOTH
def test_ids_count_and_are_unique_in_all_threads(values: Any) -> None:
    ids = values.Ids("a-", 254)
    assert [ids.next(), ids.next(), ids.next()] == ["a-0000000000fe", "a-0000000000ff", "a-000000000100"]
    found: list[list[str]] = []
    threads = [threading.Thread(target=lambda: found.append([ids.next() for _ in range(2000)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id for each in found for id in each}) == 8000
    with pytest.raises(ValueError, match="ASCII"):
        values.Ids("é", 0)
