"""Mappings that look through several others, sets and buffers with a limit.

``ChainMap`` and ``ConfigurationView`` carry ``app.conf``; ``LimitedSet`` carries revoked ids.
"""

from __future__ import annotations

import sys
import time
from collections import OrderedDict as _OrderedDict
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, MutableSet, Sequence
from heapq import heapify, heappop, heappush
from itertools import chain, count
from queue import Empty
from typing import Any

from .functional import first, iter_unique
from .text import match_case

__all__ = (
    "AttributeDict",
    "AttributeDictMixin",
    "BufferMap",
    "ChainMap",
    "ConfigurationView",
    "DictAttribute",
    "Evictable",
    "LimitedSet",
    "Messagebuffer",
    "OrderedDict",
    "force_mapping",
    "lpmerge",
)


def force_mapping(m: Any) -> Any:
    """A mapping as it is, anything else as the mapping of its attributes."""
    django = sys.modules.get("django.utils.functional")  # a lazy object can exist only where this was imported
    if django is not None and isinstance(m, django.LazyObject):
        m = m._wrapped
    return m if isinstance(m, Mapping) else DictAttribute(m)


def lpmerge(L: dict[Any, Any], R: Mapping[Any, Any]) -> dict[Any, Any]:
    """Update ``L`` in place with what is not None in ``R``."""
    L.update((key, value) for key, value in R.items() if value is not None)
    return L


class OrderedDict(_OrderedDict):
    """Knows its oldest key."""

    def _LRUkey(self) -> Any:
        return next(iter(self.keys()))


class AttributeDictMixin:
    """Items as attributes."""

    def __getattr__(self, k: str) -> Any:
        try:
            return self[k]  # type: ignore[index]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {k!r}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value


class AttributeDict(dict, AttributeDictMixin):
    """A dict whose items are attributes."""


class DictAttribute:
    """Attributes as items: the other way round."""

    obj: Any = None

    def __init__(self, obj: Any) -> None:
        object.__setattr__(self, "obj", obj)

    def __getattr__(self, key: str) -> Any:
        return getattr(self.obj, key)

    def __setattr__(self, key: str, value: Any) -> None:
        setattr(self.obj, key, value)

    def get(self, key: str, default: Any = None) -> Any:
        return getattr(self.obj, key, default)

    def setdefault(self, key: str, default: Any = None) -> None:
        if key not in self:
            self[key] = default

    def __getitem__(self, key: str) -> Any:
        try:
            return getattr(self.obj, key)
        except AttributeError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self.obj, key, value)

    def __contains__(self, key: str) -> bool:
        return hasattr(self.obj, key)

    def __iter__(self) -> Iterator[str]:
        return iter(dir(self.obj))

    def _iterate_keys(self) -> Iterator[str]:
        return iter(dir(self.obj))

    def _iterate_items(self) -> Iterator[tuple[str, Any]]:
        return ((key, getattr(self.obj, key)) for key in dir(self.obj))

    def _iterate_values(self) -> Iterator[Any]:
        return (getattr(self.obj, key) for key in dir(self.obj))

    keys = iterkeys = _iterate_keys
    items = iteritems = _iterate_items
    values = itervalues = _iterate_values


MutableMapping.register(DictAttribute)


class ChainMap(MutableMapping):
    """Reads from several mappings in order, writes to the first."""

    key_t: Callable[[Any], Any] | None = None
    changes: Any = None
    defaults: Any = None
    maps: Any = None
    _observers: Any = ()

    def __init__(self, *maps: Any, **kwargs: Any) -> None:
        layers = list(maps) or [{}]
        self.__dict__.update(
            key_t=kwargs.get("key_t"), maps=layers, changes=layers[0], defaults=layers[1:], _observers=[], version=0
        )

    def _changed(self) -> None:
        """Whoever keeps something that depends on the values compares ``version``."""
        self.__dict__["version"] += 1

    def add_defaults(self, d: Any) -> None:
        """Put a mapping just below the changes."""
        self._changed()
        layer = force_mapping(d)
        self.defaults.insert(0, layer)
        self.maps.insert(1, layer)

    def _key(self, key: Any) -> Any:
        return key if self.key_t is None else self.key_t(key)

    def __missing__(self, key: Any) -> Any:
        raise KeyError(key)

    def __getitem__(self, key: Any) -> Any:
        wanted = self._key(key)
        for layer in self.maps:
            try:
                return layer[wanted]
            except KeyError:
                continue
        return self.__missing__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._changed()
        self.changes[self._key(key)] = value

    def __delitem__(self, key: Any) -> None:
        self._changed()
        try:
            del self.changes[self._key(key)]
        except KeyError:
            raise KeyError(f"Key not found in first mapping: {key!r}") from None

    def pop(self, key: Any, *default: Any) -> Any:
        self._changed()
        try:
            return self.maps[0].pop(self._key(key), *default)
        except KeyError:
            raise KeyError(f"Key not found in the first mapping: {key!r}") from None

    def clear(self) -> None:
        self._changed()
        self.changes.clear()

    def get(self, key: Any, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default

    def update(self, *args: Any, **kwargs: Any) -> Any:
        if args:
            args = (dict(*args),)
        self._changed()
        result = self.changes.update(*args, **kwargs)
        for callback in self._observers:
            callback(*args, **kwargs)
        return result

    def bind_to(self, callback: Callable[..., Any]) -> None:
        """Call ``callback`` with whatever ``update`` gets."""
        self._observers.append(callback)

    def __len__(self) -> int:
        return len(set().union(*self.maps))

    def __iter__(self) -> Iterator[Any]:
        return self._iterate_keys()

    def __contains__(self, key: Any) -> bool:
        wanted = self._key(key)
        return any(wanted in layer for layer in self.maps)

    def __bool__(self) -> bool:
        return any(self.maps)

    __nonzero__ = __bool__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.maps))})"

    @classmethod
    def fromkeys(cls, iterable: Iterable[Any], *args: Any) -> ChainMap:
        return cls(dict.fromkeys(iterable, *args))

    def copy(self) -> Any:
        return type(self)(self.maps[0].copy(), *self.maps[1:])

    __copy__ = copy

    def _iter(self, op: Callable[[Any], Iterable[Any]]) -> Iterator[Any]:
        # weakest layer first, so that keys come in the order of the defaults
        return chain.from_iterable(op(layer) for layer in reversed(self.maps))

    def _iterate_keys(self) -> Iterator[Any]:
        return iter_unique(self._iter(lambda layer: layer.keys()))

    def _iterate_items(self) -> Iterator[tuple[Any, Any]]:
        return ((key, self[key]) for key in self)

    def _iterate_values(self) -> Iterator[Any]:
        return (self[key] for key in self)

    keys = iterkeys = _iterate_keys  # type: ignore[assignment]
    items = iteritems = _iterate_items  # type: ignore[assignment]
    values = itervalues = _iterate_values  # type: ignore[assignment]


class ConfigurationView(ChainMap, AttributeDictMixin):
    """A chain of mappings whose keys have several spellings: with a prefix, and old or new names."""

    def __init__(self, changes: Any, defaults: Any = None, keys: Any = None, prefix: str | None = None) -> None:
        super().__init__(changes, *(defaults or ()))
        self.__dict__.update(prefix=prefix.rstrip("_") + "_" if prefix else prefix, _keys=keys)

    def copy(self) -> Any:
        copied = type(self)(self.changes.copy(), self.defaults, self._keys, self.prefix)
        copied.__dict__["key_t"] = self.key_t
        return copied

    __copy__ = copy

    def _to_keys(self, key: str) -> tuple[str, ...]:
        prefix, spellings = self.prefix, self._keys
        found: tuple[str, ...] = (key,)
        if prefix:
            found = (match_case(key if key.startswith(prefix) else prefix + key, prefix), key)
        return found + tuple(spelling(key) for spelling in spellings) if spellings else found

    def __getitem__(self, key: Any) -> Any:
        spellings = self._to_keys(key)
        for layer in self.maps:
            for spelling in spellings:
                try:
                    return layer[self._key(spelling)]
                except KeyError:
                    continue
        try:
            return self.__missing__(key)
        except KeyError:
            if self.prefix and len(spellings) > 1:
                raise KeyError(f"Key not found: {spellings[1]!r} (with prefix: {spellings[0]!r})") from None
            raise

    def first(self, *keys: str) -> Any:
        return first(None, (self.get(key) for key in keys))

    def __contains__(self, key: Any) -> bool:
        found = super().__contains__
        return any(found(spelling) for spelling in self._to_keys(key))

    def swap_with(self, other: ConfigurationView) -> None:
        """Take over the layers of another view; who holds this one sees them from now on."""
        self._changed()
        theirs = other.__dict__
        taken = {name: theirs[name] for name in ("changes", "defaults", "key_t", "prefix", "_keys")}
        self.__dict__.update(taken, maps=[theirs["changes"], *theirs["defaults"]])


class LimitedSet:
    """A set that forgets its oldest members, by number (``maxlen``) and by age (``expires``, above ``minlen``)."""

    max_heap_percent_overload = 15

    def __init__(
        self, maxlen: int | None = 0, expires: float | None = 0, data: Any = None, minlen: int | None = 0
    ) -> None:
        self.maxlen, self.minlen, self.expires = maxlen or 0, minlen or 0, expires or 0
        self._data: dict[Any, tuple[float, int, Any]] = {}
        self._heap: list[tuple[float, int, Any]] = []
        self._seq = count()
        if data:
            self.update(data)
        if not self.maxlen >= self.minlen >= 0:
            raise ValueError("minlen must be a positive number, less or equal to maxlen.")
        if self.expires < 0:
            raise ValueError("expires cannot be negative!")

    @property
    def _heap_overload(self) -> float:
        """Per cent of stale entries in the heap."""
        return len(self._heap) * 100 / max(len(self._data), 1) - 100

    def _refresh_heap(self) -> None:
        self._heap[:] = self._data.values()
        heapify(self._heap)

    def _maybe_refresh_heap(self) -> None:
        if self._heap_overload >= self.max_heap_percent_overload:
            self._refresh_heap()

    def _is_current(self, entry: tuple[float, int, Any]) -> bool:
        return self._data.get(entry[2]) is entry

    def clear(self) -> None:
        self._data.clear()
        self._heap.clear()

    def add(self, item: Any, now: float | None = None) -> None:
        moment = time.monotonic() if now is None else float(now)
        if item in self._data:
            self.discard(item)
        entry = (moment, next(self._seq), item)
        self._data[item] = entry
        heappush(self._heap, entry)
        if self.maxlen and len(self._data) >= self.maxlen:
            self.purge()

    def update(self, other: Any) -> None:
        if not other:
            return
        if isinstance(other, LimitedSet):
            for moment, _, item in sorted(other._data.values(), key=lambda entry: entry[:2]):
                self._data[item] = (moment, next(self._seq), item)
            self._refresh_heap()
            self.purge()
        elif isinstance(other, dict):
            for item, inserted in other.items():
                moment = inserted[0] if isinstance(inserted, (tuple, list)) else inserted
                if not isinstance(moment, float):
                    raise ValueError(f"Expecting float timestamp, got type {type(moment)!r} with value: {moment}")
                self.add(item, moment)
        else:
            for item in other:
                self.add(item)

    def discard(self, item: Any) -> None:
        self._data.pop(item, None)
        self._maybe_refresh_heap()

    pop_value = discard

    def purge(self, now: Any = None) -> None:
        """Drop what is over the limits."""
        if callable(now):
            now = now()
        moment = time.monotonic() if now is None else now
        if self.maxlen:
            while len(self._data) > self.maxlen:
                self.pop()
        if self.expires:
            while len(self._data) > self.minlen >= 0:
                oldest = self._heap[0]
                if not self._is_current(oldest):
                    heappop(self._heap)
                elif oldest[0] + self.expires > moment:
                    break
                else:
                    self.pop()

    def pop(self, default: Any = None) -> Any:
        """Remove and give the oldest member."""
        while self._heap:
            entry = heappop(self._heap)
            if self._is_current(entry):
                del self._data[entry[2]]
                return entry[2]
        return default

    def as_dict(self) -> dict[Any, float]:
        return {item: moment for moment, _, item in self._data.values()}

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, LimitedSet):
            return NotImplemented
        return self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        limits = f"maxlen={self.maxlen}, expires={self.expires}, minlen={self.minlen}"
        return f"<{type(self).__name__}({len(self)}): {limits}>"

    def __iter__(self) -> Iterator[Any]:
        return (item for _, _, item in sorted(self._data.values()))

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, key: Any) -> bool:
        return key in self._data

    def __reduce__(self) -> Any:
        return type(self), (self.maxlen, self.expires, self.as_dict(), self.minlen)

    def __bool__(self) -> bool:
        return bool(self._data)

    __nonzero__ = __bool__


MutableSet.register(LimitedSet)


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
