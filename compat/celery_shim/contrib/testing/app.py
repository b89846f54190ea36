"""Apps for tests, and traps for tests that must not depend on the current app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from .....livesets import LiveSet
from ... import _state
from ...app.base import Celery
from ...app.log import Logging

DEFAULT_TEST_CONFIG = {
    "worker_hijack_root_logger": False,
    "worker_log_color": False,
    "accept_content": {"json"},
    "enable_utc": True,
    "timezone": "UTC",
    "broker_url": "memory://",
    "result_backend": "cache+memory://",
    "broker_heartbeat": 0,
}


class Trap:
    """Stands for the current app and refuses to be used."""

    def __getattr__(self, name: str) -> Any:
        if name in ("_is_coroutine", "__func__"):
            return None  # asked by unittest.mock and by proxies, which are not to blame
        print(name)
        raise RuntimeError("Test depends on current_app")


class UnitLogging(Logging):
    """Logging that never touches handlers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.already_setup = True


def TestApp(
    name: str | None = None,
    config: Any = None,
    enable_logging: bool = False,
    set_as_current: bool = False,
    log: Any = UnitLogging,
    backend: Any = None,
    broker: Any = None,
    **kwargs: Any,
) -> Celery:
    """An app with the configuration that tests want."""
    from . import tasks  # noqa: F401 - registers celery.ping

    settings = {**deepcopy(DEFAULT_TEST_CONFIG), **(config or {})}
    if broker is not None:
        settings.pop("broker_url", None)
    if backend is not None:
        settings.pop("result_backend", None)
    app = Celery(
        name or "celery.tests",
        set_as_current=set_as_current,
        log=None if enable_logging else log,
        broker=broker,
        backend=backend,
        **kwargs,
    )
    app.add_defaults(settings)
    return app


TestApp.__test__ = False  # type: ignore[attr-defined]


@contextmanager
def set_trap(app: Any) -> Iterator[None]:
    """Within a block, the use of the current app is an error."""
    trap = Trap()
    before = _state._tls
    _state.set_default_app(trap)

    class NonTLS:
        current_app = trap

    _state._tls = NonTLS()  # type: ignore[assignment]
    try:
        yield
    finally:
        _state._tls = before


@contextmanager
def setup_default_app(app: Any, use_trap: bool = False) -> Iterator[None]:
    """Put everything that apps share in the process back after a block."""
    current, default = _state.get_current_app(), _state.default_app
    finalizers, apps = set(_state._on_app_finalizers), LiveSet(_state._apps)
    try:
        if use_trap:
            with set_trap(app):
                yield
        else:
            yield
    finally:
        _state.set_default_app(default)
        _state._tls.current_app = current
        if app is not current:
            app.close()
        _state._on_app_finalizers = finalizers
        _state._apps = apps
        if app._backend is not None:
            app._backend_cache = None
            app._local.backend = None
