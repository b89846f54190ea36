"""The commands of the stand-in connection for keys of any kind: existence, lifetime, names."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from . import clock, views
from .errors import ResponseError
from .keyspace import Keyspace
from .store import Store
from .values import inward

__all__ = ["KeyCommands", "cut", "many", "seconds_of"]


def seconds_of(value: Any) -> float:
    """Seconds of a number or a timedelta."""
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


def many(keys: Any) -> list[Any]:
    """One key, or several."""
    return [keys] if isinstance(keys, (str, bytes)) else list(keys)


def cut(entries: list[Any], start: int, end: int) -> list[Any]:
    """A range with both ends included and negative places counted from the end."""
    size = len(entries)
    first = max(0, start + size if start < 0 else start)
    last = end + size if end < 0 else end
    return entries[first : last + 1] if last >= first else []


class KeyCommands:
    """Mixed into the connection; needs `_store` and `_out`."""

    _store: Store

    def _out(self, value: str | None) -> Any:
        raise NotImplementedError

    @property
    def _space(self) -> Keyspace:
        return self._store.space

    def exists(self, *names: Any) -> int:
        with self._store.lock:
            return sum(self._space.get(inward(name)) is not None for name in names)

    touch = exists

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
