"""Publish and subscribe inside the process. A message is handed over by the publisher's thread."""

from __future__ import annotations

import fnmatch
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from .store import Store
from .values import inward

__all__ = ["PubSub", "PubSubWorkerThread"]


class PubSub:
    """Subscriptions of one listener; messages wait in it until they are asked for."""

    def __init__(self, store: Store, decode: bool = False, ignore_subscribe_messages: bool = False) -> None:
        self._store = store
        self._decode = decode
        self._quiet = ignore_subscribe_messages
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.channels: dict[str, Callable[[Any], Any] | None] = {}
        self.patterns: dict[str, Callable[[Any], Any] | None] = {}

    def _value(self, text: str) -> Any:
        return text if self._decode else text.encode("utf-8", "surrogateescape")

    def _note(self, kind: str, name: str, data: Any, pattern: str | None = None) -> None:
        message = {
            "type": kind,
            "pattern": None if pattern is None else self._value(pattern),
            "channel": self._value(name),
            "data": data,
        }
        self._messages.put(message)

    def _heard(self, channel: str, text: str) -> None:
        self._note("message", channel, self._value(text))

    def _heard_any(self, channel: str, text: str) -> None:
        for pattern in list(self.patterns):
            if fnmatch.fnmatchcase(channel, pattern):
                self._note("pmessage", channel, self._value(text), pattern)

    def subscribe(self, *names: Any, **handlers: Any) -> None:
        for name, handler in [*((name, None) for name in names), *handlers.items()]:
            key = inward(name)
            if key not in self.channels:
                self._store.listeners.setdefault(key, []).append(self._heard)
            self.channels[key] = handler
            self._note("subscribe", key, len(self.channels))

    def unsubscribe(self, *names: Any) -> None:
        for key in [inward(name) for name in names] or list(self.channels):
            if key in self.channels:
                del self.channels[key]
                listeners = self._store.listeners.get(key, [])
                if self._heard in listeners:
                    listeners.remove(self._heard)
                self._note("unsubscribe", key, len(self.channels))

    def psubscribe(self, *names: Any, **handlers: Any) -> None:
        if not self.patterns:
            self._store.listeners.setdefault("*", []).append(self._heard_any)
        for name, handler in [*((name, None) for name in names), *handlers.items()]:
            self.patterns[inward(name)] = handler
            self._note("psubscribe", inward(name), len(self.patterns))

    def punsubscribe(self, *names: Any) -> None:
        for key in [inward(name) for name in names] or list(self.patterns):
            self.patterns.pop(key, None)

    @property
    def subscribed(self) -> bool:
        return bool(self.channels or self.patterns)

    def get_message(self, ignore_subscribe_messages: bool = False, timeout: float | None = 0.0) -> Any:
        """The next message or None; a message with a handler goes to it and gives None."""
        try:
            message = self._messages.get(timeout is None or timeout > 0, timeout or None)
        except queue.Empty:
            return None
        return self._handled(message, ignore_subscribe_messages)

    def _handled(self, message: dict[str, Any], ignore: bool) -> Any:
        if not message["type"].endswith("message"):
            return None if ignore or self._quiet else message
        name = message["pattern"] if message["type"] == "pmessage" else message["channel"]
        handler = (self.patterns if message["type"] == "pmessage" else self.channels).get(inward(name))
        if handler is None:
            return message
        handler(message)
        return None

    def listen(self) -> Iterator[Any]:
        """Messages as they come, while there are subscriptions."""
        while self.subscribed:
            message = self.get_message(timeout=1.0)
            if message is not None:
                yield message

    def run_in_thread(self, sleep_time: float = 0.0, daemon: bool = False, exception_handler: Any = None) -> Any:
        """A thread that hands messages to their handlers until it is stopped."""
        thread = PubSubWorkerThread(self, daemon, exception_handler)
        thread.start()
        return thread

    def close(self) -> None:
        self.unsubscribe()
        self.patterns.clear()
        anybody = self._store.listeners.get("*", [])
        if self._heard_any in anybody:
            anybody.remove(self._heard_any)

    reset = close

    def __enter__(self) -> PubSub:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()


class PubSubWorkerThread(threading.Thread):
    """Made by `PubSub.run_in_thread`."""

    def __init__(self, pubsub: PubSub, daemon: bool, exception_handler: Any) -> None:
        super().__init__(daemon=daemon, name="brokerless-pubsub")
        self.pubsub = pubsub
        self._handler = exception_handler
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.pubsub.get_message(timeout=0.2)
            except BaseException as error:
                if self._handler is None:
                    raise
                self._handler(error, self.pubsub, self)
                time.sleep(0.01)
        self.pubsub.close()

    def stop(self) -> None:
        self._stopping.set()
