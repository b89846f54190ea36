"""What a ``State`` keeps: one ``Worker`` and one ``Task`` per name and id, changed by each of their events."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from time import time
from typing import Any
from weakref import WeakSet

from .. import states
from ..utils.functional import memoize
from ..utils.lean import cached_property
from ..utils.log import get_logger

__all__ = ("HEARTBEAT_DRIFT_MAX", "HEARTBEAT_EXPIRE_WINDOW", "Task", "Worker", "heartbeat_expires")

#: A worker is taken for dead when nothing came for this share (in per cent) of the time between two heartbeats.
HEARTBEAT_EXPIRE_WINDOW = 200
#: Seconds between sending and receiving after which the clocks are said to differ.
HEARTBEAT_DRIFT_MAX = 16

DRIFT_WARNING = "The clock of %s differs from the one here by %s seconds (event from %s, received at %s)"

logger = get_logger("celery.events.state")

_STATE_OF_EVENT = {
    "sent": states.PENDING,
    "received": states.RECEIVED,
    "started": states.STARTED,
    "failed": states.FAILURE,
    "retried": states.RETRY,
    "succeeded": states.SUCCESS,
    "revoked": states.REVOKED,
    "rejected": states.REJECTED,
}


@memoize(maxsize=1000, keyfun=lambda args, _: args[0])
def _warn_drift(hostname: str, drift: float, received: float, timestamp: float) -> None:
    """Once per worker."""
    logger.warning(DRIFT_WARNING, hostname, drift, datetime.fromtimestamp(timestamp), datetime.fromtimestamp(received))


def heartbeat_expires(timestamp: Any, freq: Any = 60, expire_window: float = HEARTBEAT_EXPIRE_WINDOW) -> float:
    """When a heartbeat of that time is too old; some JSON libraries give Decimals."""
    timestamp = float(timestamp) if isinstance(timestamp, Decimal) else timestamp
    return timestamp + float(freq) * (expire_window / 100.0)


class Worker:
    """A worker. The fields of its events become its attributes."""

    heartbeat_max = 4
    expire_window = HEARTBEAT_EXPIRE_WINDOW

    _fields = (
        "hostname",
        "pid",
        "freq",
        "heartbeats",
        "clock",
        "active",
        "processed",
        "loadavg",
        "sw_ident",
        "sw_ver",
        "sw_sys",
    )

    def __init__(
        self,
        hostname: str | None = None,
        pid: int | None = None,
        freq: float = 60,
        heartbeats: list[float] | None = None,
        clock: int = 0,
        active: int | None = None,
        processed: int | None = None,
        loadavg: Any = None,
        sw_ident: str | None = None,
        sw_ver: str | None = None,
        sw_sys: str | None = None,
    ) -> None:
        self.hostname, self.pid, self.freq = hostname, pid, freq
        #: When the last ones came, in order.
        self.heartbeats = [] if heartbeats is None else heartbeats
        self.clock = clock or 0
        self.active, self.processed, self.loadavg = active, processed, loadavg
        self.sw_ident, self.sw_ver, self.sw_sys = sw_ident, sw_ver, sw_sys

    def event(
        self,
        type_: str | None,
        timestamp: float | None = None,
        local_received: float | None = None,
        fields: dict[str, Any] | None = None,
        max_drift: float = HEARTBEAT_DRIFT_MAX,
    ) -> None:
        """Take an event in; each one but ``offline`` is a sign of life."""
        self.update(fields or {})
        if type_ == "offline":
            self.heartbeats.clear()
            return
        if not local_received or not timestamp:
            return
        drift = abs(int(local_received) - int(timestamp))
        if drift > max_drift:
            _warn_drift(self.hostname, drift, local_received, timestamp)
        if len(self.heartbeats) >= self.heartbeat_max:
            self.heartbeats.pop(0)
        bisect.insort(self.heartbeats, local_received)

    def update(self, f: Any, **kw: Any) -> None:
        """Set attributes."""
        for name, value in {**f, **kw}.items():
            setattr(self, name, value)

    @property
    def heartbeat_expires(self) -> float:
        return heartbeat_expires(self.heartbeats[-1], self.freq, self.expire_window)

    @property
    def alive(self) -> bool:
        return bool(self.heartbeats) and time() < self.heartbeat_expires

    @property
    def status_string(self) -> str:
        return "ONLINE" if self.alive else "OFFLINE"

    @property
    def id(self) -> str:
        return f"{self.hostname}.{self.pid}"

    def __eq__(self, other: object) -> Any:
        return self.hostname == other.hostname if isinstance(other, Worker) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.hostname)

    def __repr__(self) -> str:
        return f"<Worker: {self.hostname} ({self.status_string} clock:{self.clock})"

    def __reduce__(self) -> Any:
        return self.__class__, tuple(getattr(self, name) for name in self._fields)


def _from_fields(cls: Any, fields: dict[str, Any]) -> Any:
    return cls(**fields)


class Task:
    """A task. The fields of its events become its attributes; which event came last is worked out from their kinds."""

    name: Any = None
    state = states.PENDING
    clock = 0
    #: Times of the events.
    sent = received = started = succeeded = failed = retried = revoked = rejected = timestamp = None
    args = kwargs = eta = expires = retries = worker = result = exception = runtime = traceback = None
    exchange = routing_key = root_id = parent_id = client = None

    _fields = (
        "uuid",
        "name",
        "state",
        "received",
        "sent",
        "started",
        "rejected",
        "succeeded",
        "failed",
        "retried",
        "revoked",
        "args",
        "kwargs",
        "eta",
        "expires",
        "retries",
        "worker",
        "result",
        "exception",
        "timestamp",
        "runtime",
        "traceback",
        "exchange",
        "routing_key",
        "clock",
        "client",
        "root",
        "root_id",
        "parent",
        "parent_id",
        "children",
    )
    _info_fields = (
        "args",
        "kwargs",
        "retries",
        "result",
        "eta",
        "runtime",
        "expires",
        "exception",
        "exchange",
        "routing_key",
        "root_id",
        "parent_id",
    )
    #: What a late event may still say: a ``received`` that comes after its ``succeeded`` brings these fields only.
    merge_rules = {
        states.RECEIVED: ("name", "args", "kwargs", "parent_id", "root_id", "retries", "eta", "expires"),
    }

    def __init__(
        self, uuid: str | None = None, cluster_state: Any = None, children: Iterable[str] | None = None, **kwargs: Any
    ) -> None:
        self.uuid = uuid
        self.cluster_state = cluster_state
        known = {} if cluster_state is None else cluster_state.tasks
        self.children: Any = WeakSet(known[id] for id in children or () if id in known)
        self.__dict__.update(kwargs)

    def event(
        self,
        type_: str,
        timestamp: float | None = None,
        local_received: float | None = None,
        fields: dict[str, Any] | None = None,
        precedence: Callable[[str], int] = states.precedence,
    ) -> None:
        """Take an event in. A kind that is not Celery's becomes a state of that name."""
        fields = {} if fields is None else fields
        state = _STATE_OF_EVENT.get(type_)
        if state is None:
            state = type_.upper()
        else:
            setattr(self, type_, timestamp)
        # a higher precedence comes earlier in the life of a task; a retry starts that life anew
        late = states.RETRY not in (state, self.state) and precedence(state) > precedence(self.state)
        if not late:
            fields.update(state=state, timestamp=timestamp)
        elif state in self.merge_rules:
            kept = self.merge_rules[state]
            fields = {name: value for name, value in fields.items() if name in kept}
        self.__dict__.update(fields)

    def info(self, fields: Iterable[str] | None = None, extra: Iterable[str] | None = None) -> dict[str, Any]:
        """What is known of some fields."""
        names = [*(self._info_fields if fields is None else fields), *(extra or ())]
        found = ((name, getattr(self, name, None)) for name in names)
        return {name: value for name, value in found if value is not None}

    def as_dict(self) -> dict[str, Any]:
        """All fields; relatives are ids."""
        relatives = {"children": [task.id for task in self.children], "root": self.root_id, "parent": self.parent_id}
        return {name: relatives[name] if name in relatives else getattr(self, name) for name in self._fields}

    @property
    def id(self) -> str | None:
        return self.uuid

    @property
    def origin(self) -> Any:
        return self.client if self.worker is None else self.worker.id

    @property
    def ready(self) -> bool:
        return self.state in states.READY_STATES

    def _relative(self, id: Any) -> Any:
        if not id or self.cluster_state is None:
            return None
        return self.cluster_state.tasks.data.get(id)

    @cached_property
    def parent(self) -> Any:
        """The task that called this one, if it is known."""
        return self._relative(self.parent_id)

    @cached_property
    def root(self) -> Any:
        """The first task of the family, if it is known."""
        return self._relative(self.root_id)

    def __eq__(self, other: object) -> Any:
        return self.uuid == other.uuid if isinstance(other, Task) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.uuid)

    def __repr__(self) -> str:
        return f"<Task: {self.name}({self.uuid}) {self.state} clock:{self.clock}>"

    def __reduce__(self) -> Any:
        return _from_fields, (self.__class__, self.as_dict())
