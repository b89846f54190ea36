"""Finding modules, classes and task names."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module, reload
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

#: The file that multiprocessing runs as ``__main__`` in a child on Windows.
MP_MAIN_FILE = os.environ.get("MP_MAIN_FILE")

__all__ = (
    "NotAPackage",
    "cwd_in_path",
    "find_module",
    "gen_task_name",
    "import_from_cwd",
    "instantiate",
    "module_file",
    "qualname",
    "reload_from_cwd",
    "symbol_by_name",
)


_SHIM = __name__.rpartition(".utils.")[0]


def symbol_by_name(
    name: Any,
    aliases: Any = None,
    imp: Any = None,
    package: str | None = None,
    sep: str = ".",
    default: Any = None,
    **kwargs: Any,
) -> Any:
    """An object by its dotted name; ``celery.…`` means this package, with or without the alias in ``sys.modules``."""
    if isinstance(name, str):
        name = (aliases or {}).get(name) or name
        if isinstance(name, str) and name.startswith(("celery.", "celery:")):
            name = _SHIM + name[6:]
    if not isinstance(name, str):
        return name
    place, _, attribute = name.rpartition(":" if ":" in name else sep)
    if not place:
        attribute, place = "", package or attribute
    try:
        try:
            module = (imp or import_module)(place, package=package, **kwargs)
        except ValueError as exc:
            raise ValueError(f"Couldn't import {name!r}: {exc}").with_traceback(exc.__traceback__) from exc
        return getattr(module, attribute) if attribute else module
    except (ImportError, AttributeError):
        if default is None:
            raise
    return default


class NotAPackage(Exception):
    """A dotted name goes through something that is no package."""


def qualname(obj: Any) -> str:
    """Dotted name of a function or class, or of an object's class."""
    named = obj if hasattr(obj, "__name__") or not hasattr(obj, "__class__") else obj.__class__
    name: str = getattr(named, "__qualname__", None) or named.__name__
    return name if "." in name else f"{named.__module__}.{name}"


def instantiate(name: Any, *args: Any, **kwargs: Any) -> Any:
    return symbol_by_name(name)(*args, **kwargs)


@contextmanager
def cwd_in_path() -> Iterator[str | None]:
    """Have the current directory at the front of ``sys.path`` within a block."""
    try:
        cwd = os.getcwd()
    except FileNotFoundError:
        cwd = ""
    if not cwd or cwd in sys.path:
        yield None
        return
    sys.path.insert(0, cwd)
    try:
        yield cwd
    finally:
        with suppress(ValueError):
            sys.path.remove(cwd)


def find_module(module: str, path: Any = None, imp: Any = None) -> Any:
    """Import a module, also from the current directory; says when a parent is no package."""
    load = import_module if imp is None else imp
    with cwd_in_path():
        try:
            return load(module)
        except ImportError:
            parents = module.split(".")[:-1]
            for count in range(1, len(parents) + 1):
                package = ".".join(parents[:count])
                try:
                    found = load(package)
                except ImportError:
                    break
                if not hasattr(found, "__path__"):
                    raise NotAPackage(package) from None
            raise


def import_from_cwd(module: str, imp: Any = None, package: str | None = None) -> Any:
    with cwd_in_path():
        return (import_module if imp is None else imp)(module, package=package)


def reload_from_cwd(module: ModuleType, reloader: Any = None) -> Any:
    with cwd_in_path():
        return (reload if reloader is None else reloader)(module)


def module_file(module: Any) -> str:
    """The source file of a module."""
    name: str = module.__file__
    return name[:-1] if name.endswith(".pyc") else name


def gen_task_name(app: Any, name: str, module_name: str | None) -> str:
    """``module.name``; for the main module the app's name takes its place."""
    place = module_name or "__main__"
    module = sys.modules.get(place)
    if module is not None:
        place = module.__name__
        if MP_MAIN_FILE and module.__file__ == MP_MAIN_FILE:
            place = "__main__"
    if place == "__main__" and app.main:
        place = app.main
    return ".".join(part for part in (place, name) if part)


def _may_offer(namespace: str) -> bool:
    """False only if no installed distribution names that entry-point group.

    Almost always nobody does, and ``importlib.metadata`` takes long to load. Whatever is not a plain folder of
    distributions is left to it.
    """
    for finder in sys.meta_path:
        if finder is not PathFinder and hasattr(finder, "find_distributions"):
            return True
    wanted = namespace.encode()
    for place in sys.path:
        try:
            names = os.listdir(place or ".")
        except (FileNotFoundError, PermissionError):
            continue
        except OSError:
            return True  # a file: packages may lie in it
        for name in names:
            if not name.endswith((".dist-info", ".egg-info", ".egg", ".egg-link")):
                continue
            if name.endswith((".egg", ".egg-link")):
                return True
            try:
                with open(os.path.join(place, name, "entry_points.txt"), "rb") as text:
                    if wanted in text.read():
                        return True
            except OSError:
                continue  # it offers nothing
    return False


@cache
def load_extension_class_names(namespace: str) -> tuple[tuple[str, str], ...]:
    if not _may_offer(namespace):
        return ()
    from importlib.metadata import entry_points

    return tuple((point.name, point.value) for point in entry_points(group=namespace))


def load_extension_classes(namespace: str) -> Iterator[tuple[str, Any]]:
    """The classes that installed packages offer under an entry-point group; broken ones warn."""
    for name, class_name in load_extension_class_names(namespace):
        try:
            cls = symbol_by_name(class_name)
        except (ImportError, SyntaxError) as exc:
            warnings.warn(f"Cannot load {namespace} extension {class_name!r}: {exc!r}", stacklevel=2)
        else:
            yield name, cls
