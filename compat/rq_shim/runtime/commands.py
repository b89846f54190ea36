"""The key-value commands of the stand-in connection: keys, texts, hashes, lists. Sets and sorted sets are in `sets`.

Each method does one command under the store's lock. Names and answers are those of redis-py, so that callbacks, jobs
and tests that use the connection run as they are.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from . import clock, views
from .errors import DataError, ResponseError
from .keyspace import Keyspace
from .store import Store
from .values import inward

__all__ = ["BasicCommands", "seconds_of"]


def seconds_of(value: Any) -> float:
    """Seconds of a number or a timedelta."""
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


class BasicCommands:
    """Mixed into the connection; needs `_store` and `_out`."""

    _store: Store

    def _out(self, value: str | None) -> Any:
        raise NotImplementedError

    @property
    def _space(self) -> Keyspace:
        return self._store.space

    # -- keys -------------------------------------------------------------------------------------------------------

    def exists(self, *names: Any) -> int:
        with self._store.lock:
            return sum(self._space.get(inward(name)) is not None for name in names)

    def delete(self, *names: Any) -> int:
        with self._store.lock:
            return sum(self._drop(inward(name)) for name in names)

    unlink = delete

    def _drop(self, key: str) -> bool:
        self._space.touch(key)
        if key in self._space.values and self._space.get(key) is not None and self._space.drop(key):
            return True
        return views.drop_view(self._store, key)

    def type(self, name: Any) -> Any:
        with self._store.lock:
            value = self._space.get(inward(name))
        return self._out("none" if value is None else getattr(value, "kind", "zset"))

    def expire(
        self, name: Any, time: Any, nx: bool = False, xx: bool = False, gt: bool = False, lt: bool = False
    ) -> bool:
        return self._expire_at(inward(name), clock.time() + seconds_of(time))

    def pexpire(self, name: Any, time: Any) -> bool:
        return self._expire_at(
            inward(name), clock.time() + seconds_of(time) / (1 if isinstance(time, timedelta) else 1000)
        )

    def expireat(self, name: Any, when: Any) -> bool:
        return self._expire_at(inward(name), when.timestamp() if isinstance(when, datetime) else float(when))

    def _expire_at(self, key: str, at: float) -> bool:
        with self._store.lock:
            if self._space.get(key) is None:
                return False
            if at <= clock.time():
                return self._drop(key)
            if key in self._space.values:
                self._store.expire_key(key, at)
                return True
            return views.expire_view(self._store, key, at - clock.time())

    def persist(self, name: Any) -> bool:
        key = inward(name)
        with self._store.lock:
            if key in self._space.values:
                return self._space.persist(key)
            return views.expire_view(self._store, key, None)

    def pttl(self, name: Any) -> int:
        key = inward(name)
        with self._store.lock:
            if self._space.get(key) is None:
                return -2
            at = self._space.expires.get(key)
            left = at - clock.time() if at is not None else views.ttl_of_view(self._store, key)
        return -1 if left is None else max(0, round(left * 1000))

    def ttl(self, name: Any) -> int:
        left = self.pttl(name)
        return left if left < 0 else (left + 500) // 1000

    def rename(self, src: Any, dst: Any) -> bool:
        old, new = inward(src), inward(dst)
        with self._store.lock:
            value = self._space.get(old)
            if value is None:
                raise self._error("no such key")
            if old not in self._space.values:
                entries = list(value.all()) if getattr(value, "kind", "") == "list" else None
                if entries is None:
                    raise self._error(f"{old} cannot be renamed")
                self._drop(new)
                for entry in entries:
                    self._space.list(new).push(entry, False)
                self._drop(old)
                return True
            self._drop(new)
            self._space.values[new] = self._space.values.pop(old)
            at = self._space.expires.get(old)
            self._space.persist(old)
            if at is not None:
                self._store.expire_key(new, at)
        return True

    def _error(self, message: str) -> Exception:
        return ResponseError(message)

    def keys(self, pattern: Any = "*", **kwargs: Any) -> list[Any]:
        return list(self.scan_iter(pattern))

    def scan_iter(self, match: Any = None, count: int | None = None, **kwargs: Any) -> Iterator[Any]:
        fits = re.compile(fnmatch.translate(inward(match if match is not None else "*"))).match
        with self._store.lock:
            names = [*self._space.names(), *views.view_names(self._store)]
        for name in dict.fromkeys(names):
            if fits(name):
                yield self._out(name)

    def scan(
        self, cursor: int = 0, match: Any = None, count: int | None = None, **kwargs: Any
    ) -> tuple[int, list[Any]]:
        return 0, list(self.scan_iter(match))

    # -- texts ------------------------------------------------------------------------------------------------------

    def get(self, name: Any) -> Any:
        with self._store.lock:
            value = self._space.find(inward(name), "string")
            return None if value is None else self._out(value.text)

    def set(
        self, name: Any, value: Any, ex: Any = None, px: Any = None, nx: bool = False, xx: bool = False,
        keepttl: bool = False, get: bool = False, exat: Any = None, pxat: Any = None,
    ) -> Any:  # fmt: skip
        key, text = inward(name), inward(value)
        with self._store.lock:
            old = self._space.get(key)
            if (nx and old is not None) or (xx and old is None):
                return None
            before = self._out(old.text) if get and old is not None else None
            if not keepttl:
                self._space.drop(key)
            self._space.text(key).text = text
            self._space.touch(key)
            if ex is not None:
                self._store.expire_key(key, clock.time() + seconds_of(ex))
            elif px is not None:
                self._store.expire_key(key, clock.time() + seconds_of(px) / (1 if isinstance(px, timedelta) else 1000))
            elif exat is not None:
                self._store.expire_key(key, float(exat))
        return before if get else True

    def setex(self, name: Any, time: Any, value: Any) -> Any:
        return self.set(name, value, ex=time)

    def setnx(self, name: Any, value: Any) -> bool:
        return bool(self.set(name, value, nx=True))

    def getset(self, name: Any, value: Any) -> Any:
        return self.set(name, value, get=True)

    def getdel(self, name: Any) -> Any:
        with self._store.lock:
            value = self.get(name)
            self.delete(name)
            return value

    def append(self, key: Any, value: Any) -> int:
        with self._store.lock:
            text = self._space.text(inward(key))
            text.text += inward(value)
            return len(text.text.encode("utf-8", "surrogateescape"))

    def mget(self, keys: Any, *args: Any) -> list[Any]:
        return [self.get(key) for key in [*_many(keys), *args]]

    def mset(self, mapping: dict[Any, Any]) -> bool:
        with self._store.lock:
            for key, value in mapping.items():
                self.set(key, value)
        return True

    def incrby(self, name: Any, amount: int = 1) -> int:
        key = inward(name)
        with self._store.lock:
            value = self._space.find(key, "string")
            number = self._number(value.text if value is not None else "0", int) + int(amount)
            self._space.text(key).text = str(number)
            self._space.touch(key)
            return int(number)

    incr = incrby

    def decrby(self, name: Any, amount: int = 1) -> int:
        return self.incrby(name, -amount)

    decr = decrby

    def incrbyfloat(self, name: Any, amount: float = 1.0) -> float:
        key = inward(name)
        with self._store.lock:
            value = self._space.find(key, "string")
            number = float(self._number(value.text if value is not None else "0", float)) + float(amount)
            self._space.text(key).text = repr(number)
            return number

    def _number(self, text: str, kind: Any) -> Any:
        try:
            return kind(text)
        except ValueError:
            word = "an integer or out of range" if kind is int else "a valid float"
            raise self._error(f"value is not {word}") from None

    # -- hashes -----------------------------------------------------------------------------------------------------

    def hset(self, name: Any, key: Any = None, value: Any = None, mapping: Any = None, items: Any = None) -> int:
        fields = {inward(field): inward(entry) for field, entry in (mapping or {}).items()}
        if key is not None:
            fields[inward(key)] = inward(value)
        flat = list(items or ())
        fields.update((inward(flat[place]), inward(flat[place + 1])) for place in range(0, len(flat), 2))
        if not fields:
            raise DataError("'hset' with no key value pairs")
        with self._store.lock:
            self._space.touch(inward(name))
            return int(self._space.hash(inward(name)).update(fields))

    def hmset(self, name: Any, mapping: dict[Any, Any]) -> bool:
        self.hset(name, mapping=mapping)
        return True

    def hsetnx(self, name: Any, key: Any, value: Any) -> int:
        with self._store.lock:
            return 0 if self.hexists(name, key) else self.hset(name, key, value)

    def _fields(self, name: Any) -> Any:
        return self._space.find(inward(name), "hash")

    def hget(self, name: Any, key: Any) -> Any:
        with self._store.lock:
            found = self._fields(name)
            return None if found is None else self._out(found.get(inward(key)))

    def hmget(self, name: Any, keys: Any, *args: Any) -> list[Any]:
        return [self.hget(name, key) for key in [*_many(keys), *args]]

    def hgetall(self, name: Any) -> dict[Any, Any]:
        with self._store.lock:
            found = self._fields(name)
            return {} if found is None else {self._out(key): self._out(value) for key, value in found.all().items()}

    def hkeys(self, name: Any) -> list[Any]:
        return list(self.hgetall(name))

    def hvals(self, name: Any) -> list[Any]:
        return list(self.hgetall(name).values())

    def hlen(self, name: Any) -> int:
        return len(self.hgetall(name))

    def hexists(self, name: Any, key: Any) -> bool:
        with self._store.lock:
            found = self._fields(name)
            return found is not None and found.get(inward(key)) is not None

    def hdel(self, name: Any, *keys: Any) -> int:
        with self._store.lock:
            found = self._fields(name)
            return 0 if found is None else int(found.discard([inward(key) for key in keys]))

    def hincrby(self, name: Any, key: Any, amount: int = 1) -> int:
        with self._store.lock:
            found = self._space.hash(inward(name))
            number = int(self._number(found.get(inward(key)) or "0", int)) + int(amount)
            found.update({inward(key): str(number)})
            return number

    def hincrbyfloat(self, name: Any, key: Any, amount: float = 1.0) -> float:
        with self._store.lock:
            found = self._space.hash(inward(name))
            number = float(self._number(found.get(inward(key)) or "0", float)) + float(amount)
            found.update({inward(key): repr(number)})
            return number

    # -- lists ------------------------------------------------------------------------------------------------------

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


def _many(keys: Any) -> list[Any]:
    return [keys] if isinstance(keys, (str, bytes)) else list(keys)


def cut(entries: list[Any], start: int, end: int) -> list[Any]:
    """A range with both ends included and negative places counted from the end."""
    size = len(entries)
    first = max(0, start + size if start < 0 else start)
    last = end + size if end < 0 else end
    return entries[first : last + 1] if last >= first else []
