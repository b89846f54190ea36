"""The settings of an app: where they are read from and when, and its periodic tasks. Mixed into ``Celery``."""

from __future__ import annotations

import os
from collections import UserDict
from collections.abc import Callable
from datetime import datetime
from datetime import timezone as datetime_timezone
from typing import Any

from ..exceptions import ImproperlyConfigured
from ..local import maybe_evaluate
from ..utils import abstract
from ..utils.collections import AttributeDictMixin
from ..utils.dispatch import Signal
from ..utils.lean import cached_property
from ..utils.log import get_logger
from ..utils.time import timezone, to_utc
from .defaults import DEFAULT_SECURITY_DIGEST, find_deprecated_settings
from .parts import AppParts
from .utils import bugreport, detect_settings

__all__ = ("Configuring", "PendingConfiguration")

logger = get_logger("celery.app.base")

ERR_ENVVAR_NOT_SET = """
The environment variable {0!r} is not set,
and as such the configuration could not be loaded.

Please set this variable and make sure it points to
a valid configuration module.

Example:
    {0}="proj.celeryconfig"
"""


class PendingConfiguration(UserDict, AttributeDictMixin):
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


class Configuring(AppParts):
    """The settings of an app."""

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
