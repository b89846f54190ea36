"""``app.amqp``: routes, queues, and the message that stands for a task call.

Messages have Celery's form (protocol 2) and are data only; ``runtime.publisher`` puts them into a queue of this
process. The kombu classes are here for code that talks to a broker itself.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, NamedTuple

from kombu.utils.objects import cached_property

from .. import signals
from ..utils.nodenames import anon_nodename
from ..utils.saferepr import saferepr
from ..utils.time import add_seconds_to_datetime, maybe_make_aware
from . import routes as _routes

__all__ = ("AMQP", "task_message")

#: The smallest number of seconds that Celery accepts.
INT_MIN = -2147483648


class task_message(NamedTuple):
    """A message before it is sent."""

    headers: dict[str, Any]
    properties: dict[str, Any]
    body: Any
    sent_event: dict[str, Any] | None


def utf8dict(d: Mapping[Any, Any], encoding: str = "utf-8") -> dict[str, Any]:
    return {key.decode(encoding) if isinstance(key, bytes) else key: value for key, value in d.items()}


class AMQP:
    """``app.amqp``."""

    _rtable: Any = None
    _producer_pool: Any = None
    autoexchange: Any = None
    #: Longest text of arguments that is sent along for logs.
    argsrepr_maxsize = 1024
    kwargsrepr_maxsize = 1024

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
        ) -> Any:
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
            result = publisher.publish(
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
            return result

        return send_task_message


def _iso(moment: Any) -> Any:
    return moment if isinstance(moment, str) else moment and moment.isoformat()


def _checked(args: Any, kwargs: Any) -> tuple[Any, Any]:
    args, kwargs = args or (), kwargs or {}
    if not isinstance(args, (list, tuple)):
        raise TypeError("task args must be a list or tuple")
    if not isinstance(kwargs, Mapping):
        raise TypeError("task keyword arguments must be a mapping")
    return args, kwargs


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
