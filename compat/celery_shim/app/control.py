"""``app.control``: commands to the workers of this process, and questions to them.

Same interface and answers as over a broker; a command is a direct call, so there is nothing to wait for. Workers of
other processes cannot be reached.
"""

from __future__ import annotations

import warnings
from typing import Any

from ..exceptions import DuplicateNodenameWarning, ImproperlyConfigured
from ..utils.lean import cached_property
from ..utils.text import pluralize

__all__ = ("Control", "Inspect", "flatten_reply")

TERM_SIGNAME = "SIGTERM"

W_DUPNODE = """\
Received multiple replies from node {0}: {1}.
Please make sure you give each node a unique nodename using
the celery worker `-n` option."""


def flatten_reply(reply: Any) -> dict[str, Any]:
    """A list of answers as a dict by node."""
    nodes: dict[str, Any] = {}
    twice: set[str] = set()
    for item in reply:
        twice.update(name for name in item if name in nodes)
        nodes.update(item)
    if twice:
        text = W_DUPNODE.format(pluralize(len(twice), "name"), ", ".join(sorted(twice)))
        warnings.warn(DuplicateNodenameWarning(text), stacklevel=2)
    return nodes


class Inspect:
    """Questions to workers: a dict of answers by node, None when nobody answers."""

    app: Any = None

    def __init__(
        self,
        destination: Any = None,
        timeout: float = 1.0,
        callback: Any = None,
        connection: Any = None,
        app: Any = None,
        limit: int | None = None,
        pattern: str | None = None,
        matcher: Any = None,
    ) -> None:
        self.app = app or self.app
        self.destination, self.timeout, self.callback, self.connection = destination, timeout, callback, connection
        self.limit, self.pattern, self.matcher = limit, pattern, matcher

    def _prepare(self, reply: Any) -> Any:
        if not reply:
            return None
        by_node = flatten_reply(reply)
        if self.destination and not isinstance(self.destination, (list, tuple)):
            return by_node.get(self.destination)
        if self.pattern:
            from kombu.matcher import match

            return {
                node: said
                for node, said in by_node.items()
                if match(node.encode(), self.pattern.encode(), self.matcher)
            }
        return by_node

    def _request(self, command: str, **kwargs: Any) -> Any:
        return self._prepare(
            self.app.control.broadcast(
                command,
                arguments=kwargs,
                destination=self.destination,
                callback=self.callback,
                connection=self.connection,
                limit=self.limit,
                timeout=self.timeout,
                reply=True,
                pattern=self.pattern,
                matcher=self.matcher,
            )
        )

    def report(self) -> Any:
        return self._request("report")

    def clock(self) -> Any:
        return self._request("clock")

    def active(self, safe: Any = None) -> Any:
        """Running tasks."""
        return self._request("active", safe=safe)

    def scheduled(self, safe: Any = None) -> Any:
        """Tasks with an eta."""
        return self._request("scheduled")

    def reserved(self, safe: Any = None) -> Any:
        """Tasks that wait."""
        return self._request("reserved")

    def stats(self) -> Any:
        return self._request("stats")

    def revoked(self) -> Any:
        return self._request("revoked")

    def registered(self, *taskinfoitems: str) -> Any:
        return self._request("registered", taskinfoitems=taskinfoitems)

    registered_tasks = registered

    def ping(self, destination: Any = None) -> Any:
        if destination:
            self.destination = destination
        return self._request("ping")

    def active_queues(self) -> Any:
        return self._request("active_queues")

    def query_task(self, *ids: Any) -> Any:
        if len(ids) == 1 and isinstance(ids[0], (list, tuple)):
            ids = tuple(ids[0])
        return self._request("query_task", ids=ids)

    def conf(self, with_defaults: bool = False) -> Any:
        return self._request("conf", with_defaults=with_defaults)

    def hello(self, from_node: str, revoked: Any = None) -> Any:
        return self._request("hello", from_node=from_node, revoked=revoked)

    def memsample(self) -> Any:
        return self._request("memsample")

    def memdump(self, samples: int = 10) -> Any:
        return self._request("memdump", samples=samples)

    def objgraph(self, type: str = "Request", n: int = 200, max_depth: int = 10) -> Any:
        return self._request("objgraph", num=n, max_depth=max_depth, type=type)


class Control:
    """``app.control``."""

    def __init__(self, app: Any = None) -> None:
        self.app = app
        if app.conf.control_queue_durable and app.conf.control_queue_exclusive:
            raise ImproperlyConfigured(
                "control_queue_durable and control_queue_exclusive cannot both be True (exclusive queues are "
                "automatically deleted and cannot be durable)."
            )

    @cached_property
    def inspect(self) -> Any:
        return self.app.subclass_with_self(Inspect, reverse="control.inspect")

    def broadcast(
        self,
        command: str,
        arguments: Any = None,
        destination: Any = None,
        connection: Any = None,
        reply: bool = False,
        timeout: float = 1.0,
        limit: int | None = None,
        callback: Any = None,
        channel: Any = None,
        pattern: str | None = None,
        matcher: Any = None,
        **extra_kwargs: Any,
    ) -> Any:
        """Send a command to workers; with ``reply`` a list of ``{node: answer}``."""
        from ..worker.control import dispatch

        return dispatch(
            self.app,
            command,
            {**(arguments or {}), **extra_kwargs},
            destination=destination,
            reply=reply,
            limit=limit,
            callback=callback,
            pattern=pattern,
            matcher=matcher,
        )

    def purge(self, connection: Any = None) -> int:
        """Throw away what waits in the queues that workers read; gives the number of messages."""
        from ..runtime.broker import broker_of

        return broker_of(self.app).purge(set(self.app.amqp.queues.consume_from))

    discard_all = purge

    def election(self, id: str, topic: str, action: Any = None, connection: Any = None) -> None:
        self.broadcast("election", connection=connection, arguments={"id": id, "topic": topic, "action": action})

    def revoke(
        self,
        task_id: Any,
        destination: Any = None,
        terminate: bool = False,
        signal: Any = TERM_SIGNAME,
        **kwargs: Any,
    ) -> Any:
        """Have workers refuse a task (or several); ``terminate`` stops one that runs."""
        return self.broadcast(
            "revoke",
            destination=destination,
            arguments={"task_id": task_id, "terminate": terminate, "signal": signal},
            **kwargs,
        )

    def revoke_by_stamped_headers(
        self,
        headers: Any,
        destination: Any = None,
        terminate: bool = False,
        signal: Any = TERM_SIGNAME,
        **kwargs: Any,
    ) -> Any:
        """The same for all tasks with these stamps."""
        return self.broadcast(
            "revoke_by_stamped_headers",
            destination=destination,
            arguments={"headers": headers, "terminate": terminate, "signal": signal},
            **kwargs,
        )

    def terminate(self, task_id: Any, destination: Any = None, signal: Any = TERM_SIGNAME, **kwargs: Any) -> Any:
        return self.revoke(task_id, destination=destination, terminate=True, signal=signal, **kwargs)

    def ping(self, destination: Any = None, timeout: float = 1.0, **kwargs: Any) -> Any:
        return self.broadcast("ping", reply=True, arguments={}, destination=destination, timeout=timeout, **kwargs)

    def rate_limit(self, task_name: str, rate_limit: Any, destination: Any = None, **kwargs: Any) -> Any:
        arguments = {"task_name": task_name, "rate_limit": rate_limit}
        return self.broadcast("rate_limit", destination=destination, arguments=arguments, **kwargs)

    def time_limit(
        self, task_name: str, soft: Any = None, hard: Any = None, destination: Any = None, **kwargs: Any
    ) -> Any:
        arguments = {"task_name": task_name, "hard": hard, "soft": soft}
        return self.broadcast("time_limit", arguments=arguments, destination=destination, **kwargs)

    def add_consumer(
        self,
        queue: str,
        exchange: Any = None,
        exchange_type: str = "direct",
        routing_key: Any = None,
        options: Any = None,
        destination: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Have workers read one more queue."""
        arguments = {
            "queue": queue,
            "exchange": exchange,
            "exchange_type": exchange_type,
            "routing_key": routing_key,
            **(options or {}),
        }
        return self.broadcast("add_consumer", destination=destination, arguments=arguments, **kwargs)

    def cancel_consumer(self, queue: str, destination: Any = None, **kwargs: Any) -> Any:
        return self.broadcast("cancel_consumer", destination=destination, arguments={"queue": queue}, **kwargs)

    def enable_events(self, destination: Any = None, **kwargs: Any) -> Any:
        return self.broadcast("enable_events", arguments={}, destination=destination, **kwargs)

    def disable_events(self, destination: Any = None, **kwargs: Any) -> Any:
        return self.broadcast("disable_events", arguments={}, destination=destination, **kwargs)

    def pool_grow(self, n: int = 1, destination: Any = None, **kwargs: Any) -> Any:
        return self.broadcast("pool_grow", arguments={"n": n}, destination=destination, **kwargs)

    def pool_shrink(self, n: int = 1, destination: Any = None, **kwargs: Any) -> Any:
        return self.broadcast("pool_shrink", arguments={"n": n}, destination=destination, **kwargs)

    def autoscale(self, max: int, min: int, destination: Any = None, **kwargs: Any) -> Any:
        return self.broadcast("autoscale", arguments={"max": max, "min": min}, destination=destination, **kwargs)

    def pool_restart(
        self, modules: Any = None, reload: bool = False, reloader: Any = None, destination: Any = None, **kwargs: Any
    ) -> Any:
        arguments = {"modules": modules, "reload": reload, "reloader": reloader}
        return self.broadcast("pool_restart", arguments=arguments, destination=destination, **kwargs)

    def heartbeat(self, destination: Any = None, **kwargs: Any) -> Any:
        return self.broadcast("heartbeat", arguments={}, destination=destination, **kwargs)

    def shutdown(self, destination: Any = None, **kwargs: Any) -> Any:
        """Have workers stop."""
        return self.broadcast("shutdown", arguments={}, destination=destination, **kwargs)
