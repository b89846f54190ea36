"""``Queues``: the queues that an app knows, by name, and those that its workers read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from kombu import Exchange, Queue

from ..utils.lean import maybe_list
from ..utils.text import indent as textindent

__all__ = ("Queues",)

QUEUE_FORMAT = ".> {0.name:<16} exchange={0.exchange.name}({0.exchange.type}) key={0.routing_key}"


class Queues(dict):
    """kombu queues by name; asking for an unknown one makes it, unless that is switched off."""

    #: None: all that were configured; else those that ``select`` chose.
    _consume_from: dict[str, Any] | None = None

    def __init__(
        self,
        queues: Any = None,
        default_exchange: Any = None,
        create_missing: bool = True,
        create_missing_queue_type: str | None = None,
        create_missing_queue_exchange_type: str | None = None,
        autoexchange: Any = None,
        max_priority: int | None = None,
        default_routing_key: str | None = None,
    ) -> None:
        super().__init__()
        self.aliases: Any = WeakValueDictionary()
        self.default_exchange = default_exchange
        self.default_routing_key = default_routing_key
        self.create_missing = create_missing
        self.create_missing_queue_type = create_missing_queue_type
        self.create_missing_queue_exchange_type = create_missing_queue_exchange_type
        self.autoexchange = Exchange if autoexchange is None else autoexchange
        self.max_priority = max_priority
        given = queues or {}
        if not isinstance(given, Mapping):
            given = {queue.name: queue for queue in given}
        for name, queue in given.items():
            if isinstance(queue, Queue):
                self.add(queue)
            else:
                self.add_compat(name, **queue)
        self._default_consume_from = {name: self[name] for name in self}

    def __getitem__(self, name: str) -> Any:
        aliased = self.aliases.get(name) if self.aliases else None
        return super().__getitem__(name) if aliased is None else aliased

    def __setitem__(self, name: str, queue: Any) -> None:
        if self.default_exchange and not queue.exchange:
            queue.exchange = self.default_exchange
        if not queue.routing_key:
            queue.routing_key = self.default_routing_key
        if self.max_priority is not None:
            if queue.queue_arguments is None:
                queue.queue_arguments = {}
            queue.queue_arguments.setdefault("x-max-priority", self.max_priority)
        super().__setitem__(name, queue)
        if queue.alias:
            self.aliases[queue.alias] = queue

    def __missing__(self, name: str) -> Any:
        if not self.create_missing:
            raise KeyError(name)
        return self.add(self.new_missing(name))

    def add(self, queue: Any, **kwargs: Any) -> Any:
        """Add a kombu queue, or one by name with its attributes."""
        return self._add(queue) if isinstance(queue, Queue) else self.add_compat(queue, **kwargs)

    def add_compat(self, name: str, **options: Any) -> Any:
        options.setdefault("routing_key", options.get("binding_key"))
        if options["routing_key"] is None:
            options["routing_key"] = name
        return self._add(Queue.from_dict(name, **options))

    def _add(self, queue: Any) -> Any:
        if self.default_exchange and (queue.exchange is None or queue.exchange.name == ""):
            queue.exchange = self.default_exchange
        self[queue.name] = queue
        return queue

    def new_missing(self, name: str) -> Any:
        kind = self.create_missing_queue_type
        if kind and kind not in ("classic", "quorum"):
            raise ValueError(f"Invalid queue type '{kind}'. Valid types are 'classic' and 'quorum'.")
        exchange_type = self.create_missing_queue_exchange_type
        exchange = Exchange(name, exchange_type) if exchange_type else self.autoexchange(name)
        arguments = {"x-queue-type": "quorum"} if kind == "quorum" else None
        return Queue(name, exchange, name, queue_arguments=arguments)

    @property
    def consume_from(self) -> dict[str, Any]:
        """The queues that workers read."""
        return self._default_consume_from if self._consume_from is None else self._consume_from

    def select(self, include: Any) -> None:
        """Read only these."""
        if include:
            chosen = [self[name] for name in maybe_list(include)]
            self._consume_from = {queue.name: queue for queue in chosen}

    def select_add(self, queue: Any, **kwargs: Any) -> Any:
        """Add a queue and read it too."""
        added = self.add(queue, **kwargs)
        self.consume_from[added.name] = added
        return added

    def deselect(self, exclude: Any) -> None:
        """Read all but these."""
        for name in maybe_list(exclude) or () if exclude else ():
            aliased = self.aliases.get(name)
            self.consume_from.pop(name if aliased is None else aliased.name, None)

    def format(self, indent: int = 0, indent_first: bool = True) -> str:
        active = sorted(self.consume_from.items())
        if not active:
            return ""
        lines = [QUEUE_FORMAT.format(queue) for _, queue in active]
        if indent_first:
            return textindent("\n".join(lines), indent)
        return lines[0] + "\n" + textindent("\n".join(lines[1:]), indent)
