"""The way of an event from a dispatcher to the receivers of the same broker URL: mailboxes in this process.

Without a mailbox nothing is built and nothing is kept: whoever has an event asks ``listening`` first. Each receiver
gets a copy, as if it had travelled. Receivers in other processes get nothing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from ..runtime.isolation import isolate

__all__ = ("Bus", "Mailbox", "bus_of")

#: Events that a receiver has not read yet; more push out the oldest ones.
MAILBOX_SIZE = 65_536


class Mailbox:
    """What has arrived for one receiver, as ``(routing key, event or list of events)``."""

    def __init__(self, pattern: str = "#", size: int = MAILBOX_SIZE) -> None:
        #: AMQP's ``#`` and ``*`` both stand for anything here: Celery's own patterns are ``#`` and ``task.#``.
        self.pattern = pattern.replace("#", "*")
        self.takes_all = self.pattern == "*"
        self.waiting: deque[Any] = deque(maxlen=size)
        self.dropped = 0
        self.arrived = threading.Condition(threading.Lock())

    def put(self, routing_key: str, event: Any) -> None:
        if not self.takes_all and not fnmatchcase(routing_key, self.pattern):
            return
        event = isolate(event)
        with self.arrived:
            if len(self.waiting) == self.waiting.maxlen:
                self.dropped += 1
            self.waiting.append(event)
            self.arrived.notify()

    def take(self, timeout: float) -> Any:
        """The oldest event; raises TimeoutError when none comes within ``timeout`` seconds."""
        until = time.monotonic() + timeout
        with self.arrived:
            while not self.waiting:
                if not self.arrived.wait(max(until - time.monotonic(), 0.0)) and not self.waiting:
                    raise TimeoutError("timed out")
            return self.waiting.popleft()


class Bus:
    """The mailboxes of one broker URL. ``mailboxes`` is replaced, never changed: it is read without a lock."""

    def __init__(self) -> None:
        self.mailboxes: tuple[Mailbox, ...] = ()
        #: Called when the first receiver comes: workers begin to send heartbeats.
        self.on_listener: list[Callable[[], Any]] = []
        self._lock = threading.Lock()

    @property
    def listening(self) -> bool:
        """True if somebody would get an event."""
        return bool(self.mailboxes)

    def open(self, pattern: str = "#") -> Mailbox:
        """A new mailbox, which gets what is sent from now on."""
        made = Mailbox(pattern)
        with self._lock:
            self.mailboxes = (*self.mailboxes, made)
            first = len(self.mailboxes) == 1
        if first:
            for call in list(self.on_listener):
                call()
        return made

    def close(self, mailbox: Mailbox) -> None:
        """Nothing more arrives in this mailbox."""
        with self._lock:
            self.mailboxes = tuple(one for one in self.mailboxes if one is not mailbox)

    def send(self, routing_key: str, event: Any) -> None:
        """Put an event into every mailbox. Raises ``kombu.exceptions.EncodeError`` for what is not data."""
        for mailbox in self.mailboxes:
            mailbox.put(routing_key, event)


def bus_of(app: Any) -> Bus:
    """The bus of an app's broker URL."""
    from ..runtime.broker import broker_of

    return broker_of(app).events
