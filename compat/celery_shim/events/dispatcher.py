"""``EventDispatcher``: sends events to the receivers of this process.

Switches, groups and buffers are Celery's. A producer that somebody puts in the place of ours is used instead.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from kombu import Producer

from ..app import app_or_default
from ..utils.nodenames import anon_nodename
from ..utils.time import utcoffset as here
from .bus import Bus, bus_of
from .event import Event, get_exchange, group_from

__all__ = ("EventDispatcher",)


#: Events that could not be sent and wait for a flush; more push out the oldest ones.
_KEPT = 10_000


class _Publisher:
    """Stands where Celery has a kombu producer."""

    def __init__(self, bus: Bus, channel: Any = None, serializer: str | None = None) -> None:
        self.bus = bus
        self.channel, self.serializer = channel, serializer

    def publish(self, event: Any, routing_key: str, **options: Any) -> None:
        self.bus.send(routing_key, event)

    def close(self) -> None:
        """Nothing is open."""


class EventDispatcher:
    """Sends events. ``groups`` restricts it to some (``"task"``, ``"worker"``); empty or None means all of them.

    Events of a group in ``buffer_group`` are collected, and sent as a list of ``buffer_limit`` or by ``flush``.
    With ``buffer_while_offline`` an event whose sending fails is kept for the next ``flush``.
    """

    DISABLED_TRANSPORTS = frozenset({"sql"})

    app: Any = None

    def __init__(
        self,
        connection: Any = None,
        hostname: str | None = None,
        enabled: bool = True,
        channel: Any = None,
        buffer_while_offline: bool = True,
        app: Any = None,
        serializer: str | None = None,
        groups: Any = None,
        delivery_mode: int = 1,
        buffer_group: Any = None,
        buffer_limit: int = 24,
        on_send_buffered: Callable[[], Any] | None = None,
    ) -> None:
        self.app = app_or_default(app or self.app)
        self.connection = connection or (channel.connection.client if channel else None)
        self.channel = channel
        self.hostname = hostname or anon_nodename()
        self.buffer_while_offline = buffer_while_offline
        self.buffer_group, self.buffer_limit = buffer_group or frozenset(), buffer_limit
        self.on_send_buffered = on_send_buffered
        self.serializer = serializer or self.app.conf.event_serializer
        self.delivery_mode = delivery_mode
        self.groups: set[str] = set(groups or ())
        self.on_enabled: set[Callable[[], Any]] = set()
        self.on_disabled: set[Callable[[], Any]] = set()
        self.headers = {"hostname": self.hostname}
        self.clock = self.app.clock
        self.pid = os.getpid()
        self.mutex = threading.Lock()
        self.producer: Any = None
        self._closed = False
        self._outbound_buffer: deque[tuple[Any, str]] = deque(maxlen=_KEPT)
        self._group_buffer: dict[str, list[Any]] = defaultdict(list)
        self._exchange: Any = None
        transport = getattr(self.connection, "transport", None)
        self.enabled = enabled and getattr(transport, "driver_type", None) not in self.DISABLED_TRANSPORTS
        if self.enabled:
            self.enable()

    def __enter__(self) -> EventDispatcher:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()

    @property
    def exchange(self) -> Any:
        """The exchange that a broker would have; made for a producer of somebody else."""
        if self._exchange is None:
            connection = self.connection or self.app.connection_for_write()
            self._exchange = get_exchange(connection, name=self.app.conf.event_exchange)
        return self._exchange

    @property
    def publisher(self) -> Any:
        """The old name of ``producer``."""
        return self.producer

    @publisher.setter
    def publisher(self, producer: Any) -> None:
        self.producer = producer

    def enable(self) -> None:
        """Send from now on; calls what is in ``on_enabled``."""
        with self.mutex:
            self.producer = _Publisher(bus_of(self.app), self.channel or self.connection, self.serializer)
            self._closed, self.enabled = False, True
        for callback in self.on_enabled:
            callback()

    def disable(self) -> None:
        """Send nothing from now on; calls what is in ``on_disabled``."""
        if not self.enabled:
            return
        self.enabled = False
        self.close()
        for callback in self.on_disabled:
            callback()

    def close(self) -> None:
        """Let go of the producer; a second time does nothing."""
        with self.mutex:
            self._closed = True
            self.producer = None

    def wants(self, group: str) -> bool:
        """True if an event of that group would reach somebody: asked before one is made."""
        return (
            self.enabled
            and (not self.groups or group in self.groups)
            and (type(self.producer) is not _Publisher or self.producer.bus.listening)
        )

    def publish(
        self,
        type: str,
        fields: dict[str, Any],
        producer: Any,
        blind: bool = False,
        Event: Callable[..., Any] = Event,
        **kwargs: Any,
    ) -> None:
        """Send an event by a producer of the caller's, also while disabled."""
        if producer is None or isinstance(producer, Producer):
            bus = bus_of(self.app)
            if not bus.listening:
                return
            producer = _Publisher(bus)
        event = self._event(type, fields, blind, Event)
        with self.mutex:
            self._publish(event, producer, type.replace("-", "."), **kwargs)

    def send(
        self,
        type: str,
        blind: bool = False,
        utcoffset: Callable[[], Any] = here,
        retry: bool = False,
        retry_policy: Any = None,
        Event: Callable[..., Any] = Event,
        **fields: Any,
    ) -> None:
        """Send an event; ``blind`` leaves the logical clock alone. Without a receiver nothing happens."""
        group = group_from(type)
        if not self.wants(group):
            return
        if group in self.buffer_group:
            self._buffer(group, self._event(type, fields, False, Event, utcoffset))
            return
        event = self._event(type, fields, blind, Event, utcoffset)
        with self.mutex:
            if not self._closed:
                self._publish(event, self.producer, type.replace("-", "."), retry=retry, retry_policy=retry_policy)

    def _event(
        self,
        type: str,
        fields: dict[str, Any],
        blind: bool,
        Event: Callable[..., Any],
        utcoffset: Callable[[], Any] = here,
    ) -> Any:
        clock = None if blind else self.clock.forward()
        return Event(type, hostname=self.hostname, utcoffset=utcoffset(), pid=self.pid, clock=clock, **fields)

    def _buffer(self, group: str, event: Any) -> None:
        waiting = self._group_buffer[group]
        waiting.append(event)
        if len(waiting) >= self.buffer_limit:
            self.flush()
        elif self.on_send_buffered:
            self.on_send_buffered()

    def _publish(
        self, event: Any, producer: Any, routing_key: str, retry: bool = False, retry_policy: Any = None
    ) -> None:
        if producer is None:
            return
        options: dict[str, Any] = {}
        if type(producer) is not _Publisher:
            options = {
                "exchange": self.exchange.name,
                "retry": retry,
                "retry_policy": retry_policy,
                "declare": [self.exchange],
                "serializer": self.serializer,
                "headers": self.headers,
                "delivery_mode": self.delivery_mode,
            }
        try:
            producer.publish(event, routing_key=routing_key, **options)
        except Exception:
            if not self.buffer_while_offline:
                raise
            self._outbound_buffer.append((event, routing_key))

    def flush(self, errors: bool = True, groups: bool = True) -> None:
        """Send what is buffered: what could not be sent (``errors``), what is collected by group (``groups``)."""
        with self.mutex:
            if self._closed:
                return
            if errors:
                failed = [self._outbound_buffer.popleft() for _ in range(len(self._outbound_buffer))]
                for event, routing_key in failed:
                    self._publish(event, self.producer, routing_key)
            if groups:
                for group, waiting in self._group_buffer.items():
                    if waiting:
                        batch = waiting[:]
                        self._publish(batch, self.producer, f"{group}.multi")
                        # others may append without the lock
                        del waiting[: len(batch)]

    def extend_buffer(self, other: EventDispatcher) -> None:
        """Take over what another dispatcher could not send."""
        self._outbound_buffer.extend(other._outbound_buffer)
