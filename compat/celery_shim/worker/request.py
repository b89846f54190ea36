"""``Request``: a task message as a worker sees it. Made when somebody looks: signals, ``inspect``, monitoring."""

from __future__ import annotations

import os
import threading
from typing import Any

from ..app.context import Context
from ..utils.lean import cached_property
from ..utils.nodenames import gethostname
from ..utils.saferepr import saferepr
from ..utils.time import maybe_iso8601

__all__ = ("Request", "create_request_cls")


class Request:
    """A message in the hands of a worker."""

    acknowledged = False
    time_start: float | None = None
    worker_pid: int | None = None

    def __init__(
        self, message: Any, app: Any = None, hostname: str | None = None, task: Any = None, **opts: Any
    ) -> None:
        self.message = message
        self._app = self.app = app
        self.hostname = hostname or gethostname()
        self._task = task

    def __getattr__(self, name: str) -> Any:
        # headers are attributes, as everywhere in Celery
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self.request_dict[name]
        except KeyError:
            raise AttributeError(name) from None

    @cached_property
    def request_dict(self) -> dict[str, Any]:
        return self.message.request_dict(self.hostname)

    @property
    def task(self) -> Any:
        if self._task is None:
            self._task = self.app.tasks.get(self.message.task)
        return self._task

    @property
    def id(self) -> str:
        return self.message.id

    task_id = id

    @property
    def name(self) -> str:
        return self.message.headers.get("shadow") or self.message.task

    task_name = name

    @property
    def type(self) -> str:
        return self.message.task

    @property
    def args(self) -> Any:
        return self.message.args

    @property
    def kwargs(self) -> Any:
        return self.message.kwargs

    @property
    def argsrepr(self) -> str:
        return self.message.headers.get("argsrepr") or saferepr(tuple(self.message.args), 1024)

    @property
    def kwargsrepr(self) -> str:
        return self.message.headers.get("kwargsrepr") or saferepr(self.message.kwargs, 1024)

    @property
    def delivery_info(self) -> dict[str, Any]:
        return self.message.delivery_info

    @property
    def eta(self) -> Any:
        return maybe_iso8601(self.message.headers.get("eta"))

    @property
    def expires(self) -> Any:
        return maybe_iso8601(self.message.headers.get("expires"))

    @property
    def root_id(self) -> Any:
        return self.message.headers.get("root_id")

    @property
    def parent_id(self) -> Any:
        return self.message.headers.get("parent_id")

    @property
    def ignore_result(self) -> Any:
        return self.message.ignore_result

    @property
    def __payload(self) -> Any:
        """Arguments and what else a message carries, under the name by which test suites reach for it."""
        links = dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))
        return self.args, self.kwargs, {**links, **(self.message.embed or {})}

    @cached_property
    def _context(self) -> Context:
        return Context(self.request_dict)

    def get(self, key: str, default: Any = None) -> Any:
        return self.request_dict.get(key, default)

    def humaninfo(self) -> str:
        return f"{self.name}[{self.id}]"

    def info(self, safe: bool = False) -> dict[str, Any]:
        """What ``inspect`` shows."""
        return {
            "id": self.id,
            "name": self.name,
            "args": list(self.args) if not safe else self.argsrepr,
            "kwargs": self.kwargs if not safe else self.kwargsrepr,
            "type": self.type,
            "hostname": self.hostname,
            "time_start": self.time_start,
            "acknowledged": self.acknowledged,
            "delivery_info": self.delivery_info,
            "worker_pid": self.worker_pid,
        }

    def started(self, at: float) -> Request:
        self.time_start, self.worker_pid = at, os.getpid()
        self.acknowledged = not getattr(self.task, "acks_late", False)
        self.thread = threading.get_ident()
        return self

    def __str__(self) -> str:
        eta = f" ETA:[{self.eta}]" if self.eta else ""
        return f"{self.humaninfo()}{eta}"

    def __repr__(self) -> str:
        return f"<Request: {self.humaninfo()} {self.argsrepr} {self.kwargsrepr}>"


def create_request_cls(base: Any, task: Any, pool: Any, hostname: str, eventer: Any, **kwargs: Any) -> Any:
    """Celery makes a faster class per task here; one is enough."""
    return base
