"""``Celery``: the app. Configuration, registry of tasks, and the objects that hang on it.

Everything is lazy: the configuration is read when a setting is first needed, tasks are made when the app is
finalized, and nothing here starts a thread.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import threading
import warnings
from collections import UserDict, defaultdict, deque
from collections.abc import Callable
from datetime import datetime
from datetime import timezone as datetime_timezone
from operator import attrgetter
from types import GenericAlias
from typing import Any

from kombu.utils.objects import cached_property

from .. import platforms, signals
from .._state import (
    _announce_app_finalized,
    _deregister_app,
    _register_app,
    _set_current_app,
    _task_stack,
    connect_on_app_finalize,
    get_current_app,
    get_current_worker_task,
    set_default_app,
)
from ..exceptions import DuplicateTaskNameWarning, ImproperlyConfigured
from ..loaders import get_loader_cls
from ..local import PromiseProxy, maybe_evaluate
from ..utils import abstract
from ..utils.collections import AttributeDictMixin
from ..utils.dispatch import Signal
from ..utils.functional import head_from_fun
from ..utils.imports import gen_task_name, instantiate, qualname, symbol_by_name
from ..utils.log import get_logger
from ..utils.objects import mro_lookup
from ..utils.time import timezone, to_utc
from . import backends, builtins  # noqa: F401 - builtins registers the tasks that every app has
from .annotations import prepare as prepare_annotations
from .autoretry import add_autoretry_behaviour
from .defaults import DEFAULT_SECURITY_DIGEST, find_deprecated_settings
from .pydantic_tasks import pydantic_wrapper
from .registry import TaskRegistry
from .sending import Sending
from .utils import (
    AppPickler,
    Settings,
    _new_key_to_old,
    _old_key_to_new,
    _unpickle_app,
    _unpickle_app_v2,
    appstr,
    bugreport,
    detect_settings,
)

__all__ = ("Celery",)

logger = get_logger("celery.app.base")

BUILTIN_FIXUPS = {"celery.fixups.django:fixup"}
#: Set in every Python process below ``python -m brokerless run``.
_BELOW_RUN = "BROKERLESS_ALIASES" in os.environ
#: Set in children of a multiprocessing pool that were started afresh instead of forked.
USING_EXECV = os.environ.get("FORKED_BY_MULTIPROCESSING")

ERR_ENVVAR_NOT_SET = """
The environment variable {0!r} is not set,
and as such the configuration could not be loaded.

Please set this variable and make sure it points to
a valid configuration module.

Example:
    {0}="proj.celeryconfig"
"""
W_DUPTASK = """Task name {0!r} is already registered to a different callable.

Existing: {1}
New:      {2}

{3}

Every task must have a unique name. Pass an explicit name= to the task decorator, or rename one of the callables."""

_PACKAGE = __name__.rpartition(".app.")[0]


def _caller_stacklevel() -> int:
    """Depth of the nearest frame outside this package: where a warning points to."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith((_PACKAGE, "celery.")):
        frame, level = frame.f_back, level + 1
    return level


def _annotations_of(fun: Any) -> Any:
    if sys.version_info >= (3, 14):
        import annotationlib

        try:
            return inspect.get_annotations(fun)
        except NameError:
            return inspect.get_annotations(fun, format=annotationlib.Format.STRING)
    return fun.__annotations__


def task_callable_qualname(task: Any) -> str:
    return qualname(getattr(task, "_decorated_fun", None) or type(task))


def app_has_custom(app: Any, attr: str) -> Any:
    return mro_lookup(app.__class__, attr, stop={Celery, object}, monkey_patched=[__name__])


def _unpickle_appattr(reverse_name: str, args: Any) -> Any:
    return get_current_app()._rgetattr(reverse_name)(*args)


class PendingConfiguration(UserDict, AttributeDictMixin):  # type: ignore[type-arg, misc]
    """The configuration before it is read: writing is remembered, reading loads it."""

    callback: Any = None
    _data: Any = None

    def __init__(self, conf: Any, callback: Callable[[], Any]) -> None:
        object.__setattr__(self, "_data", conf)
        object.__setattr__(self, "callback", callback)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._data[key] = value

    def clear(self) -> None:
        self._data.clear()

    def update(self, *args: Any, **kwargs: Any) -> None:
        self._data.update(*args, **kwargs)

    def setdefault(self, *args: Any, **kwargs: Any) -> Any:
        return self._data.setdefault(*args, **kwargs)

    def __contains__(self, key: Any) -> bool:
        return key in self._data

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return repr(self.data)

    @cached_property
    def data(self) -> Any:
        return self.callback()


class Celery(Sending):
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

    def start_embedded(self, **options: Any) -> Any:
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
        """Run the command line of ``celery``."""
        from ..bin.celery import main

        return main(sys.argv if argv is None else argv, app=self)

    def worker_main(self, argv: Any = None) -> Any:
        """Run ``celery worker``."""
        argv = sys.argv if argv is None else argv
        if "worker" not in argv:
            raise ValueError(
                "The worker sub-command must be specified in argv.\n"
                "Use app.start() to programmatically start other commands."
            )
        return self.start(argv=argv)

    # -- tasks ------------------------------------------------------------------------------------------------------

    def task(self, *args: Any, **opts: Any) -> Any:
        """Decorator: make a task of a function."""
        if USING_EXECV and opts.get("lazy", True):
            from . import shared_task

            return shared_task(*args, **{**opts, "lazy": False})
        if not args:
            return self._task_decorator(**opts)
        if len(args) > 1:
            raise TypeError(f"@task() takes exactly 1 argument ({len(args) + len(opts)} given)")
        if not callable(args[0]):
            raise TypeError("argument 1 to @task() must be a callable")
        return self._task_decorator(**opts)(args[0])

    def _task_decorator(self, shared: bool = True, filter: Any = None, lazy: bool = True, **opts: Any) -> Any:
        def decorate(fun: Any) -> Any:
            if shared:

                def make(app: Any) -> Any:
                    return app._task_from_fun(fun, **opts)

                make.__name__ = fun.__name__
                connect_on_app_finalize(make)
            if lazy and not self.finalized:
                made = PromiseProxy(self._task_from_fun, (fun,), opts, __doc__=fun.__doc__)
                self._pending.append(made)
            else:
                made = self._task_from_fun(fun, **opts)
            return filter(made) if filter else made

        return decorate

    def type_checker(self, fun: Any, bound: bool = False) -> Any:
        return staticmethod(head_from_fun(fun, bound=bound))

    def _task_from_fun(
        self,
        fun: Any,
        name: str | None = None,
        base: Any = None,
        bind: bool = False,
        pydantic: bool = False,
        pydantic_strict: bool = False,
        pydantic_context: Any = None,
        pydantic_dump_kwargs: Any = None,
        **options: Any,
    ) -> Any:
        if not self.finalized and not self.autofinalize:
            raise RuntimeError("Contract breach: app not finalized")
        decorated = fun
        name = name or self.gen_task_name(fun.__name__, fun.__module__)
        base = base or self.Task
        if name in self._tasks:
            existing = self._tasks[name]
            self._warn_if_duplicate_task_name(existing, decorated, name)
            return existing
        dump = None
        if pydantic is True:
            fun = pydantic_wrapper(self, fun, name, pydantic_strict, pydantic_context, pydantic_dump_kwargs)
            dump = staticmethod(functools.partial(fun.dump_arguments, bound=bind))
        run = fun if bind else staticmethod(fun)
        attributes = {
            "app": self,
            "name": name,
            "run": run,
            "_decorated": True,
            "_dump_pydantic_arguments": dump,
            "__doc__": fun.__doc__,
            "__module__": fun.__module__,
            "__annotations__": _annotations_of(fun),
            "__header__": self.type_checker(fun, bound=bind),
            "__wrapped__": run,
            "_decorated_fun": staticmethod(decorated),
            **options,
        }
        task = type(fun.__name__, (base,), attributes)()
        qualified = getattr(fun, "__qualname__", None)
        if qualified is not None:
            task.__qualname__ = qualified
        self._tasks[task.name] = task
        task.bind(self)
        add_autoretry_behaviour(task, **options)
        return task

    def register_task(self, task: Any, **options: Any) -> Any:
        """Register an instance of a task class, or a task class; replaces one of the same name."""
        task = task() if inspect.isclass(task) else task
        if not task.name:
            task.name = self.gen_task_name(type(task).__name__, type(task).__module__)
        existing = self.tasks.get(task.name)
        if existing is not None and existing is not task:
            self._warn_duplicate_task_name(
                task.name,
                task_callable_qualname(existing),
                task_callable_qualname(task),
                "The new callable replaced the existing one; calls under this name now reach the new callable.",
            )
        add_autoretry_behaviour(task, **options)
        self.tasks[task.name] = task
        task._app = self
        task.bind(self)
        return task

    def _warn_if_duplicate_task_name(self, task: Any, fun: Any, name: str) -> None:
        existing = getattr(task, "_decorated_fun", None)
        if existing is not None and existing is not fun:
            self._warn_duplicate_task_name(
                name,
                qualname(existing),
                qualname(fun),
                "The new callable was not registered; calls under this name reach the callable registered first.",
            )

    def _warn_duplicate_task_name(self, name: str, existing: str, new: str, consequence: str) -> None:
        if name not in self._duplicate_task_names_warned:
            self._duplicate_task_names_warned.add(name)
            text = W_DUPTASK.format(name, existing, new, consequence)
            warnings.warn(DuplicateTaskNameWarning(text), stacklevel=_caller_stacklevel())

    def gen_task_name(self, name: str, module: str | None) -> str:
        return gen_task_name(self, name, module)

    def finalize(self, auto: bool = False) -> None:
        """Make all tasks that were decorated so far, and the shared and built-in ones; once."""
        with self._finalize_mutex:
            if self.finalized:
                return
            if auto and not self.autofinalize:
                raise RuntimeError("Contract breach: app not finalized")
            self.finalized = True
            _announce_app_finalized(self)
            while self._pending:
                maybe_evaluate(self._pending.popleft())
            for task in self._tasks.values():
                task.bind(self)
            self.on_after_finalize.send(sender=self)

    @cached_property
    def tasks(self) -> Any:
        """The registry; using it finalizes the app."""
        self.finalize(auto=True)
        return self._tasks

    def autodiscover_tasks(self, packages: Any = None, related_name: str | None = "tasks", force: bool = False) -> Any:
        """Import ``package.tasks`` of every package (of every Django app without packages), when modules are."""
        if force:
            return self._autodiscover_tasks(packages, related_name)

        def discover(*_: Any, **__: Any) -> Any:
            return self._autodiscover_tasks(packages, related_name)

        signals.import_modules.connect(discover, weak=False, sender=self)
        return None

    def _autodiscover_tasks(self, packages: Any, related_name: str | None, **kwargs: Any) -> Any:
        if packages:
            return self._autodiscover_tasks_from_names(packages, related_name)
        return self._autodiscover_tasks_from_fixups(related_name)

    def _autodiscover_tasks_from_names(self, packages: Any, related_name: str | None) -> Any:
        return self.loader.autodiscover_tasks(packages() if callable(packages) else packages, related_name)

    def _autodiscover_tasks_from_fixups(self, related_name: str | None) -> Any:
        found = [
            package
            for fixup in self._fixups
            if hasattr(fixup, "autodiscover_tasks")
            for package in fixup.autodiscover_tasks()
        ]
        return self._autodiscover_tasks_from_names(found, related_name=related_name)

    def signature(self, *args: Any, **kwargs: Any) -> Any:
        """A signature of this app."""
        kwargs["app"] = self
        return self._canvas.signature(*args, **kwargs)

    # -- configuration ----------------------------------------------------------------------------------------------

    @property
    def conf(self) -> Any:
        """The settings."""
        if self._conf is None:
            self._conf = self._load_config()
        return self._conf

    @conf.setter
    def conf(self, d: Any) -> None:
        self._conf = d

    def add_defaults(self, fun: Any) -> Any:
        """Settings below those that are set, above the built-in ones; a mapping or a function that gives one."""
        make = fun if callable(fun) else lambda: fun
        if self.configured:
            return self._conf.add_defaults(make())
        self._pending_defaults.append(make)
        return None

    def config_from_object(
        self, obj: Any, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> Any:
        """Take the settings from an object or a module by its name; read when first needed."""
        self._config_source = obj
        self._config_source_silent = silent
        self.namespace = namespace or self.namespace
        if (force or self.configured) and self.loader.config_from_object(obj, silent=silent):
            self._conf = None
            return self.conf
        return None

    def config_from_envvar(self, variable_name: str, silent: bool = False, force: bool = False) -> Any:
        """Take the settings from the module that an environment variable names."""
        module_name = os.environ.get(variable_name)
        if module_name:
            return self.config_from_object(module_name, silent=silent, force=force)
        if silent:
            return False
        raise ImproperlyConfigured(ERR_ENVVAR_NOT_SET.strip().format(variable_name))

    def config_from_cmdline(self, argv: Any, namespace: str = "celery") -> None:
        self._conf.update(self.loader.cmdline_config_parser(argv, namespace))

    def setup_security(
        self,
        allowed_serializers: Any = None,
        key: Any = None,
        key_password: Any = None,
        cert: Any = None,
        store: Any = None,
        digest: str = DEFAULT_SECURITY_DIGEST,
        serializer: str = "json",
    ) -> Any:
        """Celery signs messages with this; messages here never leave the process."""
        raise ImproperlyConfigured("message signing needs a broker")

    def prepare_config(self, c: Any) -> Any:
        """Hook: the configuration as it was read."""
        return find_deprecated_settings(c)

    def _finalize_pending_conf(self) -> Any:
        try:
            conf = self._conf = self._load_config()
        except AttributeError as exc:
            # an AttributeError in a property would be taken for a missing setting
            raise ModuleNotFoundError(*exc.args) from exc
        return conf

    def _load_config(self) -> Any:
        if isinstance(self.on_configure, Signal):
            self.on_configure.send(sender=self)
        else:
            self.on_configure()
        if self._config_source:
            self.loader.config_from_object(self._config_source, silent=self._config_source_silent)
        self.configured = True
        settings = detect_settings(
            self.prepare_config(self.loader.conf),
            self._preconf,
            ignore_keys=self._preconf_set_by_auto,
            prefix=self.namespace,
        )
        if self._conf is None:
            self._conf = settings
        else:
            self._conf.swap_with(settings)
        while self._pending_defaults:
            self._conf.add_defaults(maybe_evaluate(self._pending_defaults.popleft()()))
        while self._pending_periodic_tasks:
            key, entry, name = self._pending_periodic_tasks.popleft()
            self._add_periodic_task(key, entry, name=name)
        self.on_after_configure.send(sender=self, source=self._conf)
        return self._conf

    def either(self, default_key: str, *defaults: Any) -> Any:
        """The first value that is not None, else the setting."""
        for value in defaults:
            if value is not None:
                return value
        return self.conf.get(default_key)

    @cached_property
    def timezone(self) -> Any:
        conf = self.conf
        if conf.timezone:
            return timezone.get_timezone(conf.timezone)
        return timezone.utc if conf.enable_utc else timezone.local

    def uses_utc_timezone(self) -> bool:
        return bool(self.timezone == timezone.utc)

    def now(self) -> datetime:
        """The time in the app's zone."""
        return to_utc(datetime.now(datetime_timezone.utc)).astimezone(self.timezone)

    def select_queues(self, queues: Any = None) -> Any:
        """Restrict the workers of this process to these queues."""
        return self.amqp.queues.select(queues)

    def bugreport(self) -> str:
        return bugreport(self)

    # -- periodic tasks ---------------------------------------------------------------------------------------------

    def add_periodic_task(
        self, schedule: Any, sig: Any, args: Any = (), kwargs: Any = (), name: str | None = None, **opts: Any
    ) -> str:
        """Add an entry to ``beat_schedule``."""
        key, entry = self._sig_to_periodic_task_entry(schedule, sig, args, kwargs, name, **opts)
        if self.configured:
            self._add_periodic_task(key, entry, name=name)
        else:
            self._pending_periodic_tasks.append((key, entry, name))
        return key

    def _sig_to_periodic_task_entry(
        self, schedule: Any, sig: Any, args: Any = (), kwargs: Any = None, name: str | None = None, **opts: Any
    ) -> tuple[str, dict[str, Any]]:
        kwargs = kwargs or {}
        if isinstance(sig, abstract.CallableSignature):
            sig = sig.clone(args, kwargs)
        else:
            sig = self.signature(sig.name, args, kwargs)
        return name or repr(sig), {
            "schedule": schedule,
            "task": sig.name,
            "args": sig.args,
            "kwargs": sig.kwargs,
            "options": {**sig.options, **opts},
        }

    def _add_periodic_task(self, key: str, entry: Any, name: str | None = None) -> None:
        if name is None and key in self._conf.beat_schedule:
            logger.warning(
                f"Periodic task key='{key}' shadowed a previous unnamed periodic task. Pass a name kwarg to "
                "add_periodic_task to silence this warning."
            )
        self._conf.beat_schedule[key] = entry
        from ..runtime import embedded_beat

        embedded_beat.entry_added(self, key, entry)

    # -- classes bound to the app -----------------------------------------------------------------------------------

    def create_task_cls(self) -> Any:
        return self.subclass_with_self(self.task_cls, name="Task", attribute="_app", keep_reduce=True, abstract=True)

    def subclass_with_self(
        self,
        Class: Any,
        name: str | None = None,
        attribute: str = "app",
        reverse: str | None = None,
        keep_reduce: bool = False,
        **kw: Any,
    ) -> Any:
        """A subclass that knows this app; its instances are pickled as attributes of the app."""
        base = symbol_by_name(Class)
        path = reverse or base.__name__
        attributes = {attribute: self, "__module__": base.__module__, "__doc__": base.__doc__, **kw}
        if not keep_reduce:
            attributes["__reduce__"] = lambda obj: (_unpickle_appattr, (path, obj.__reduce_args__()))
        return type(name or base.__name__, (base,), attributes)

    __class_getitem__ = classmethod(GenericAlias)

    def _rgetattr(self, path: str) -> Any:
        return attrgetter(path)(self)

    def __enter__(self) -> Celery:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {appstr(self)}>"

    def __reduce__(self) -> Any:
        if self._using_v1_reduce:
            return self.__reduce_v1__()
        return _unpickle_app_v2, (self.__class__, self.__reduce_keys__())

    def __reduce_v1__(self) -> Any:
        return _unpickle_app, (self.__class__, self.Pickler, *self.__reduce_args__())

    def __reduce_keys__(self) -> dict[str, Any]:
        return {
            "main": self.main,
            "changes": self._conf.changes if self.configured else self._preconf,
            "loader": self.loader_cls,
            "backend": self.backend_cls,
            "amqp": self.amqp_cls,
            "events": self.events_cls,
            "log": self.log_cls,
            "control": self.control_cls,
            "fixups": self.fixups,
            "config_source": self._config_source,
            "config_source_silent": self._config_source_silent,
            "task_cls": self.task_cls,
            "namespace": self.namespace,
        }

    def __reduce_args__(self) -> Any:
        return (
            self.main,
            self._conf.changes if self.configured else {},
            self.loader_cls,
            self.backend_cls,
            self.amqp_cls,
            self.events_cls,
            self.log_cls,
            self.control_cls,
            False,
            self._config_source,
            self._config_source_silent,
        )

    @cached_property
    def Worker(self) -> Any:
        return self.subclass_with_self("celery.apps.worker:Worker")

    @cached_property
    def WorkController(self) -> Any:
        return self.subclass_with_self("celery.worker:WorkController")

    @cached_property
    def Beat(self) -> Any:
        return self.subclass_with_self("celery.apps.beat:Beat")

    @cached_property
    def Task(self) -> Any:
        return self.create_task_cls()

    @cached_property
    def AsyncResult(self) -> Any:  # type: ignore[override]
        return self.subclass_with_self("celery.result:AsyncResult")

    @cached_property
    def ResultSet(self) -> Any:
        return self.subclass_with_self("celery.result:ResultSet")

    @cached_property
    def GroupResult(self) -> Any:
        return self.subclass_with_self("celery.result:GroupResult")

    # -- objects of the app -----------------------------------------------------------------------------------------

    @cached_property
    def annotations(self) -> Any:
        return prepare_annotations(self.conf.task_annotations)

    @cached_property
    def clock(self) -> Any:
        from kombu.clocks import LamportClock

        return LamportClock()

    @cached_property
    def amqp(self) -> Any:  # type: ignore[override]
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
    def current_worker_task(self) -> Any:  # type: ignore[override]
        """The task that a worker runs on this thread."""
        return get_current_worker_task()

    @cached_property
    def oid(self) -> str:
        from kombu.common import oid_from

        return oid_from(self, threads=False)  # type: ignore[no-any-return]

    @property
    def thread_oid(self) -> str:  # type: ignore[override]
        try:
            return self._local.oid  # type: ignore[no-any-return]
        except AttributeError:
            from kombu.common import oid_from

            self._local.oid = oid_from(self, threads=True)
            return self._local.oid  # type: ignore[no-any-return]

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
    def backend(self) -> Any:  # type: ignore[override]
        """Where results are kept."""
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
    def pool(self) -> Any:  # type: ignore[override]
        """Pool of kombu connections, for code that talks to a broker itself."""
        if self._pool is None:
            from kombu import pools

            self._ensure_after_fork()
            pools.set_limit(self.conf.broker_pool_limit)
            self._pool = pools.connections[self.connection_for_write()]
        return self._pool

    @property
    def producer_pool(self) -> Any:  # type: ignore[override]
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
