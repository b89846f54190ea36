"""Sets and sorted sets of the stand-in connection."""

from __future__ import annotations

from typing import Any

from ..defaults import RQ_KEY_PREFIX
from . import views
from .commands import BasicCommands
from .keycommands import cut
from .values import inward

__all__ = ["SetCommands"]

INFINITE = float("inf")


def _limit(value: Any) -> tuple[float, bool]:
    """(score, excluded) of a range's end."""
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str) and value.startswith("("):
        return float(value[1:]), True
    return float(value), False


class SetCommands(BasicCommands):
    """Mixed into the connection."""

    # -- sets -------------------------------------------------------------------------------------------------------

    def _linked(self, key: str) -> dict[str, None] | None:
        """The dict behind a set that is kept elsewhere: registered queues, dependents, dependencies."""
        store = self._store
        if key == views.QUEUES:
            return store.registered
        if key.startswith(views.JOB):
            rest = key[len(views.JOB) :]
            if rest.endswith(views.DEPENDENTS):
                return store.dependents.setdefault(rest[: -len(views.DEPENDENTS)], {})
            if rest.startswith(":") and rest.endswith(views.DEPENDENCIES):
                return store.dependencies.setdefault(rest[1 : -len(views.DEPENDENCIES)], {})
        return None

    def _home(self, key: str) -> dict[str, None]:
        linked = self._linked(key)
        return self._space.members(key) if linked is None else linked

    def sadd(self, name: Any, *values: Any) -> int:
        key = inward(name)
        with self._store.lock:
            home = self._home(key)
            before = len(home)
            for value in values:
                home[inward(value)] = None
            self._space.touch(key)
            return len(home) - before

    def srem(self, name: Any, *values: Any) -> int:
        key = inward(name)
        with self._store.lock:
            if self._space.find(key, "set") is None:
                return 0
            home = self._home(key)
            before = len(home)
            for value in values:
                home.pop(inward(value), None)
            self._space.touch(key)
            return before - len(home)

    def _members(self, name: Any) -> list[str]:
        return list(self._space.find(inward(name), "set") or ())

    def smembers(self, name: Any) -> set[Any]:
        with self._store.lock:
            return {self._out(member) for member in self._members(name)}

    def sismember(self, name: Any, value: Any) -> int:
        with self._store.lock:
            return int(inward(value) in self._members(name))

    def smismember(self, name: Any, values: Any, *args: Any) -> list[int]:
        return [self.sismember(name, value) for value in [*values, *args]]

    def scard(self, name: Any) -> int:
        with self._store.lock:
            return len(self._members(name))

    def spop(self, name: Any, count: int | None = None) -> Any:
        with self._store.lock:
            members = self._members(name)
            taken = members[: 1 if count is None else count]
            self.srem(name, *taken)
        if count is not None:
            return [self._out(member) for member in taken]
        return self._out(taken[0]) if taken else None

    def sunion(self, keys: Any, *args: Any) -> set[Any]:
        names = [*([keys] if isinstance(keys, (str, bytes)) else keys), *args]
        with self._store.lock:
            return {self._out(member) for name in names for member in self._members(name)}

    # -- sorted sets ------------------------------------------------------------------------------------------------

    def _scored(self, name: Any) -> Any:
        return self._space.find(inward(name), "zset")

    def zadd(
        self, name: Any, mapping: dict[Any, Any], nx: bool = False, xx: bool = False, ch: bool = False,
        incr: bool = False, gt: bool = False, lt: bool = False,
    ) -> Any:  # fmt: skip
        key = inward(name)
        if not mapping:
            raise self._error("wrong number of arguments for 'zadd' command")
        added = changed = 0
        with self._store.lock:
            found = self._space.scored(key)
            for raw, number in mapping.items():
                member, score = inward(raw), float(number)
                old = found.scores.get(member)
                if (nx and old is not None) or (xx and old is None):
                    continue
                if incr:
                    score += old or 0.0
                if old is not None and ((gt and score <= old) or (lt and score >= old)):
                    continue
                added += found.set(member, score)
                changed += old != score
                if incr:
                    return score
            self._space.touch(key)
            self._scheduled(key)
        return changed if ch else added

    def _scheduled(self, key: str) -> None:
        if self._store.autorun is not None and key.startswith(RQ_KEY_PREFIX + ":scheduled:"):
            self._store.autorun.look_at_schedule()

    def zincrby(self, name: Any, amount: float, value: Any) -> float:
        return float(self.zadd(name, {value: amount}, incr=True))

    def zrem(self, name: Any, *values: Any) -> int:
        with self._store.lock:
            found = self._scored(name)
            self._space.touch(inward(name))
            return 0 if found is None else sum(found.discard(inward(value)) for value in values)

    def zcard(self, name: Any) -> int:
        with self._store.lock:
            found = self._scored(name)
            return 0 if found is None else len(found)

    def zscore(self, name: Any, value: Any) -> float | None:
        with self._store.lock:
            found = self._scored(name)
            return None if found is None else found.scores.get(inward(value))

    def zrank(self, name: Any, value: Any) -> int | None:
        with self._store.lock:
            found = self._scored(name)
            member = inward(value)
            return found.ordered().index(member) if found is not None and member in found else None

    def _listing(self, name: Any, desc: bool) -> list[tuple[str, float]]:
        found = self._scored(name)
        if found is None:
            return []
        members = found.ordered()
        if desc:
            members.reverse()
        return [(member, found.scores[member]) for member in members]

    def _answer(self, pairs: list[tuple[str, float]], withscores: bool, cast: Any = float) -> list[Any]:
        if withscores:
            return [(self._out(member), cast(score)) for member, score in pairs]
        return [self._out(member) for member, _ in pairs]

    def zrange(
        self, name: Any, start: Any, end: Any, desc: bool = False, withscores: bool = False,
        score_cast_func: Any = float, byscore: bool = False, bylex: bool = False, offset: int | None = None,
        num: int | None = None,
    ) -> list[Any]:  # fmt: skip
        if byscore:
            low, high = (end, start) if desc else (start, end)
            pairs = self._between(name, low, high, desc, offset, num)
        else:
            with self._store.lock:
                pairs = cut(self._listing(name, desc), start, end)
        return self._answer(pairs, withscores, score_cast_func)

    def zrevrange(self, name: Any, start: int, end: int, withscores: bool = False, score_cast_func: Any = float) -> Any:
        return self.zrange(name, start, end, True, withscores, score_cast_func)

    def _between(
        self, name: Any, low: Any, high: Any, desc: bool, start: int | None, num: int | None
    ) -> list[tuple[str, float]]:
        (least, open_low), (most, open_high) = _limit(low), _limit(high)
        with self._store.lock:
            pairs = [
                (member, score)
                for member, score in self._listing(name, desc)
                if (least < score if open_low else least <= score) and (score < most if open_high else score <= most)
            ]
        if start is None:
            return pairs
        return pairs[start : None if num is None or num < 0 else start + num]

    def zrangebyscore(
        self, name: Any, min: Any, max: Any, start: int | None = None, num: int | None = None,
        withscores: bool = False, score_cast_func: Any = float,
    ) -> list[Any]:  # fmt: skip
        return self._answer(self._between(name, min, max, False, start, num), withscores, score_cast_func)

    def zrevrangebyscore(
        self, name: Any, max: Any, min: Any, start: int | None = None, num: int | None = None,
        withscores: bool = False, score_cast_func: Any = float,
    ) -> list[Any]:  # fmt: skip
        return self._answer(self._between(name, min, max, True, start, num), withscores, score_cast_func)

    def zcount(self, name: Any, min: Any, max: Any) -> int:
        return len(self._between(name, min, max, False, None, None))

    def zremrangebyscore(self, name: Any, min: Any, max: Any) -> int:
        with self._store.lock:
            members = [member for member, _ in self._between(name, min, max, False, None, None)]
            return self.zrem(name, *members) if members else 0

    def zremrangebyrank(self, name: Any, min: int, max: int) -> int:
        with self._store.lock:
            members = [member for member, _ in cut(self._listing(name, False), min, max)]
            return self.zrem(name, *members) if members else 0

    def zpopmin(self, name: Any, count: int | None = None) -> list[Any]:
        with self._store.lock:
            pairs = self._listing(name, False)[: count or 1]
            if pairs:
                self.zrem(name, *(member for member, _ in pairs))
        return self._answer(pairs, True)
