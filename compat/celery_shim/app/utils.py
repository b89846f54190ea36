"""``app.conf`` (``Settings``), the report of an app, and finding an app by name."""

from __future__ import annotations

import os
import platform as _platform
import re
from collections.abc import Mapping
from copy import deepcopy
from types import ModuleType
from typing import Any, NamedTuple

from ..exceptions import ImproperlyConfigured
from ..utils.collections import ConfigurationView
from ..utils.imports import import_from_cwd, qualname, symbol_by_name
from ..utils.text import pretty
from .defaults import _OLD_DEFAULTS, _OLD_SETTING_KEYS, _TO_NEW_KEY, _TO_OLD_KEY, DEFAULTS, SETTING_KEYS, find
from .urls import sanitize_url

__all__ = ("Settings", "appstr", "bugreport", "filter_hidden_settings", "find_app", "sanitize_url")

BUGREPORT_INFO = """
software -> celery:{celery_v} kombu:{kombu_v} py:{py_v}
            billiard:{billiard_v} {driver_v}
platform -> system:{system} arch:{arch}
            kernel version:{kernel_version} imp:{py_i}
loader   -> {loader}
settings -> transport:{transport} results:{results}

{human_settings}
"""

HIDDEN_SETTINGS = re.compile("API|TOKEN|KEY|SECRET|PASS|PROFANITIES_LIST|SIGNATURE|DATABASE|BEAT_DBURI", re.IGNORECASE)

E_MIX_OLD_INTO_NEW = """

Cannot mix new and old setting keys, please rename the
following settings to the new format:

{renames}

"""
E_MIX_NEW_INTO_OLD = """

Cannot mix new setting names with old setting names, please
rename the following settings to use the old format:

{renames}

Or change all of the settings to use the new format :)

"""
FMT_REPLACE_SETTING = "{replace:<36} -> {with_}"


def appstr(app: Any) -> str:
    """An app in a few words."""
    return f"{app.main or '__main__'} at {id(app):#x}"


class Settings(ConfigurationView):
    """The configuration. Some settings look at the environment or fall back to another."""

    def __init__(self, *args: Any, deprecated_settings: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deprecated_settings = deprecated_settings

    def copy(self) -> Any:
        self.finalize()
        copied = super().copy()
        # __init__ writes the setting into the changes; a copy has it only where the original has
        if "deprecated_settings" in self.changes:
            copied.changes["deprecated_settings"] = self.changes["deprecated_settings"]
        else:
            copied.changes.pop("deprecated_settings", None)
        return copied

    __copy__ = copy

    @property
    def broker_url(self) -> Any:
        return os.environ.get("CELERY_BROKER_URL") or self.first("broker_url", "broker_host")

    @property
    def broker_read_url(self) -> Any:
        return os.environ.get("CELERY_BROKER_READ_URL") or self.get("broker_read_url") or self.broker_url

    @property
    def broker_write_url(self) -> Any:
        return os.environ.get("CELERY_BROKER_WRITE_URL") or self.get("broker_write_url") or self.broker_url

    @property
    def result_backend(self) -> Any:
        return os.environ.get("CELERY_RESULT_BACKEND") or self.first("result_backend", "CELERY_RESULT_BACKEND")

    @property
    def task_default_exchange(self) -> Any:
        return self.first("task_default_exchange", "task_default_queue")

    @property
    def task_default_routing_key(self) -> Any:
        return self.first("task_default_routing_key", "task_default_queue")

    @property
    def timezone(self) -> Any:
        return self.first("timezone", "TIME_ZONE")

    def without_defaults(self) -> Settings:
        return Settings({}, self.maps[:-1])

    def value_set_for(self, key: str) -> bool:
        """True if the setting was set by somebody."""
        self.finalize()
        return key in Settings({}, self.maps[:-1], self._keys, self.prefix)

    def find_option(self, name: str, namespace: str = "") -> Any:
        return find(name, namespace)

    def find_value_for_key(self, name: str, namespace: str = "celery") -> Any:
        """The value of a setting by a part of its name."""
        return self.get_by_parts(*self.find_option(name, namespace)[:-1])

    def get_by_parts(self, *parts: str | None) -> Any:
        return self["_".join(part for part in parts if part)]

    def finalize(self) -> Settings:
        """Load the configuration now: any read does."""
        self.get("__bogus__")
        return self

    def table(self, with_defaults: bool = False, censored: bool = True) -> dict[str, Any]:
        self.finalize()
        shown = self if with_defaults else self.without_defaults()
        members = dir(dict)
        found = {key: value for key, value in shown.items() if not key.startswith("_") and key not in members}
        return filter_hidden_settings(found) if censored else found

    def humanize(self, with_defaults: bool = False, censored: bool = True) -> str:
        table = self.table(with_defaults, censored)
        return "\n".join(f"{key}: {pretty(value, width=50)}" for key, value in table.items())

    def maybe_warn_deprecated_settings(self) -> bool:
        if not self.deprecated_settings:
            return False
        from ..utils import deprecated

        for setting in self.deprecated_settings:
            deprecated.warn(
                description=f"The {setting!r} setting",
                removal="6.0.0",
                alternative=f"Use the {_TO_NEW_KEY[setting]} instead",
            )
        return True


def _new_key_to_old(key: str) -> str:
    return _TO_OLD_KEY.get(key, key)


def _old_key_to_new(key: str) -> str:
    return _TO_NEW_KEY.get(key, key)


class _Naming(NamedTuple):
    """One of the two families of names, and how the other is brought into it."""

    defaults: dict[str, Any]
    convert: dict[str, str]
    mix_error: str


_NEW = _Naming(DEFAULTS, _TO_NEW_KEY, E_MIX_OLD_INTO_NEW)
_OLD = _Naming(_OLD_DEFAULTS, _TO_OLD_KEY, E_MIX_NEW_INTO_OLD)


def detect_settings(
    conf: Any,
    preconf: Any = None,
    ignore_keys: Any = None,
    prefix: str | None = None,
    all_keys: Any = None,
    old_keys: Any = None,
) -> Settings:
    """Settings over a loaded configuration: finds out which names it uses and refuses a mixture."""
    preconf = preconf or {}
    source = conf
    if conf is None:
        source, conf = preconf, {}
    have = set(source.keys()) - (ignore_keys or set())
    new = have & (all_keys or SETTING_KEYS)
    old = have & (old_keys or _OLD_SETTING_KEYS)
    # the larger family wins, the new one when there is nothing to choose
    naming, others = (_OLD, new) if len(old) > len(new) else (_NEW, old)
    if prefix:
        naming, others = _NEW, set()
    wrong = sorted(key for key in others if naming.convert[key] not in have)
    if wrong:
        renames = "\n".join(FMT_REPLACE_SETTING.format(replace=key, with_=naming.convert[key]) for key in wrong)
        raise ImproperlyConfigured(naming.mix_error.format(renames=renames))
    return Settings(
        {naming.convert.get(key, key): value for key, value in preconf.items()},
        [conf, deepcopy(naming.defaults)],
        (_old_key_to_new, _new_key_to_old),
        deprecated_settings=old,
        prefix=prefix,
    )


class AppPickler:
    """The older way to pickle an app; kept for apps that override ``__reduce_args__``."""

    def __call__(self, cls: type, *args: Any) -> Any:
        kwargs = self.build_kwargs(*args)
        app = self.construct(cls, **kwargs)
        self.prepare(app, **kwargs)
        return app

    def prepare(self, app: Any, **kwargs: Any) -> None:
        app.conf.update(kwargs["changes"])

    def build_kwargs(self, *args: Any) -> dict[str, Any]:
        return self.build_standard_kwargs(*args)

    def build_standard_kwargs(
        self,
        main: Any,
        changes: Any,
        loader: Any,
        backend: Any,
        amqp: Any,
        events: Any,
        log: Any,
        control: Any,
        accept_magic_kwargs: Any,
        config_source: Any = None,
        config_source_silent: bool = False,
    ) -> dict[str, Any]:
        return {
            "main": main,
            "loader": loader,
            "backend": backend,
            "amqp": amqp,
            "changes": changes,
            "events": events,
            "log": log,
            "control": control,
            "set_as_current": False,
            "config_source": config_source,
            "config_source_silent": config_source_silent,
        }

    def construct(self, cls: type, **kwargs: Any) -> Any:
        return cls(**kwargs)


def _unpickle_app(cls: type, pickler: type, *args: Any) -> Any:
    return pickler()(cls, *args)


def _unpickle_app_v2(cls: type, kwargs: dict[str, Any]) -> Any:
    return cls(**{**kwargs, "set_as_current": False})


def _censor(key: Any, value: Any, mask: str = "*" * 8) -> Any:
    if isinstance(value, Mapping):
        return filter_hidden_settings(value)
    if not isinstance(key, str):
        return value
    if HIDDEN_SETTINGS.search(key):
        return mask
    if key.lower() in ("broker_url", "broker_read_url", "broker_write_url"):
        from kombu import Connection
        from kombu.utils.url import maybe_sanitize_url

        try:
            return Connection(value).as_uri(mask=mask)
        except (ImportError, AttributeError):
            # The transport's client library is not installed, which a broker that nobody contacts does not ask for.
            return maybe_sanitize_url(value, mask=mask)
    return sanitize_url(value, mask=mask) if "backend" in key.lower() else value


def filter_hidden_settings(conf: Any) -> dict[Any, Any]:
    """The settings with secrets masked."""
    return {key: _censor(key, value) for key, value in conf.items()}


def bugreport(app: Any) -> str:
    """Versions and settings, for a report."""
    import billiard
    import kombu

    from .. import VERSION_BANNER
    from ..platforms import pyimplementation

    try:
        conn = app.connection()
        driver = f"{conn.transport.driver_name}:{conn.transport.driver_version()}"
        transport = conn.transport_cls
    except Exception:
        transport = driver = ""
    return BUGREPORT_INFO.format(
        system=_platform.system(),
        arch=", ".join(filter(None, _platform.architecture())),
        kernel_version=_platform.release(),
        py_i=pyimplementation(),
        celery_v=VERSION_BANNER,
        kombu_v=kombu.__version__,
        billiard_v=billiard.__version__,
        py_v=_platform.python_version(),
        driver_v=driver,
        transport=transport,
        results=sanitize_url(app.conf.result_backend or "disabled"),
        human_settings=app.conf.humanize(),
        loader=qualname(app.loader.__class__),
    )


def _instance(module: Any, name: str) -> Any:
    found = getattr(module, name, None)
    return None if isinstance(found, ModuleType) else found


def find_app(app: str, symbol_by_name: Any = symbol_by_name, imp: Any = import_from_cwd) -> Any:
    """The app that ``-A name`` means: ``module:attribute``, ``module.app``, ``module.celery``, or the only one."""
    from .base import Celery

    try:
        found = symbol_by_name(app, imp=imp)
    except AttributeError:
        found = imp(app)
    if not isinstance(found, ModuleType) or ":" in app:
        return found
    named = _instance(found, "app") or _instance(found, "celery")
    if named is not None:
        return named
    if getattr(found, "__path__", None):
        try:
            return find_app(f"{app}.celery", symbol_by_name=symbol_by_name, imp=imp)
        except ImportError:
            pass
    for suspect in vars(found).values():
        if isinstance(suspect, Celery):
            return suspect
    raise AttributeError(f"module {found.__name__!r} has no attribute 'celery'")
