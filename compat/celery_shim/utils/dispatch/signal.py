"""``Signal``: who is told when something happens.

A receiver never breaks the sender: what it raises is logged and handed back among the responses.
"""

from __future__ import annotations

import threading
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from ...exceptions import CDeprecationWarning
from ...local import PromiseProxy, Proxy
from ..functional import fun_accepts_kwargs
from ..log import get_logger
from ..time import humanize_seconds

__all__ = ("Signal",)

logger = get_logger("celery.utils.dispatch.signal")


def _make_id(target: Any) -> Any:
    """What a sender or receiver is compared by: identity, except that strings compare by value."""
    if isinstance(target, Proxy):
        target = target._get_current_object()
    if isinstance(target, (str, bytes)):
        return target
    function = getattr(target, "__func__", None)
    if function is None:
        return id(target)
    return id(getattr(target, "__self__", None)), id(function)


def _make_lookup_key(receiver: Any, sender: Any, dispatch_uid: Any) -> tuple[Any, Any]:
    uid = dispatch_uid or getattr(receiver, "_dispatch_uid", None) or _make_id(receiver)
    return uid, _make_id(sender)


NONE_ID = _make_id(None)


def _retrying(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A receiver that is called again, with growing pauses, until it no longer raises."""

    def receiver(*args: Any, **kwargs: Any) -> Any:
        from kombu.utils.functional import retry_over_time

        def on_error(exc: BaseException, intervals: Any, retries: int) -> Any:
            interval = next(intervals)
            when = humanize_seconds(interval, "in", " ")
            logger.error(f"Could not process signal receiver {fun}. Retrying {when}...")
            return interval

        return retry_over_time(fun, Exception, args, kwargs, on_error)

    return receiver


class Signal:
    """A named event with receivers."""

    receivers: list[tuple[Any, Any]] = []

    def __init__(self, providing_args: Any = None, use_caching: bool = False, name: str | None = None) -> None:
        self.receivers = []
        self.providing_args = set(providing_args or ())
        self.lock = threading.Lock()
        self.use_caching = use_caching
        self.name = name
        self.sender_receivers_cache: Any = weakref.WeakKeyDictionary() if use_caching else {}
        self._dead_receivers = False

    def connect(self, *args: Any, **kwargs: Any) -> Any:
        """Connect a receiver: ``connect(fun, sender=…)``, ``@connect`` or ``@connect(sender=…)``."""
        if args and callable(args[0]):
            return self._decorator(*args[1:], **kwargs)(args[0])
        return self._decorator(*args, **kwargs)

    def _decorator(
        self, sender: Any = None, weak: bool = True, dispatch_uid: Any = None, retry: bool = False
    ) -> Callable[[Any], Any]:
        def connect(fun: Any) -> Any:
            keep_weak, uid = weak, dispatch_uid
            if retry:
                # the wrapper has no other owner, and must be found again by the function it wraps
                keep_weak, uid = False, dispatch_uid or _make_id(fun)
                fun = _retrying(fun)
                fun._dispatch_uid = uid
            self._connect_signal(fun, sender, keep_weak, uid)
            return fun

        return connect

    def _connect_proxy(self, fun: Any, sender: Any, weak: bool, dispatch_uid: Any) -> Any:
        return self._connect_signal(fun, sender._get_current_object(), weak, dispatch_uid)

    def _connect_signal(self, receiver: Any, sender: Any, weak: bool, dispatch_uid: Any) -> Any:
        assert callable(receiver), "Signal receivers must be callable"
        if not fun_accepts_kwargs(receiver):
            raise ValueError("Signal receiver must accept keyword arguments.")
        if isinstance(sender, PromiseProxy):
            # connecting must not create the task that the promise stands for
            sender.__then__(self._connect_proxy, receiver, sender, weak, dispatch_uid)
            return receiver
        key = _make_lookup_key(receiver, sender, dispatch_uid)
        if weak:
            owner = getattr(receiver, "__self__", None) if hasattr(receiver, "__func__") else None
            reference = weakref.ref(receiver) if owner is None else weakref.WeakMethod(receiver)
            weakref.finalize(receiver if owner is None else owner, self._remove_receiver)
            receiver = reference
        with self.lock:
            self._clear_dead_receivers()
            if all(known != key for known, _ in self.receivers):
                self.receivers.append((key, receiver))
            self.sender_receivers_cache.clear()
        return receiver

    def disconnect(self, receiver: Any = None, sender: Any = None, weak: Any = None, dispatch_uid: Any = None) -> bool:
        if weak is not None:
            warnings.warn("Passing `weak` to disconnect has no effect.", CDeprecationWarning, stacklevel=2)
        key = _make_lookup_key(receiver, sender, dispatch_uid)
        with self.lock:
            self._clear_dead_receivers()
            before = len(self.receivers)
            self.receivers[:] = [entry for entry in self.receivers if entry[0] != key]
            self.sender_receivers_cache.clear()
            return len(self.receivers) != before

    def has_listeners(self, sender: Any = None) -> bool:
        return bool(self.receivers) and bool(self._live_receivers(sender))

    def send(self, sender: Any, **named: Any) -> list[tuple[Any, Any]]:
        """Call every receiver of ``sender``; gives ``[(receiver, response or exception)]``."""
        responses: list[tuple[Any, Any]] = []
        if not self.receivers:
            return responses
        for receiver in self._live_receivers(sender):
            try:
                response = receiver(signal=self, sender=sender, **named)
            except Exception as exc:
                logger.exception("Signal handler %r raised: %r", receiver, exc)
                response = exc
            responses.append((receiver, response))
        return responses

    send_robust = send

    def _remove_receiver(self, receiver: Any = None) -> None:
        # runs inside garbage collection: taking the lock here could deadlock, so the list is cleaned at the next use
        self._dead_receivers = True

    def _clear_dead_receivers(self) -> None:
        if self._dead_receivers:
            self._dead_receivers = False
            self.receivers[:] = [
                (key, receiver)
                for key, receiver in self.receivers
                if not (isinstance(receiver, weakref.ReferenceType) and receiver() is None)
            ]

    def _live_receivers(self, sender: Any) -> list[Any]:
        cached = None
        if self.use_caching and not self._dead_receivers:
            cached = self.sender_receivers_cache.get(sender)
        if cached is None:
            with self.lock:
                self._clear_dead_receivers()
                wanted = (NONE_ID, _make_id(sender))
                cached = [receiver for (_, of), receiver in self.receivers if of in wanted]
                if self.use_caching:
                    self.sender_receivers_cache[sender] = cached
        live = []
        for receiver in cached:
            if isinstance(receiver, weakref.ReferenceType):
                receiver = receiver()
            if receiver is not None:
                live.append(receiver)
        return live

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name} providing_args={self.providing_args!r}>"

    __str__ = __repr__
