"""``Celery``: the app, and the objects that hang on it.

Everything is lazy: the configuration is read when a setting is first needed, tasks are made when the app is
finalized, and nothing here starts a thread. Its tasks are in ``registering``, its settings in ``configuring``, its
classes in ``binding``, calls by name and connections in ``sending``.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

from .. import platforms
from .._state import (
    _deregister_app,
    _register_app,
    _set_current_app,
    _task_stack,
    get_current_worker_task,
    set_default_app,
)
from ..loaders import get_loader_cls
from ..utils.dispatch import Signal
from ..utils.imports import instantiate, symbol_by_name
from ..utils.lean import cached_property
from ..utils.log import get_logger
from ..utils.objects import mro_lookup
from . import backends, builtins  # noqa: F401 - builtins registers the tasks that every app has
from .annotations import prepare as prepare_annotations
from .binding import Binding, _unpickle_appattr  # noqa: F401 - older pickles look for it here
from .configuring import Configuring, PendingConfiguration
from .registering import Registering
from .registry import TaskRegistry
from .sending import Sending
from .utils import AppPickler, Settings, _new_key_to_old, _old_key_to_new, appstr

if TYPE_CHECKING:
    from ..runtime.embedded_beat import EmbeddedBeat

__all__ = ("App", "Celery", "PendingConfiguration")

logger = get_logger("celery.app.base")

BUILTIN_FIXUPS = {"celery.fixups.django:fixup"}
#: Set in every Python process below ``python -m brokerless run``.
_BELOW_RUN = "BROKERLESS_ALIASES" in os.environ


def app_has_custom(app: Any, attr: str) -> Any:
    return mro_lookup(app.__class__, attr, stop={Celery, object}, monkey_patched=[__name__])


class Celery(Registering, Configuring, Binding, Sending):
    """An app: its settings, tasks and results."""

    Pickler = AppPickler
    SYSTEM = platforms.SYSTEM
    IS_macOS, IS_WINDOWS = platforms.IS_macOS, platforms.IS_WINDOWS

    main: str | None = None
    user_options: Any = None
    steps: Any = None
    builtin_fixups = BUILTIN_FIXUPS

    amqp_cls: Any = "celery.app.amqp:AMQP"
    backend_cls: Any = None
    events_cls: Any = "celery.app.events:Events"
    loader_cls: Any = None
    log_cls: Any = "celery.app.log:Logging"
    control_cls: Any = "celery.app.control:Control"
    task_cls: Any = "celery.app.task:Task"
    registry_cls: Any = "celery.app.registry:TaskRegistry"

    _local: Any = None
    _fixups: Any = None
    _pool: Any = None
    _conf: Any = None
    _after_fork_registered = False
    closed = False

    #: Signals of this app, made in ``__init__``; ``on_configure`` may also be a method of a subclass.
    on_configure: Any = None
    on_after_configure: Any = None
    on_after_finalize: Any = None
    on_after_fork: Any = None

    def __init__(
        self,
        main: str | None = None,
        loader: Any = None,
        backend: Any = None,
        amqp: Any = None,
        events: Any = None,
        log: Any = None,
        control: Any = None,
        set_as_current: bool = True,
        tasks: Any = None,
        broker: Any = None,
        include: Any = None,
        changes: Any = None,
        config_source: Any = None,
        fixups: Any = None,
        task_cls: Any = None,
        autofinalize: bool = True,
        namespace: str | None = None,
        strict_typing: bool = True,
        config_source_silent: bool = False,
        **kwargs: Any,
    ) -> None:
        self._local = threading.local()
        self._backend_cache: Any = None
        self.main = main
        self.amqp_cls = amqp or self.amqp_cls
        self.events_cls = events or self.events_cls
        self.loader_cls = loader or self._get_default_loader()
        self.log_cls = log or self.log_cls
        self.control_cls = control or self.control_cls
        self._custom_task_cls_used = bool(task_cls) or bool(app_has_custom(self, "task_cls"))
        self.task_cls = task_cls or self.task_cls
        self.set_as_current = set_as_current
        self.registry_cls = symbol_by_name(self.registry_cls)
        self.user_options = defaultdict(set)
        self.steps = defaultdict(set)
        self.autofinalize = autofinalize
        self.namespace = namespace
        self.strict_typing = strict_typing

        self.configured = False
        self._config_source = config_source
        self._config_source_silent = config_source_silent
        self._pending_defaults: deque[Any] = deque()
        self._pending_periodic_tasks: deque[Any] = deque()

        self.finalized = False
        self._finalize_mutex = threading.RLock()
        self._pending: deque[Any] = deque()
        self._duplicate_task_names_warned: set[str] = set()
        self._tasks = tasks if isinstance(tasks, TaskRegistry) else self.registry_cls(tasks or {})
        self._using_v1_reduce = app_has_custom(self, "__reduce_args__")

        self._preconf = changes or {}
        self._preconf_set_by_auto: set[str] = set()
        given = {"broker_url": broker, "result_backend": backend, "include": include, **kwargs}
        for key, value in given.items():
            if value is not None:
                self._preconf[key] = value
                self._preconf_set_by_auto.add(key)
        self._conf = Settings(
            PendingConfiguration(self._preconf, self._finalize_pending_conf),
            prefix=self.namespace,
            keys=(_old_key_to_new, _new_key_to_old),
        )

        self.fixups = set(self.builtin_fixups) if fixups is None else fixups
        self._fixups = [self._install_fixup(fixup) for fixup in self.fixups]

        if self.set_as_current:
            self.set_current()
        if self.on_configure is None:
            self.on_configure = Signal(name="app.on_configure")
        self.on_after_configure = Signal(name="app.on_after_configure", providing_args={"source"})
        self.on_after_finalize = Signal(name="app.on_after_finalize")
        self.on_after_fork = Signal(name="app.on_after_fork")
        self.use_fast_trace_task = False
        self.on_init()
        _register_app(self)
        if _BELOW_RUN:
            from ..runtime import embedded_beat

            embedded_beat.watch(self)

    def _install_fixup(self, fixup: Any) -> Any:
        # Django's does nothing without this variable, and importing it would cost more than the app
        if fixup == "celery.fixups.django:fixup" and not os.environ.get("DJANGO_SETTINGS_MODULE"):
            return None
        return symbol_by_name(fixup)(self)

    def _get_default_loader(self) -> Any:
        return os.environ.get("CELERY_LOADER") or self.loader_cls or "celery.loaders.app:AppLoader"

    def on_init(self) -> None:
        """Called at the end of ``__init__``."""

    def set_current(self) -> None:
        """Make this the current app of the thread."""
        _set_current_app(self)

    def set_default(self) -> None:
        """Make this the app of threads that have no current one."""
        set_default_app(self)

    def close(self) -> None:
        """Forget the app: shared tasks no longer reach it, and what it sent and nobody took is dropped."""
        self._pool = None
        self.closed = True
        _deregister_app(self)
        self.stop_embedded()
        if self.configured and "amqp" in self.__dict__:
            from ..runtime.broker import broker_of

            broker_of(self).forget(self)

    def start_embedded(self, **options: Any) -> EmbeddedBeat:
        """Start beat on a thread of this process, and the default worker, as far as they do not run; gives the beat.

        Options: ``schedule_filename``, ``scheduler_cls`` and ``max_interval`` (seconds), else the ``beat_`` settings.
        Only one process per host and schedule sends the tasks; in the others the thread waits for its end.
        """
        from ..runtime import embedded_beat

        return embedded_beat.start(self, **options)

    def stop_embedded(self) -> None:
        """Stop what ``start_embedded`` started, and write the last runs."""
        from ..runtime import embedded_beat

        embedded_beat.stop(self)

    def start(self, argv: Any = None) -> Any:
        """Run the command line of ``celery``; ``argv`` is what follows the program's name."""
        from ..bin.celery import main

        return main(argv, app=self)

    def worker_main(self, argv: Any = None) -> Any:
        """Run ``celery worker``."""
        argv = sys.argv[1:] if argv is None else argv
        if "worker" not in argv:
            raise ValueError(
                "The worker sub-command must be specified in argv.\n"
                "Use app.start() to programmatically start other commands."
            )
        return self.start(argv=argv)

    def __enter__(self) -> Celery:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {appstr(self)}>"

    # -- objects of the app -----------------------------------------------------------------------------------------

    @cached_property
    def annotations(self) -> Any:
        return prepare_annotations(self.conf.task_annotations)

    @cached_property
    def clock(self) -> Any:
        from kombu.clocks import LamportClock

        return LamportClock()

    @cached_property
    def amqp(self) -> Any:
        return instantiate(self.amqp_cls, app=self)

    @cached_property
    def control(self) -> Any:
        return instantiate(self.control_cls, app=self)

    @cached_property
    def events(self) -> Any:
        return instantiate(self.events_cls, app=self)

    @cached_property
    def loader(self) -> Any:
        return get_loader_cls(self.loader_cls)(app=self)

    @cached_property
    def log(self) -> Any:
        return instantiate(self.log_cls, app=self)

    @cached_property
    def _canvas(self) -> Any:
        from .. import canvas

        return canvas

    @property
    def current_task(self) -> Any:
        """The task that this thread runs."""
        return _task_stack.top

    @property
    def current_worker_task(self) -> Any:
        """The task that a worker runs on this thread."""
        return get_current_worker_task()

    @cached_property
    def oid(self) -> str:
        from kombu.common import oid_from

        return oid_from(self, threads=False)

    @property
    def thread_oid(self) -> str:
        try:
            return self._local.oid
        except AttributeError:
            from kombu.common import oid_from

            self._local.oid = oid_from(self, threads=True)
            return self._local.oid

    @property
    def _backend(self) -> Any:
        return getattr(self._local, "backend", None) if self._backend_cache is None else self._backend_cache

    @_backend.setter
    def _backend(self, backend: Any) -> None:
        # a store that is not thread-safe is made once per thread
        if backend.thread_safe:
            self._backend_cache = backend
        else:
            self._local.backend = backend

    @property
    def backend(self) -> Any:
        """Where results are kept."""
        found = self._backend_cache
        if found is None:
            found = self._backend
        if found is None:
            found = self._backend = self._get_backend()
        return found

    def _get_backend(self) -> Any:
        # without any setting results are kept in this process, where Celery would refuse to give them
        name = self.backend_cls or self.conf.result_backend or "memory://"
        backend, url = backends.by_url(name, self.loader)
        return backend(app=self, url=url)

    @property
    def pool(self) -> Any:
        """Pool of kombu connections, for code that talks to a broker itself."""
        if self._pool is None:
            from kombu import pools

            self._ensure_after_fork()
            pools.set_limit(self.conf.broker_pool_limit)
            self._pool = pools.connections[self.connection_for_write()]
        return self._pool

    @property
    def producer_pool(self) -> Any:
        return self.amqp.producer_pool

    def _ensure_after_fork(self) -> None:
        if not self._after_fork_registered:
            from kombu.utils.compat import register_after_fork

            self._after_fork_registered = True
            if register_after_fork is not None:
                register_after_fork(self, _after_fork_cleanup_app)

    def _after_fork(self) -> None:
        self._pool = None
        amqp = self.__dict__.get("amqp")
        if amqp is not None:
            amqp._producer_pool = None
        self.on_after_fork.send(sender=self)


def _after_fork_cleanup_app(app: Celery) -> None:
    try:
        app._after_fork()
    except Exception as exc:
        logger.info("after forker raised exception: %r", exc, exc_info=True)


App = Celery
