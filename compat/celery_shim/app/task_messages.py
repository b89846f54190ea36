"""The message that stands for a task call, in Celery's form. Data only; nothing is sent from here. Mixed into ``AMQP``."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..utils.nodenames import anon_nodename
from ..utils.saferepr import saferepr
from ..utils.time import add_seconds_to_datetime, maybe_make_aware

__all__ = ("TaskMessages", "task_message")

#: The smallest number of seconds that Celery accepts.
INT_MIN = -2147483648


class task_message(NamedTuple):
    """A message before it is sent."""

    headers: dict[str, Any]
    properties: dict[str, Any]
    body: Any
    sent_event: dict[str, Any] | None


def _iso(moment: Any) -> Any:
    return moment if isinstance(moment, str) else moment and moment.isoformat()


def _checked(args: Any, kwargs: Any) -> tuple[Any, Any]:
    args, kwargs = args or (), kwargs or {}
    if not isinstance(args, (list, tuple)):
        raise TypeError("task args must be a list or tuple")
    if not isinstance(kwargs, Mapping):
        raise TypeError("task keyword arguments must be a mapping")
    return args, kwargs


class TaskMessages:
    """Messages of both protocols."""

    app: Any
    utc: Any
    #: Longest text of arguments that is sent along for logs.
    argsrepr_maxsize = 1024
    kwargsrepr_maxsize = 1024

    def _verify_seconds(self, s: float, what: str) -> float:
        if s < INT_MIN:
            raise ValueError(f"{what} is out of range: {s!r}")
        return s

    def _moment(self, value: Any, what: str, now: Any, timezone: Any, aware: bool = True) -> Any:
        """Seconds from now as a date."""
        self._verify_seconds(value, what)
        moment = add_seconds_to_datetime(now or self.app.now(), value)
        return maybe_make_aware(moment, tz=timezone or self.app.timezone) if aware else moment

    def _times(
        self, countdown: Any, eta: Any, expires: Any, now: Any, timezone: Any, aware: bool = True
    ) -> tuple[Any, Any]:
        """``eta`` and ``expires`` as ISO text."""
        if countdown:
            eta = self._moment(countdown, "countdown", now, timezone, aware)
        if isinstance(expires, numbers.Real):
            expires = self._moment(expires, "expires", now, timezone, aware)
        return _iso(eta), _iso(expires)

    def as_task_v2(
        self,
        task_id: str,
        name: str,
        args: Any = None,
        kwargs: Any = None,
        countdown: Any = None,
        eta: Any = None,
        group_id: Any = None,
        group_index: Any = None,
        expires: Any = None,
        retries: int = 0,
        chord: Any = None,
        callbacks: Any = None,
        errbacks: Any = None,
        reply_to: Any = None,
        time_limit: Any = None,
        soft_time_limit: Any = None,
        create_sent_event: bool = False,
        root_id: Any = None,
        parent_id: Any = None,
        shadow: Any = None,
        chain: Any = None,
        now: Any = None,
        timezone: Any = None,
        origin: Any = None,
        ignore_result: Any = False,
        argsrepr: Any = None,
        kwargsrepr: Any = None,
        stamped_headers: Any = None,
        replaced_task_nesting: int = 0,
        **options: Any,
    ) -> task_message:
        """The message of a call, protocol 2."""
        args, kwargs = _checked(args, kwargs)
        eta, expires = self._times(countdown, eta, expires, now, timezone)
        levels = self.app.conf.task_repr_maxlevels
        if argsrepr is None:
            argsrepr = saferepr(args, self.argsrepr_maxsize, maxlevels=levels)
        if kwargsrepr is None:
            kwargsrepr = saferepr(kwargs, self.kwargsrepr_maxsize, maxlevels=levels)
        root_id = root_id or task_id
        sent = {
            "uuid": task_id,
            "root_id": root_id,
            "parent_id": parent_id,
            "name": name,
            "args": argsrepr,
            "kwargs": kwargsrepr,
            "retries": retries,
            "eta": eta,
            "expires": expires,
        }
        return task_message(
            headers={
                "lang": "py",
                "task": name,
                "id": task_id,
                "shadow": shadow,
                "eta": eta,
                "expires": expires,
                "group": group_id,
                "group_index": group_index,
                "retries": retries,
                "timelimit": [time_limit, soft_time_limit],
                "root_id": root_id,
                "parent_id": parent_id,
                "argsrepr": argsrepr,
                "kwargsrepr": kwargsrepr,
                "origin": origin or anon_nodename(),
                "ignore_result": ignore_result,
                "replaced_task_nesting": replaced_task_nesting,
                "stamped_headers": stamped_headers,
                "stamps": {header: options[header] for header in stamped_headers or ()},
            },
            properties={"correlation_id": task_id, "reply_to": reply_to or ""},
            body=(
                args,
                kwargs,
                {"callbacks": callbacks, "errbacks": errbacks, "chain": chain, "chord": chord},
            ),
            sent_event=sent if create_sent_event else None,
        )

    def as_task_v1(
        self,
        task_id: str,
        name: str,
        args: Any = None,
        kwargs: Any = None,
        countdown: Any = None,
        eta: Any = None,
        group_id: Any = None,
        group_index: Any = None,
        expires: Any = None,
        retries: int = 0,
        chord: Any = None,
        callbacks: Any = None,
        errbacks: Any = None,
        reply_to: Any = None,
        time_limit: Any = None,
        soft_time_limit: Any = None,
        create_sent_event: bool = False,
        root_id: Any = None,
        parent_id: Any = None,
        shadow: Any = None,
        now: Any = None,
        timezone: Any = None,
        **compat_kwargs: Any,
    ) -> task_message:
        """The message of a call, protocol 1: for brokers whose workers are older than Celery 4."""
        args, kwargs = _checked(args, kwargs)
        eta, expires = self._times(countdown, eta, expires, now, timezone, aware=False)
        sent = {
            "uuid": task_id,
            "name": name,
            "args": saferepr(args),
            "kwargs": saferepr(kwargs),
            "retries": retries,
            "eta": eta,
            "expires": expires,
        }
        return task_message(
            headers={},
            properties={"correlation_id": task_id, "reply_to": reply_to or ""},
            body={
                "task": name,
                "id": task_id,
                "args": args,
                "kwargs": kwargs,
                "group": group_id,
                "group_index": group_index,
                "retries": retries,
                "eta": eta,
                "expires": expires,
                "utc": self.utc,
                "callbacks": callbacks,
                "errbacks": errbacks,
                "timelimit": (time_limit, soft_time_limit),
                "taskset": group_id,
                "chord": chord,
            },
            sent_event=sent if create_sent_event else None,
        )
