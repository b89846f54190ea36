"""`Keyspace`: keys with values and the time at which each ends. Holds what has a key and is not a job or a queue.

Containers that have become empty count as absent. Ended keys are not seen from the moment on that they end; the store's
timer only gives their memory back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from . import clock
from .errors import ResponseError
from .expiry import Expiry
from .scored import ScoredSet
from .values import HashValue, ListValue, SetValue, TextValue

__all__ = ["Keyspace"]

V = TypeVar("V")


MESSAGE = "WRONGTYPE Operation against a key holding the wrong kind of value"


class Keyspace:
    """Guarded by its store's lock. `view(key)` shows what is kept elsewhere under a key's name, or gives None."""

    def __init__(self, view: Callable[[str], Any]) -> None:
        self.values: dict[str, Any] = {}
        self.expires: dict[str, float] = {}
        self.ending = Expiry()
        self.watched: dict[str, int] = {}
        self.versions: dict[str, int] = {}
        self._view = view

    def get(self, key: str) -> Any:
        """The living value of a key, or None."""
        value = self.values.get(key)
        if value is None:
            return self._view(key)
        if self.expires and self._ended(key):
            return self._view(key)
        return value if len(value) else None

    def _ended(self, key: str) -> bool:
        at = self.expires.get(key)
        if at is None or at > clock.time():
            return False
        self.drop(key)
        return True

    def find(self, key: str, kind: str) -> Any:
        """The value if it is of that kind; None if there is none."""
        value = self.get(key)
        if value is not None and getattr(value, "kind", "zset") != kind:
            raise ResponseError(MESSAGE)
        return value

    def _make(self, key: str, kind: str, make: Callable[[], V]) -> V:
        value = self.find(key, kind)
        if value is None:
            value = self.values.get(key)
            if value is None or getattr(value, "kind", "zset") != kind:
                value = self.values[key] = make()
        return value  # type: ignore[no-any-return]

    def scored(self, key: str) -> ScoredSet:
        """The sorted set of that key, made if need be. An empty one stays, so that it may be held on to."""
        return self._make(key, "zset", ScoredSet)

    def members(self, key: str) -> SetValue:
        return self._make(key, "set", SetValue)

    def hash(self, key: str) -> HashValue:
        return self._make(key, "hash", HashValue)

    def list(self, key: str) -> ListValue:
        return self._make(key, "list", ListValue)

    def text(self, key: str) -> TextValue:
        return self._make(key, "string", TextValue)

    def drop(self, key: str) -> bool:
        """Takes a key away. Sorted sets are emptied in place, because registries hold on to them."""
        value = self.values.get(key)
        self.persist(key)
        if value is None:
            return False
        existed = len(value) > 0
        if isinstance(value, ScoredSet):
            value.clear()
        else:
            del self.values[key]
        return existed

    def forget(self, key: str) -> None:
        """Lets go of an emptied sorted set that nobody holds on to."""
        self.persist(key)
        self.values.pop(key, None)

    def expire(self, key: str, at: float) -> bool:
        """The key ends at that time; True when that is the first of all."""
        old = self.expires.get(key)
        if old is not None:
            self.ending.discard(key, old)
        self.expires[key] = at
        return self.ending.add(key, at)

    def persist(self, key: str) -> bool:
        """The key does not end; False when it did not anyway."""
        old = self.expires.pop(key, None)
        if old is None:
            return False
        self.ending.discard(key, old)
        return True

    def reap(self, now: float) -> None:
        """Gives back the memory of ended keys."""
        later = []
        for key in self.ending.pop_due(now):
            if not self._ended(key) and key in self.expires:
                later.append(key)
        for key in later:
            self.ending.add(key, self.expires[key])

    def names(self) -> Iterator[str]:
        """All living keys that are kept here."""
        for key in list(self.values):
            if not self._ended(key) and len(self.values.get(key) or ()):
                yield key

    def touch(self, key: str) -> None:
        """Notes a change for those who watch the key."""
        if self.watched and key in self.watched:
            self.versions[key] = self.versions.get(key, 0) + 1

    def clear(self) -> None:
        for value in self.values.values():
            if isinstance(value, ScoredSet):
                value.clear()
        for key in self.watched:
            self.versions[key] = self.versions.get(key, 0) + 1
        self.values = {key: value for key, value in self.values.items() if isinstance(value, ScoredSet)}
        self.expires.clear()
        self.ending.clear()
