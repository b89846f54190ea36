"""Buffers with a limit, the oldest go first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from queue import Empty
from typing import Any

from .mappings import OrderedDict

__all__ = ("BufferMap", "Evictable", "Messagebuffer")


class Evictable:
    """Drops items while it holds more than ``maxsize``."""

    Empty = Empty
    maxsize: Any = None
    _evictcount: Any = 0

    def evict(self) -> None:
        """Drop until the size is right."""
        self._evict(range=count)

    def _evict(self, limit: int = 100, range: Callable[[int], Iterable[int]] = range) -> None:
        try:
            for _ in range(limit):
                self._evict1()
        except IndexError:
            pass

    def _evict1(self) -> None:
        if self._evictcount <= self.maxsize:
            raise IndexError
        try:
            self._pop_to_evict()
        except self.Empty:
            raise IndexError from None

    def _pop_to_evict(self) -> Any:
        raise NotImplementedError


class Messagebuffer(Evictable):
    """A queue of limited size: the oldest item makes room."""

    Empty = Empty

    def __init__(self, maxsize: int | None, iterable: Any = None, deque: Any = deque) -> None:
        self.maxsize = maxsize
        self.data = deque(iterable or ())

    def put(self, item: Any) -> None:
        self.data.append(item)
        if self.maxsize:
            self._evict()

    def extend(self, it: Iterable[Any]) -> None:
        self.data.extend(it)
        if self.maxsize:
            self._evict()

    def take(self, *default: Any) -> Any:
        if self.data:
            return self.data.popleft()
        if default:
            return default[0]
        raise self.Empty

    def _pop_to_evict(self) -> Any:
        return self.take()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)}/{self.maxsize}>"

    def __iter__(self) -> Iterator[Any]:
        while self.data:
            yield self.data.popleft()

    def __len__(self) -> int:
        return len(self.data)

    def __contains__(self, item: Any) -> bool:
        return item in self.data

    def __reversed__(self) -> Iterator[Any]:
        return reversed(self.data)

    def __getitem__(self, index: int) -> Any:
        return self.data[index]

    @property
    def _evictcount(self) -> int:
        return len(self)


Sequence.register(Messagebuffer)


class BufferMap(OrderedDict, Evictable):
    """Buffers by key with one limit for all: the buffer that was used longest ago gives way."""

    Buffer = Messagebuffer
    Empty = Empty
    maxsize: Any = None
    total = 0
    bufmaxsize: Any = None

    def __init__(self, maxsize: int | None, iterable: Any = None, bufmaxsize: int = 1000) -> None:
        super().__init__()
        self.maxsize, self.bufmaxsize = maxsize, bufmaxsize
        for key, items in dict(iterable or ()).items():
            self._get_or_create_buffer(key).extend(items)
        self.total = sum(map(len, self.values()))
        if self.maxsize:
            self.evict()

    def put(self, key: Any, item: Any) -> None:
        self._change(key, lambda buffer: buffer.put(item))
        self.move_to_end(key)
        if self.maxsize:
            self._evict()

    def extend(self, key: Any, it: Iterable[Any]) -> None:
        self._change(key, lambda buffer: buffer.extend(it))
        if self.maxsize:
            self._evict()

    def _change(self, key: Any, change: Callable[[Messagebuffer], Any]) -> None:
        buffer = self._get_or_create_buffer(key)
        before = len(buffer)
        change(buffer)
        self.total += len(buffer) - before

    def take(self, key: Any, *default: Any) -> Any:
        buffer = self.get(key)
        if buffer:
            item = buffer.take()
            self.total -= 1
            self.move_to_end(key)
            return item
        if default:
            return default[0]
        raise self.Empty

    def _get_or_create_buffer(self, key: Any) -> Messagebuffer:
        buffer: Messagebuffer | None = self.get(key)
        if buffer is None:
            buffer = self[key] = self._new_buffer()
        return buffer

    def _new_buffer(self) -> Messagebuffer:
        return self.Buffer(maxsize=self.bufmaxsize)

    def _LRUpop(self, *default: Any) -> Any:
        return self[self._LRUkey()].take(*default)

    def _pop_to_evict(self) -> None:
        for _ in range(100):
            key = self._LRUkey()
            buffer = self[key]
            if not len(buffer):
                self.pop(key)
                continue
            buffer.take()
            self.total -= 1
            if len(buffer):
                self.move_to_end(key)
            else:
                self.pop(key)
            return

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.total}/{self.maxsize}>"

    @property
    def _evictcount(self) -> int:
        return self.total
