"""Objects noted weakly: what is in such a set, and that reading it does not fail while others add and drop."""

from __future__ import annotations

import gc

import pytest

from brokerless.livesets import LiveSet

from .rig import beside


class One:
    pass


class Equal:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal)


def test_holds_what_others_keep() -> None:
    first, second = One(), One()
    noted = LiveSet([first, second])
    assert list(noted) == [first, second]
    assert first in noted
    assert One() not in noted
    del first
    gc.collect()
    assert list(noted) == [second]
    assert len(noted) == 1
    assert repr(noted) == "<LiveSet of 1>"


def test_an_object_is_in_it_once_and_can_be_taken_out() -> None:
    one, another = One(), One()
    noted: LiveSet[One] = LiveSet()
    for _ in range(2):
        noted.add(one)
    noted.discard(another)
    assert list(noted) == [one]
    noted.discard(one)
    noted.discard(one)
    assert list(noted) == []


def test_equal_objects_are_two() -> None:
    first, second = Equal(), Equal()
    noted = LiveSet([first])
    assert second not in noted
    noted.discard(second)
    noted.add(second)
    assert len(noted) == 2


def test_a_reader_may_add_and_take_out() -> None:
    kept = [One() for _ in range(3)]
    noted = LiveSet(kept)
    for one in noted:
        noted.discard(one)
        kept.append(One())
        noted.add(kept[-1])
    assert list(noted) == kept[3:]


def test_what_cannot_be_referred_to_weakly_is_refused() -> None:
    noted: LiveSet[object] = LiveSet()
    with pytest.raises(TypeError, match="weak reference to 'int'"):
        noted.add(5)
    assert list(noted) == []


def test_reading_while_others_add_and_drop() -> None:
    noted: LiveSet[One] = LiveSet()
    stays = One()
    noted.add(stays)

    def add_and_drop() -> None:
        batch = [One() for _ in range(20)]
        for one in batch:
            noted.add(one)

    with beside(add_and_drop):
        for _ in range(2000):
            assert next(iter(noted)) is stays
            assert stays in noted
    gc.collect()
    assert list(noted) == [stays]
