"""``celery shell``: a Python console with the app and its tasks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import click

from .base import CeleryCommand, handle_preload_options, option

_GROUP = "Shell Options"
_CANVAS = ("Task", "chord", "group", "chain", "chunks", "xmap", "xstarmap", "subtask", "signature")


def _python(names: dict[str, Any]) -> None:
    import code

    try:
        import readline
        import rlcompleter
    except ImportError:
        pass
    else:
        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab:complete")
    code.interact(local=names)


def _ipython(names: dict[str, Any]) -> None:
    import_module("IPython").start_ipython(argv=[], user_ns=names)


def _bpython(names: dict[str, Any]) -> None:
    import_module("bpython").embed(names)


def _first_there_is(names: dict[str, Any]) -> None:
    for console in (_ipython, _bpython):
        try:
            return console(names)
        except ImportError:
            continue
    return _python(names)


@click.command(cls=CeleryCommand, context_settings={"allow_extra_args": True})
@option("-I", "--ipython", is_flag=True, group=_GROUP, help="Use IPython.")
@option("-B", "--bpython", is_flag=True, group=_GROUP, help="Use bpython.")
@option("--python", is_flag=True, group=_GROUP, help="Use Python's own console.")
@option("-T", "--without-tasks", is_flag=True, group=_GROUP, help="Leave the tasks out.")
@option("--eventlet", is_flag=True, group=_GROUP, help="Not supported: tasks run on threads.")
@option("--gevent", is_flag=True, group=_GROUP, help="Not supported: tasks run on threads.")
@click.pass_context
@handle_preload_options
def shell(
    ctx: Any,
    /,
    ipython: bool = False,
    bpython: bool = False,
    python: bool = False,
    without_tasks: bool = False,
    eventlet: bool = False,
    gevent: bool = False,
    **kwargs: Any,
) -> None:
    """Python console with the app (``app``, ``celery``), the canvas names and the tasks. Tasks run in this process."""
    if eventlet or gevent:
        raise click.UsageError("eventlet and gevent are not supported: tasks run on threads")
    sys.path.insert(0, os.getcwd())
    package = import_module(__package__.rpartition(".")[0])
    app = ctx.obj.app
    app.loader.import_default_modules()
    names = {"app": app, "celery": app, **{name: getattr(package, name) for name in _CANVAS}}
    if not without_tasks:
        names.update({task.__name__: task for task in app.tasks.values() if not task.name.startswith("celery.")})
    wanted: list[tuple[bool, Callable[[dict[str, Any]], None]]]
    wanted = [(python, _python), (bpython, _bpython), (ipython, _ipython), (True, _first_there_is)]
    console = next(console for asked, console in wanted if asked)
    try:
        console(names)
    except ImportError as exc:
        ctx.obj.error(f"{ctx.obj.ERROR}: {exc}")
        ctx.exit(1)
