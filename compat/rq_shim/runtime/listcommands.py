"""The list commands of the stand-in connection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import views
from .keycommands import KeyCommands, cut
from .values import inward

__all__ = ["ListCommands"]


class ListCommands(KeyCommands):
    """A queue is a list too, behind its key."""

    def _list(self, name: Any) -> Any:
        return self._space.find(inward(name), "list")

    def _push(self, name: Any, values: Iterable[Any], left: bool) -> int:
        key = inward(name)
        with self._store.lock:
            found = self._list(name)
            if found is None:
                found = views.QueueList(self._store.line(key)) if key.startswith(views.QUEUE) else self._space.list(key)
            for value in values:
                found.push(inward(value), left)
            self._space.touch(key)
            return len(found)

    def rpush(self, name: Any, *values: Any) -> int:
        return self._push(name, values, False)

    def lpush(self, name: Any, *values: Any) -> int:
        return self._push(name, values, True)

    def _pop(self, name: Any, count: int | None, left: bool) -> Any:
        with self._store.lock:
            found = self._list(name)
            if found is None:
                return None
            self._space.touch(inward(name))
            if count is None:
                return self._out(found.pop(left))
            taken = [found.pop(left) for _ in range(min(count, len(found)))]
            return [self._out(value) for value in taken]

    def lpop(self, name: Any, count: int | None = None) -> Any:
        return self._pop(name, count, True)

    def rpop(self, name: Any, count: int | None = None) -> Any:
        return self._pop(name, count, False)

    def llen(self, name: Any) -> int:
        with self._store.lock:
            return len(self._list(name) or ())

    def lrange(self, name: Any, start: int, end: int) -> list[Any]:
        with self._store.lock:
            found = self._list(name)
            entries = [] if found is None else found.all()
            return [self._out(value) for value in cut(entries, start, end)]

    def lindex(self, name: Any, index: int) -> Any:
        with self._store.lock:
            found = self._list(name)
            entries = [] if found is None else found.all()
            try:
                return self._out(entries[index])
            except IndexError:
                return None

    def lrem(self, name: Any, count: int, value: Any) -> int:
        with self._store.lock:
            found = self._list(name)
            return 0 if found is None else int(found.remove(inward(value), count))

    def lset(self, name: Any, index: int, value: Any) -> bool:
        with self._store.lock:
            found = self._list(name)
            if found is None:
                raise self._error("no such key")
            found.put(index, inward(value))
        return True

    def ltrim(self, name: Any, start: int, end: int) -> bool:
        with self._store.lock:
            found = self._list(name)
            if found is not None:
                found.entries = list(cut(found.all(), start, end))
        return True

    def lpos(self, name: Any, value: Any, rank: int | None = None, count: int | None = None, maxlen: Any = None) -> Any:
        with self._store.lock:
            found = self._list(name)
            text = inward(value)
            places = [place for place, entry in enumerate(found.all() if found is not None else ()) if entry == text]
        if count is not None:
            return places[:count] if count else places
        return places[0] if places else None
