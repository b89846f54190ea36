"""``send_task`` and connections: the part of the app that turns a call into a message.

The message goes into this process's queues, see ``runtime.publisher``. Connections are kombu's and are opened only
by code that asks for one.
"""

from __future__ import annotations

import warnings
from datetime import datetime
from types import MethodType
from typing import Any

from ..exceptions import AlwaysEagerIgnored
from ..utils.lean import kombu_errors, maybe_list, uuid
from ..utils.log import get_logger
from ..utils.objects import FallbackContext
from ..utils.time import maybe_iso8601, subtract_datetimes
from .parts import AppParts

__all__ = ("Sending",)

logger = get_logger("celery.app.base")

_OMITTED: Any = object()

W_EXPIRED = """%s has an expiration date in the past (%ss ago).
We assume this is intended and so we have set the expiration date to 0 instead."""


class Sending(AppParts):
    """Mixed into ``Celery``."""

    def send_task(
        self,
        name: str,
        args: Any = None,
        kwargs: Any = None,
        countdown: Any = None,
        eta: Any = None,
        task_id: str | None = None,
        producer: Any = None,
        connection: Any = None,
        router: Any = None,
        result_cls: Any = None,
        expires: Any = _OMITTED,
        publisher: Any = None,
        link: Any = None,
        link_error: Any = None,
        add_to_parent: bool = True,
        group_id: Any = None,
        group_index: Any = None,
        retries: int = 0,
        chord: Any = None,
        reply_to: Any = None,
        time_limit: Any = _OMITTED,
        soft_time_limit: Any = _OMITTED,
        root_id: Any = None,
        parent_id: Any = None,
        route_name: Any = None,
        shadow: Any = None,
        chain: Any = None,
        task_type: Any = None,
        replaced_task_nesting: int = 0,
        **options: Any,
    ) -> Any:
        """Send a task by name; it need not be registered here."""
        amqp, conf = self.amqp, self.conf
        task_id = task_id or uuid()
        if conf.task_always_eager:
            warnings.warn(AlwaysEagerIgnored("task_always_eager has no effect on send_task"), stacklevel=2)
        if task_type is None:
            task_type = self._registered(name)
            options = {**self._own_options(task_type), **options}
        time_limit = _explicit(options, "time_limit", time_limit)
        soft_time_limit = _explicit(options, "soft_time_limit", soft_time_limit)
        expires = _explicit(options, "expires", expires)
        ignore_result = options.pop("ignore_result", None)
        options = (router or amqp.router).route(options, route_name or name, args, kwargs, task_type)
        if expires is not None:
            options["expiration"] = self._seconds_left(task_id, expires)
        if not root_id or not parent_id:
            parent = self.current_worker_task
            if parent:
                request = parent.request
                root_id = root_id or request.root_id or request.id
                parent_id = parent_id or request.id
                if conf.task_inherit_parent_priority:
                    options.setdefault("priority", request.delivery_info.get("priority"))
        message = amqp.create_task_message(
            task_id,
            name,
            args,
            kwargs,
            countdown,
            eta,
            group_id,
            group_index,
            expires,
            retries,
            chord,
            maybe_list(link),
            maybe_list(link_error),
            reply_to or self.thread_oid,
            time_limit,
            soft_time_limit,
            conf.task_send_sent_event,
            root_id,
            parent_id,
            shadow,
            chain,
            ignore_result=ignore_result,
            replaced_task_nesting=replaced_task_nesting,
            **options,
        )
        for stamp in options.pop("stamped_headers", None) or ():
            options.pop(stamp, None)
        if not ignore_result:
            self.backend.on_task_call(producer or publisher, task_id)
        amqp.send_task_message(producer or publisher, name, message, **options)
        result = (result_cls or self.AsyncResult)(task_id)
        result.ignored = ignore_result
        if add_to_parent:
            parent = self.current_worker_task
            if parent:
                parent.add_trail(result)
        return result

    def _registered(self, name: str) -> Any:
        """The task of that name, without finalizing the app; a registry may be any mapping."""
        get = getattr(self._tasks, "get", None)
        if callable(get):
            return get(name)
        try:
            return self._tasks[name]
        except KeyError:
            return None

    def _own_options(self, task: Any) -> dict[str, Any]:
        get = getattr(task, "_get_exec_options", None)
        if not isinstance(get, MethodType):
            return {}
        return {key: value for key, value in (get() or {}).items() if value is not None}

    def _seconds_left(self, task_id: str, expires: Any) -> Any:
        seconds = expires
        if isinstance(expires, (datetime, str)):
            seconds = subtract_datetimes(maybe_iso8601(expires), self.now()).total_seconds()  # type: ignore
        if seconds < 0:
            logger.warning(W_EXPIRED, task_id, -seconds)
            return 0
        return seconds

    # -- connections ------------------------------------------------------------------------------------------------

    def connection_for_read(self, url: Any = None, **kwargs: Any) -> Any:
        return self._connection(url or self.conf.broker_read_url, **kwargs)

    def connection_for_write(self, url: Any = None, **kwargs: Any) -> Any:
        return self._connection(url or self.conf.broker_write_url, **kwargs)

    def connection(
        self,
        hostname: Any = None,
        userid: Any = None,
        password: Any = None,
        virtual_host: Any = None,
        port: Any = None,
        ssl: Any = None,
        connect_timeout: Any = None,
        transport: Any = None,
        transport_options: Any = None,
        heartbeat: Any = None,
        login_method: Any = None,
        failover_strategy: Any = None,
        **kwargs: Any,
    ) -> Any:
        """A kombu connection to the configured broker (``memory://`` without one); not opened yet."""
        return self.connection_for_write(
            hostname or self.conf.broker_write_url,
            userid=userid,
            password=password,
            virtual_host=virtual_host,
            port=port,
            ssl=ssl,
            connect_timeout=connect_timeout,
            transport=transport,
            transport_options=transport_options,
            heartbeat=heartbeat,
            login_method=login_method,
            failover_strategy=failover_strategy,
            **kwargs,
        )

    broker_connection = connection

    def _connection(
        self,
        url: Any,
        userid: Any = None,
        password: Any = None,
        virtual_host: Any = None,
        port: Any = None,
        ssl: Any = None,
        connect_timeout: Any = None,
        transport: Any = None,
        transport_options: Any = None,
        heartbeat: Any = None,
        login_method: Any = None,
        failover_strategy: Any = None,
        **kwargs: Any,
    ) -> Any:
        conf = self.conf
        transport = transport or conf.broker_transport
        return self.amqp.Connection(
            url or (None if transport else "memory://"),
            userid or conf.broker_user,
            password or conf.broker_password,
            virtual_host or conf.broker_vhost,
            port or conf.broker_port,
            transport=transport,
            ssl=self.either("broker_use_ssl", ssl),
            heartbeat=heartbeat,
            login_method=login_method or conf.broker_login_method,
            failover_strategy=failover_strategy or conf.broker_failover_strategy,
            transport_options={**conf.broker_transport_options, **(transport_options or {})},
            connect_timeout=self.either("broker_connection_timeout", connect_timeout),
        )

    def _acquire_connection(self, pool: bool = True) -> Any:
        return self._acquire(self.pool, "connection", "connections are") if pool else self.connection_for_write()

    def _acquire_producer(self, timeout: float | None = None) -> Any:
        return self._acquire(self.producer_pool, "producer", "producer slots are")

    def _acquire(self, pool: Any, what: str, all_of_them: str) -> Any:
        from kombu.exceptions import LimitExceeded

        timeout, limit = self.conf.broker_pool_acquire_timeout, self.conf.broker_pool_limit
        try:
            return pool.acquire(block=True, timeout=timeout)
        except LimitExceeded as exc:
            raise kombu_errors().OperationalError(
                f"Timed out waiting for a broker {what} after {timeout}s. All {limit} {all_of_them} in use. "
                f"Consider increasing broker_pool_limit (currently {limit}) or broker_pool_acquire_timeout "
                f"(currently {timeout}s)."
            ) from exc

    def connection_or_acquire(self, connection: Any = None, pool: bool = True, *_: Any, **__: Any) -> Any:
        return FallbackContext(connection, self._acquire_connection, pool=pool)

    default_connection = connection_or_acquire

    def producer_or_acquire(self, producer: Any = None) -> Any:
        return FallbackContext(producer, self._acquire_producer, timeout=self.conf.broker_pool_acquire_timeout)

    default_producer = producer_or_acquire


def _explicit(options: dict[str, Any], name: str, value: Any) -> Any:
    """A named argument if it was given, else what the options say."""
    said = options.pop(name, None)
    return said if value is _OMITTED else value
