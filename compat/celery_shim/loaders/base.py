"""``BaseLoader``: reads configurations, imports task modules, and has hooks that a subclass may fill."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from .. import signals
from ..utils.collections import DictAttribute, force_mapping
from ..utils.functional import maybe_list
from ..utils.imports import NotAPackage, find_module, import_from_cwd, symbol_by_name
from ..utils.lean import cached_property

__all__ = ("BaseLoader",)

_RACE_PROTECTION = False

CONFIG_INVALID_NAME = "Error: Module '{module}' doesn't exist, or it's not a valid Python module name.\n"
CONFIG_WITH_SUFFIX = CONFIG_INVALID_NAME + "Did you mean '{suggest}'?\n"

unconfigured: Any = object()
_CAST = re.compile(r"\((\w+)\)")


class BaseLoader:
    """What every loader can do."""

    builtin_modules: frozenset[str] = frozenset()
    configured = False
    override_backends: dict[str, str] = {}
    worker_initialized = False
    _conf: Any = unconfigured

    def __init__(self, app: Any, **kwargs: Any) -> None:
        self.app = app
        self.task_modules: set[str] = set()

    def now(self, utc: bool = True) -> datetime:
        return datetime.now(timezone.utc) if utc else datetime.now()

    def on_task_init(self, task_id: str, task: Any) -> None:
        """Called before a task runs."""

    def on_process_cleanup(self) -> None:
        """Called after a task ran."""

    def on_worker_init(self) -> None:
        """Called when a worker starts."""

    def on_worker_shutdown(self) -> None:
        """Called when a worker stops."""

    def on_worker_process_init(self) -> None:
        """Called when a process of a pool starts."""

    def import_task_module(self, module: str) -> Any:
        self.task_modules.add(module)
        return self.import_from_cwd(module)

    def import_module(self, module: str, package: str | None = None) -> Any:
        return importlib.import_module(module, package=package)

    def import_from_cwd(self, module: str, imp: Any = None, package: str | None = None) -> Any:
        return import_from_cwd(module, self.import_module if imp is None else imp, package=package)

    def import_default_modules(self) -> list[Any]:
        """Import what autodiscovery and the settings ``imports`` and ``include`` name."""
        for _, response in signals.import_modules.send(sender=self.app):
            if isinstance(response, Exception):
                raise response
        return [self.import_task_module(module) for module in self.default_modules]

    def init_worker(self) -> None:
        if not self.worker_initialized:
            self.worker_initialized = True
            self.import_default_modules()
            self.on_worker_init()

    def shutdown_worker(self) -> None:
        self.on_worker_shutdown()

    def init_worker_process(self) -> None:
        self.on_worker_process_init()

    def config_from_object(self, obj: Any, silent: bool = False) -> bool:
        """Take the configuration from an object, or from one by its name."""
        if isinstance(obj, str):
            try:
                obj = self._smart_import(obj, imp=self.import_from_cwd)
            except (ImportError, AttributeError):
                if silent:
                    return False
                raise
        self._conf = force_mapping(obj)
        overrides = self._conf.get("override_backends")
        if overrides is not None:
            self.override_backends = overrides
        return True

    def _smart_import(self, path: str, imp: Any = None) -> Any:
        """``module:attribute`` or ``module``; a dotted name that is no module is taken as an attribute."""
        load = self.import_module if imp is None else imp
        if ":" not in path:
            try:
                return load(path)
            except ImportError:
                pass
        return symbol_by_name(path, imp=load)

    def _import_config_module(self, name: str) -> Any:
        try:
            self.find_module(name)
        except NotAPackage as exc:
            text = CONFIG_INVALID_NAME
            if name.endswith(".py"):
                text = CONFIG_WITH_SUFFIX
            raise NotAPackage(text.format(module=name, suggest=name[:-3])) from exc
        return self.import_from_cwd(name)

    def find_module(self, module: str) -> Any:
        return find_module(module)

    def cmdline_config_parser(
        self,
        args: Iterable[str],
        namespace: str = "celery",
        re_type: Any = _CAST,
        extra_types: Any = None,
        override_types: Any = None,
    ) -> dict[str, Any]:
        """Settings from ``worker.concurrency=3`` and ``x.y=(list)[1]``."""
        from kombu.utils import json

        from ..app.defaults import NAMESPACES, Option

        types = {**Option.typemap, **(extra_types or {"json": json.loads})}
        overrides = override_types or dict.fromkeys(("tuple", "list", "dict"), "json")
        default = namespace and namespace.lower()

        def parse(argument: str) -> tuple[str, Any]:
            key, value = argument.split("=", 1)
            key = key.lower().replace(".", "_")
            group, key = (default, key[1:]) if key[0] == "_" else key.split("_", 1)
            name = f"{group}_{key}" if group else key
            cast = re_type.match(value)
            if cast:
                kind = cast.groups()[0]
                return name, types[overrides.get(kind, kind)](value[len(cast.group()) :])
            try:
                return name, NAMESPACES[group.lower()][key].to_python(value)
            except ValueError as exc:
                raise ValueError(f"{name!r}: {exc}") from exc

        return dict(map(parse, args))

    def read_configuration(self, env: str = "CELERY_CONFIG_MODULE") -> Any:
        name = os.environ.get(env)
        return DictAttribute(self._import_config_module(name)) if name else None

    def autodiscover_tasks(self, packages: Any, related_name: str | None = "tasks") -> None:
        found = autodiscover_tasks(packages or (), related_name)
        self.task_modules.update(module.__name__ for module in found if module)

    @cached_property
    def default_modules(self) -> tuple[str, ...]:
        conf = self.app.conf
        return (*self.builtin_modules, *maybe_list(conf.imports), *maybe_list(conf.include))

    @property
    def conf(self) -> Any:
        if self._conf is unconfigured:
            self._conf = self.read_configuration()
        return self._conf


def autodiscover_tasks(packages: Iterable[str], related_name: str | None = "tasks") -> Any:
    """Import ``related_name`` of every package that has it; not again while it is being done."""
    global _RACE_PROTECTION
    if _RACE_PROTECTION:
        return ()
    _RACE_PROTECTION = True
    try:
        return [find_related_module(package, related_name) for package in packages]
    finally:
        _RACE_PROTECTION = False


def find_related_module(package: str, related_name: str | None) -> Any:
    """``package.related_name``, or None if there is no such module; an error inside it is raised."""
    try:
        module = importlib.import_module(package)
        if not related_name and module:
            return module
    except ModuleNotFoundError:
        # perhaps the path of a class, as in Django's INSTALLED_APPS
        package, _, _ = package.rpartition(".")
        if not package:
            raise
    name = f"{package}.{related_name}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name == name:
            return None
        raise
