"""Celery's public names over brokerless: ``from brokerless.compat.celery_shim import Celery, shared_task``.

Modules below mirror Celery's. Everything is loaded on first use; importing this package imports neither kombu nor
the engine.
"""

from __future__ import annotations

import sys
from collections import namedtuple
from importlib import import_module
from typing import TYPE_CHECKING, Any

SERIES = "collider"
__version__ = "5.7.0"
__author__ = "The brokerless authors"
__contact__ = "https://github.com/brokerless"
__homepage__ = __contact__
__docformat__ = "restructuredtext"
VERSION_BANNER = f"{__version__} ({SERIES})"

version_info_t = namedtuple("version_info_t", ("major", "minor", "micro", "releaselevel", "serial"))
VERSION = version_info = version_info_t(5, 7, 0, "", "")

__all__ = (
    "Celery",
    "Task",
    "bugreport",
    "chain",
    "chord",
    "chunks",
    "current_app",
    "current_task",
    "group",
    "maybe_signature",
    "shared_task",
    "signature",
    "uuid",
    "xmap",
    "xstarmap",
)

if TYPE_CHECKING:
    from ._state import current_app, current_task
    from .app import shared_task
    from .app.base import Celery
    from .app.task import Task
    from .app.utils import bugreport
    from .canvas import chain, chord, chunks, group, maybe_signature, signature, xmap, xstarmap
    from .utils import uuid

_ORIGINS = {
    "Celery": ".app",
    "bugreport": ".app",
    "shared_task": ".app",
    "Task": ".app.task",
    "current_app": "._state",
    "current_task": "._state",
    "Signature": ".canvas",
    "chain": ".canvas",
    "chord": ".canvas",
    "chunks": ".canvas",
    "group": ".canvas",
    "signature": ".canvas",
    "maybe_signature": ".canvas",
    "subtask": ".canvas",
    "xmap": ".canvas",
    "xstarmap": ".canvas",
    "uuid": ".utils",
}
#: Modules of old that are only views of the current app.
_COMPAT_MODULES = ("execute", "log", "messaging", "registry")


def __getattr__(name: str) -> Any:
    origin = _ORIGINS.get(name)
    if origin is not None:
        value = getattr(import_module(origin, __name__), name)
    elif name == "local" or name in _COMPAT_MODULES:
        value = import_module("." + name, __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, "__file__", "__path__", "__doc__", "__all__", "VERSION", "version_info", "__version__"})


def maybe_patch_concurrency(
    argv: Any = None, short_opts: Any = None, long_opts: Any = None, patches: Any = None
) -> None:
    """Celery patches the interpreter for eventlet and gevent here. Tasks run on threads, so nothing is patched."""
    given = patches or {}
    try:
        pool = _find_option_with_arg(argv or sys.argv, short_opts or ["-P"], long_opts or ["--pool"])
    except (KeyError, IndexError):
        return
    patcher = given.get(pool)
    if patcher is not None:
        patcher()


def _find_option_with_arg(argv: list[str], short_opts: Any = None, long_opts: Any = None) -> str:
    """The value of a command-line option that is given as ``-o value``, ``--option value`` or ``--option=value``."""
    for place, argument in enumerate(argv):
        if long_opts and argument.startswith("--"):
            name, equals, value = argument.partition("=")
            if name in long_opts:
                return value if equals else argv[place + 1]
        elif argument.startswith("-") and short_opts and argument in short_opts:
            return argv[place + 1]
    raise KeyError("|".join([*(short_opts or []), *(long_opts or [])]))
