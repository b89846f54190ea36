"""The key-value commands of the stand-in connection: texts and hashes. Keys are in `keycommands`, lists in `listcommands`,
sets and sorted sets in `sets`.

Each method does one command under the store's lock. Names and answers are those of redis-py, so that callbacks, jobs
and tests that use the connection run as they are.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from . import clock, views
from .errors import DataError
from .keycommands import many, seconds_of
from .listcommands import ListCommands
from .values import inward

__all__ = ["BasicCommands"]


class BasicCommands(ListCommands):
    """Mixed into the connection; needs `_store` and `_out`."""

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
            at = self._space.expires.get(key) if keepttl else None
            self._drop(key)
            self._space.text(key).text = text
            if at is not None:
                self._store.expire_key(key, at)
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
        return [self.get(key) for key in [*many(keys), *args]]

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
            return int(self._hash(inward(name)).update(fields))

    def _hash(self, key: str) -> Any:
        """The hash of a key, made if need be; a job's is its record."""
        return views.job_hash(self._store, key) or self._space.hash(key)

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
        return [self.hget(name, key) for key in [*many(keys), *args]]

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
            found = self._hash(inward(name))
            number = int(self._number(found.get(inward(key)) or "0", int)) + int(amount)
            found.update({inward(key): str(number)})
            return number

    def hincrbyfloat(self, name: Any, key: Any, amount: float = 1.0) -> float:
        with self._store.lock:
            found = self._hash(inward(name))
            number = float(self._number(found.get(inward(key)) or "0", float)) + float(amount)
            found.update({inward(key): repr(number)})
            return number
