"""Thread-local storage and a background thread, under Celery's names.

Tasks do not run on ``bgThread``: the engine has threads of its own.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import TIMEOUT_MAX as THREAD_TIMEOUT_MAX
from types import GenericAlias
from typing import Any

from ..local import Proxy

try:
    from greenlet import getcurrent as get_ident
except ImportError:
    from _thread import get_ident

__all__ = (
    "Local",
    "LocalManager",
    "LocalStack",
    "bgThread",
    "bound_open_broker_sockets",
    "default_socket_timeout",
    "get_ident",
)

USE_FAST_LOCALS = os.environ.get("USE_FAST_LOCALS")


@contextmanager
def default_socket_timeout(timeout: float | None) -> Iterator[None]:
    """Set the default time limit of new sockets within a block."""
    import socket

    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout)
    try:
        yield
    finally:
        socket.setdefaulttimeout(previous)


def _open_broker_sockets(connection: Any) -> Iterator[Any]:
    try:
        channels = list(getattr(connection.transport, "channels", None) or ())
    except Exception:
        channels = []
    for channel in channels:
        made = getattr(channel, "__dict__", {})
        for name in ("client", "subclient"):
            sock = getattr(getattr(made.get(name), "connection", None), "_sock", None)
            if sock is not None:
                yield sock
    sock = getattr(getattr(connection._connection, "_transport", None), "sock", None)
    if sock is not None:
        yield sock


def bound_open_broker_sockets(connection: Any, timeout: float | None) -> None:
    """Give the open sockets of a kombu connection a time limit; never raises."""
    with suppress(Exception):
        for sock in _open_broker_sockets(connection):
            with suppress(Exception):
                sock.settimeout(timeout)


class bgThread(threading.Thread):
    """A daemon thread that calls ``body`` until ``stop``; a crash of ``body`` ends the process."""

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name or type(self).__name__, daemon=True)
        self.__is_shutdown = threading.Event()
        self.__is_stopped = threading.Event()

    def body(self) -> None:
        raise NotImplementedError

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        print(msg.format(*fmt), file=sys.stderr)
        traceback.print_exc(None, sys.stderr)

    def run(self) -> None:
        try:
            while not self.__is_shutdown.is_set():
                try:
                    self.body()
                except Exception as exc:
                    try:
                        self.on_crash("{0!r} crashed: {1!r}", self.name, exc)
                        self._set_stopped()
                    finally:
                        sys.stderr.flush()
                        os._exit(1)
        finally:
            self._set_stopped()

    def _set_stopped(self) -> None:
        with suppress(TypeError):  # module globals may be gone at interpreter shutdown
            self.__is_stopped.set()

    def stop(self) -> None:
        self.__is_shutdown.set()
        self.__is_stopped.wait()
        if self.is_alive():
            self.join(THREAD_TIMEOUT_MAX)


def release_local(local: Any) -> None:
    local.__release_local__()


class Local:
    """Attributes that each thread (or greenlet) has for itself."""

    __slots__ = ("__ident_func__", "__storage__")

    def __init__(self) -> None:
        object.__setattr__(self, "__storage__", {})
        object.__setattr__(self, "__ident_func__", get_ident)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.__storage__.items())

    def __call__(self, proxy: str) -> Proxy:
        return Proxy(self, proxy)  # type: ignore[arg-type]

    def __release_local__(self) -> None:
        self.__storage__.pop(self.__ident_func__(), None)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__storage__[self.__ident_func__()][name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self.__storage__.setdefault(self.__ident_func__(), {})[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self.__storage__[self.__ident_func__()][name]
        except KeyError:
            raise AttributeError(name) from None


class _LocalStack:
    """A stack per thread."""

    def __init__(self) -> None:
        self._local = Local()

    __class_getitem__: Any = classmethod(GenericAlias)

    def __release_local__(self) -> None:
        self._local.__release_local__()

    @property
    def __ident_func__(self) -> Any:
        return self._local.__ident_func__

    @__ident_func__.setter
    def __ident_func__(self, value: Any) -> None:
        object.__setattr__(self._local, "__ident_func__", value)

    def __call__(self) -> Proxy:
        def lookup() -> Any:
            top = self.top
            if top is None:
                raise RuntimeError("object unbound")
            return top

        return Proxy(lookup)

    def push(self, obj: Any) -> list[Any]:
        stack = getattr(self._local, "stack", None)
        if stack is None:
            stack = self._local.stack = []
        stack.append(obj)
        return stack

    def pop(self) -> Any:
        stack = getattr(self._local, "stack", None)
        if not stack:
            return None
        if len(stack) == 1:
            release_local(self._local)
            return stack[0]
        return stack.pop()

    def __len__(self) -> int:
        return len(self.stack)

    @property
    def stack(self) -> list[Any]:
        return getattr(self._local, "stack", None) or []

    @property
    def top(self) -> Any:
        try:
            return self._local.stack[-1]
        except (AttributeError, IndexError):
            return None


class _FastLocalStack(threading.local):
    """The same on ``threading.local``: no greenlets, and several times as fast."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.push = self.stack.append
        self.pop = self.stack.pop
        super().__init__()

    __class_getitem__: Any = classmethod(GenericAlias)

    @property
    def top(self) -> Any:
        stack = self.stack
        return stack[-1] if stack else None

    def __len__(self) -> int:
        return len(self.stack)


class LocalManager:
    """Releases several locals together."""

    def __init__(self, locals: Any = None, ident_func: Any = None) -> None:
        if locals is None:
            self.locals = []
        else:
            self.locals = [locals] if isinstance(locals, Local) else list(locals)
        self.ident_func = ident_func or get_ident
        if ident_func is not None:
            for local in self.locals:
                object.__setattr__(local, "__ident_func__", ident_func)

    def get_ident(self) -> Any:
        return self.ident_func()

    def cleanup(self) -> None:
        for local in self.locals:
            release_local(local)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} storages: {len(self.locals)}>"


# Greenlets share a thread, so only they need the slower kind.
LocalStack: Any = _FastLocalStack if USE_FAST_LOCALS or get_ident.__module__ != "greenlet" else _LocalStack
