"""``EventReceiver``: hands events to functions, by their type.

It gets what dispatchers of this process send while it captures. Its connection is kept and never used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from ..app import app_or_default
from ..exceptions import ImproperlyConfigured
from ..utils import uuid
from ..utils.lean import cached_property
from ..utils.time import adjust_timestamp
from .bus import bus_of
from .event import get_exchange

__all__ = ("EventReceiver",)

#: A client's clock is not part of the logical one: ``task-sent`` is put just before what the receiver has seen.
CLIENT_CLOCK_SKEW = -1
#: Seconds between two looks at ``should_stop``.
_LOOK = 1.0


class EventReceiver:
    """Captures events. ``handlers`` maps types of events to functions; ``"*"`` is for those without one."""

    app: Any = None
    #: Set it to end ``capture`` within a second.
    should_stop = False

    def __init__(
        self,
        channel: Any = None,
        handlers: dict[str, Callable[[Any], Any]] | None = None,
        routing_key: str = "#",
        node_id: str | None = None,
        app: Any = None,
        queue_prefix: str | None = None,
        accept: Any = None,
        queue_ttl: float | None = None,
        queue_expires: float | None = None,
        queue_exclusive: bool | None = None,
        queue_durable: bool | None = None,
    ) -> None:
        self.app = app_or_default(app or self.app)
        conf = self.app.conf
        self.channel = channel
        self.handlers = {} if handlers is None else handlers
        self.routing_key = routing_key
        self.node_id = node_id or uuid()
        self.queue_prefix = queue_prefix or conf.event_queue_prefix
        exclusive = conf.event_queue_exclusive if queue_exclusive is None else queue_exclusive
        durable = conf.event_queue_durable if queue_durable is None else queue_durable
        if exclusive and durable:
            raise ImproperlyConfigured(
                "An event queue is either exclusive or durable: set only one of event_queue_exclusive and "
                "event_queue_durable"
            )
        self._queue_options = {
            "auto_delete": not durable,
            "durable": durable,
            "exclusive": exclusive,
            "message_ttl": conf.event_queue_ttl if queue_ttl is None else queue_ttl,
            "expires": conf.event_queue_expires if queue_expires is None else queue_expires,
        }
        self.clock = self.app.clock
        self.adjust_clock, self.forward_clock = self.clock.adjust, self.clock.forward
        self.accept = {conf.event_serializer, "json"} if accept is None else accept

    @property
    def connection(self) -> Any:
        """The connection that it was made with."""
        owner = getattr(self.channel, "connection", None)
        return getattr(owner, "client", None) or self.channel

    @cached_property
    def exchange(self) -> Any:
        """The exchange that events would go through at a broker."""
        return get_exchange(self.connection or self.app.connection_for_write(), name=self.app.conf.event_exchange)

    @cached_property
    def queue(self) -> Any:
        """The queue that it would have at a broker."""
        from kombu import Queue

        name = f"{self.queue_prefix}.{self.node_id}"
        return Queue(name, exchange=self.exchange, routing_key=self.routing_key, **self._queue_options)

    def process(self, type: str, event: Any) -> None:
        """Call the handler of a type of event."""
        handler = self.handlers.get(type) or self.handlers.get("*")
        if handler:
            handler(event)

    def itercapture(self, limit: int | None = None, timeout: float | None = None, wakeup: bool = True) -> Iterator[Any]:
        """Capture, and yield None after each event (or list of events); ``limit`` counts these and idle seconds.

        Raises TimeoutError when nothing comes for ``timeout`` seconds (whole ones, as with a broker).
        """
        return self.consume(limit=limit, timeout=timeout, wakeup=wakeup)

    def capture(self, limit: int | None = None, timeout: float | None = None, wakeup: bool = True) -> None:
        """Capture events; blocks until ``should_stop`` is set, ``limit`` is reached or ``timeout`` has passed."""
        for _ in self.consume(limit=limit, timeout=timeout, wakeup=wakeup):
            pass

    def run(self, **kwargs: Any) -> None:
        """The same as ``capture`` without limits, for a thread."""
        for _ in self.consume(**kwargs):
            pass

    def consume(
        self,
        limit: int | None = None,
        timeout: float | None = None,
        safety_interval: float = _LOOK,
        wakeup: bool = True,
    ) -> Iterator[None]:
        """What ``capture`` does, step by step."""
        bus = bus_of(self.app)
        mailbox = bus.open(self.routing_key)
        try:
            if wakeup:
                self.wakeup_workers()
            idle = 0.0
            for _ in range(limit) if limit else count():
                if self.should_stop:
                    return
                try:
                    body = mailbox.take(safety_interval)
                except TimeoutError:
                    idle += safety_interval
                    if timeout and idle >= timeout:
                        raise
                else:
                    self._receive(body, None)
                    yield
                    idle = 0.0
        finally:
            bus.close(mailbox)

    def wakeup_workers(self, channel: Any = None) -> None:
        """Have workers say that they are there."""
        self.app.control.broadcast("heartbeat", connection=self.connection, channel=channel)

    def event_from_message(
        self,
        body: dict[str, Any],
        localize: bool = True,
        now: Callable[[], float] = time.time,
        tzfields: Any = None,
        adjust_timestamp: Callable[..., float] = adjust_timestamp,
        CLIENT_CLOCK_SKEW: int = CLIENT_CLOCK_SKEW,
    ) -> tuple[str, dict[str, Any]]:
        """``(type, event)`` with the receiver's clock, the time in its zone (``localize``) and ``local_received``."""
        type = body["type"]
        if type == "task-sent":
            body["clock"] = (self.clock.value or 1) + CLIENT_CLOCK_SKEW
            self.adjust_clock(body["clock"])
        elif "clock" in body:
            self.adjust_clock(body["clock"])
        else:
            body["clock"] = self.forward_clock()
        if localize and "utcoffset" in body and "timestamp" in body:
            body["timestamp"] = adjust_timestamp(body["timestamp"], body["utcoffset"])
        body["local_received"] = now()
        return type, body

    def _receive(self, body: Any, message: Any) -> None:
        for event in body if isinstance(body, list) else [body]:
            self.process(*self.event_from_message(event))
