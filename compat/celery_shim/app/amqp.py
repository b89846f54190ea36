"""``app.amqp``: routes and queues, and how a message gets into one.

What a message holds is in ``task_messages``; ``runtime.publisher`` puts it into a queue of this process. The kombu
classes are here for code that talks to a broker itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import signals
from ..utils.lean import cached_property
from . import routes as _routes
from .task_messages import TaskMessages, task_message

__all__ = ("AMQP", "task_message")


def utf8dict(d: Mapping[Any, Any], encoding: str = "utf-8") -> dict[str, Any]:
    return {key.decode(encoding) if isinstance(key, bytes) else key: value for key, value in d.items()}


class AMQP(TaskMessages):
    """``app.amqp``."""

    _rtable: Any = None
    _producer_pool: Any = None
    autoexchange: Any = None

    def __init__(self, app: Any) -> None:
        self.app = app
        self.task_protocols = {1: self.as_task_v1, 2: self.as_task_v2}
        app._conf.bind_to(self._handle_conf_update)

    def __getattr__(self, name: str) -> Any:
        # kombu's classes, loaded only where somebody asks for them
        if name in ("Connection", "Consumer", "Producer", "BrokerConnection"):
            import kombu

            return getattr(kombu, "Connection" if name == "BrokerConnection" else name)
        raise AttributeError(name)

    @property
    def queues_cls(self) -> Any:
        from .queues import Queues

        return Queues

    def _retry_publish(self, publish: Any, *args: Any, **kwargs: Any) -> Any:
        """Celery repeats a refused publish of a callback here; a queue of this process does not refuse."""
        return publish(*args, **kwargs)

    # -- routes and queues ------------------------------------------------------------------------------------------

    def Queues(
        self,
        queues: Any,
        create_missing: Any = None,
        create_missing_queue_type: Any = None,
        create_missing_queue_exchange_type: Any = None,
        autoexchange: Any = None,
        max_priority: Any = None,
    ) -> Any:
        conf, either = self.app.conf, self.app.either
        routing_key = conf.task_default_routing_key
        if not queues and conf.task_default_queue:
            from kombu import Queue

            quorum = conf.task_default_queue_type == "quorum"
            queues = (
                Queue(
                    conf.task_default_queue,
                    exchange=self.default_exchange,
                    routing_key=routing_key,
                    queue_arguments={"x-queue-type": "quorum"} if quorum else None,
                ),
            )
        return self.queues_cls(
            queues,
            default_exchange=self.default_exchange,
            create_missing=either("task_create_missing_queues", create_missing),
            create_missing_queue_type=either("task_create_missing_queue_type", create_missing_queue_type),
            create_missing_queue_exchange_type=either(
                "task_create_missing_queue_exchange_type", create_missing_queue_exchange_type
            ),
            autoexchange=self.autoexchange if autoexchange is None else autoexchange,
            max_priority=either("task_queue_max_priority", max_priority),
            default_routing_key=routing_key,
        )

    def Router(self, queues: Any = None, create_missing: Any = None) -> Any:
        return _routes.Router(
            self.routes,
            queues or self.queues,
            self.app.either("task_create_missing_queues", create_missing),
            app=self.app,
        )

    def flush_routes(self) -> None:
        self._rtable = _routes.prepare(self.app.conf.task_routes)

    @property
    def routes(self) -> Any:
        if self._rtable is None:
            self.flush_routes()
        return self._rtable

    @cached_property
    def router(self) -> Any:
        return self.Router()

    @cached_property
    def queues(self) -> Any:
        return self.Queues(self.app.conf.task_queues)

    def plain_queue(self) -> str | None:
        """The name of the only queue that the settings name, while nobody has asked for kombu's objects: then nobody
        can have changed them. None where they have to be asked.
        """
        conf = self.app.conf
        if type(self) is not AMQP or conf.task_queues or conf.task_default_exchange_type not in (None, "direct"):
            return None
        if not self.__dict__.keys().isdisjoint(("Queues", "default_queue", "queues", "queues_cls")):
            return None
        name = conf.task_default_queue
        return name if isinstance(name, str) and name else None

    @cached_property
    def default_queue(self) -> Any:
        return self.queues[self.app.conf.task_default_queue]

    @cached_property
    def default_exchange(self) -> Any:
        from kombu import Exchange

        return Exchange(self.app.conf.task_default_exchange, self.app.conf.task_default_exchange_type)

    @cached_property
    def utc(self) -> Any:
        return self.app.conf.enable_utc

    def TaskConsumer(self, channel: Any, queues: Any = None, accept: Any = None, **kw: Any) -> Any:
        """A kombu consumer of task messages, for code that reads a broker itself."""
        return self.Consumer(
            channel,
            accept=self.app.conf.accept_content if accept is None else accept,
            queues=queues or list(self.queues.consume_from.values()),
            **kw,
        )

    @property
    def producer_pool(self) -> Any:
        if self._producer_pool is None:
            from kombu import pools

            self._producer_pool = pools.producers[self.app.connection_for_write()]
            self._producer_pool.limit = self.app.pool.limit
        return self._producer_pool

    publisher_pool = producer_pool

    @cached_property
    def _event_dispatcher(self) -> Any:
        return self.app.events.Dispatcher(enabled=False)

    def _handle_conf_update(self, *args: Any, **kwargs: Any) -> None:
        changed = {**(dict(args[0]) if args else {}), **kwargs}
        if any(key in changed for key in self.app.conf._to_keys("task_routes")):
            self.flush_routes()
            self.router = self.Router()

    # -- messages ---------------------------------------------------------------------------------------------------

    @cached_property
    def create_task_message(self) -> Any:
        """``as_task_v2``, or what ``task_protocol`` says."""
        return self.task_protocols[self.app.conf.task_protocol]

    @cached_property
    def send_task_message(self) -> Any:
        return self._create_task_sender()

    def _create_task_sender(self) -> Any:
        """``send_task_message`` with the settings looked up once."""
        from ..runtime import publisher

        amqp, conf = self, self.app.conf
        default_policy = conf.task_publish_retry_policy

        def send_task_message(
            producer: Any,
            name: str,
            message: task_message,
            exchange: Any = None,
            routing_key: Any = None,
            queue: Any = None,
            event_dispatcher: Any = None,
            retry: Any = None,
            retry_policy: Any = None,
            serializer: Any = None,
            delivery_mode: Any = None,
            compression: Any = None,
            declare: Any = None,
            headers: Any = None,
            exchange_type: Any = None,
            timeout: Any = None,
            confirm_timeout: Any = None,
            **kwargs: Any,
        ) -> None:
            compression = compression or conf.task_compression
            if compression:
                from kombu.compression import get_encoder

                get_encoder(compression)  # nothing is compressed, but a method that nobody knows is refused
            headers2, properties, body, sent_event = message
            if headers:
                headers2.update(headers)
            properties.update(kwargs)
            target = amqp.default_queue if queue is None and exchange is None else queue
            if isinstance(target, str):
                target = amqp.queues[target]
            if exchange_type is None:
                exchange_type = getattr(getattr(target, "exchange", None), "type", "direct")
            if exchange_type == "direct" and not (exchange and routing_key):
                exchange, routing_key = "", getattr(target, "name", routing_key)
            elif exchange is None:
                exchange = target.exchange.name or amqp.default_exchange
                routing_key = routing_key or target.routing_key or conf.task_default_routing_key
            if declare is None and target is not None:
                declare = [target]
            signals.before_task_publish.send(
                sender=name,
                body=body,
                exchange=exchange,
                routing_key=routing_key,
                declare=declare,
                headers=headers2,
                properties=properties,
                retry_policy={**default_policy, **(retry_policy or {})},
            )
            publisher.publish(
                amqp.app,
                body,
                headers2,
                properties,
                queue=target,
                exchange=exchange,
                routing_key=routing_key,
                serializer=serializer or conf.task_serializer,
            )
            signals.after_task_publish.send(
                sender=name, body=body, headers=headers2, exchange=exchange, routing_key=routing_key
            )
            if signals.task_sent.receivers:
                _announce_sent(name, headers2, body)
            if sent_event:
                sent_event.update(
                    queue=getattr(target, "name", None),
                    exchange=getattr(exchange, "name", exchange),
                    routing_key=routing_key,
                )
                (event_dispatcher or amqp._event_dispatcher).publish("task-sent", sent_event, producer)

        return send_task_message


def _announce_sent(name: str, headers: dict[str, Any], body: Any) -> None:
    """The old signal ``task_sent``."""
    if isinstance(body, tuple):
        fields = {"task_id": headers["id"], "args": body[0], "kwargs": body[1]}
        fields.update(eta=headers["eta"], taskset=headers["group"])
    else:
        fields = {key: body[key] for key in ("args", "kwargs", "eta", "taskset")}
        fields["task_id"] = body["id"]
    signals.task_sent.send(sender=name, task=name, **fields)


def __getattr__(name: str) -> Any:
    if name == "Queues":
        from .queues import Queues

        return Queues
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
