"""``celery``: the options before the command, finding the app, the list of commands, commands of other packages."""

from __future__ import annotations

import os
import pathlib
import sys
import traceback
from importlib.metadata import entry_points
from typing import Any

import click

from .. import VERSION_BANNER
from ..app.utils import find_app
from .amqp import amqp
from .base import CeleryCommand, CLIContext, consume_preload_options, option
from .beat import beat
from .call import call
from .control import control, inspect, status
from .events import events
from .graph import graph
from .list import list_
from .logtool import logtool
from .migrate import migrate
from .multi import multi
from .purge import purge
from .result import result
from .shell import shell
from .upgrade import upgrade
from .worker import worker

__all__ = ("celery", "main", "report")

_GLOBAL = "Global Options"
_FAILED = "\nUnable to load celery application.\n"
_AS_SUBCOMMAND_OPTION = """\
{option} belongs before the command:
celery {option} celeryapp {command} <...>"""
_ENVIRONMENT = {
    "loader": "CELERY_LOADER",
    "broker": "CELERY_BROKER_URL",
    "result_backend": "CELERY_RESULT_BACKEND",
    "config": "CELERY_CONFIG_MODULE",
}


class _Group(click.Group):
    """Says where ``-A`` belongs."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            if error.option_name in ("-A", "--app") and error.ctx is not None:
                said = _AS_SUBCOMMAND_OPTION.format(option=error.option_name, command=error.ctx.info_name)
                click.secho(said, err=True, fg="red")
            raise


def _load(ctx: Any, name: str) -> Any:
    """The app that ``-A`` names; ends the command if there is none."""
    try:
        return find_app(name)
    except ModuleNotFoundError as exc:
        if exc.name == name or (exc.name and name.partition(":")[0].startswith(exc.name)):
            ctx.fail(click.style(f"{_FAILED}The module {exc.name} was not found.", fg="red"))
        said = f"{_FAILED}While trying to load the module {name} the following error occurred:\n"
        ctx.fail(click.style(f"{said}{traceback.format_exc()}", fg="red"))
    except AttributeError as exc:
        ctx.fail(click.style(f"{_FAILED}{str(exc.args[0]).capitalize()}"))
    except Exception:
        said = f"{_FAILED}While trying to load the module {name} the following error occurred:\n"
        ctx.fail(click.style(f"{said}{traceback.format_exc()}", fg="red"))


@click.group(cls=_Group, invoke_without_command=True)
# an app object when it comes from app.start(), so click must leave the value alone
@option("-A", "--app", envvar="APP", type=click.UNPROCESSED, group=_GLOBAL)
@option("-b", "--broker", envvar="BROKER_URL", group=_GLOBAL)
@option("--result-backend", envvar="RESULT_BACKEND", group=_GLOBAL)
@option("--loader", envvar="LOADER", group=_GLOBAL)
@option("--config", envvar="CONFIG_MODULE", group=_GLOBAL)
@option(
    "--workdir",
    type=pathlib.Path,
    callback=lambda _, __, folder: os.chdir(folder) if folder else None,
    is_eager=True,
    group=_GLOBAL,
)
@option("-C", "--no-color", envvar="NO_COLOR", is_flag=True, group=_GLOBAL)
@option("-q", "--quiet", is_flag=True, group=_GLOBAL)
@option("--version", is_flag=True, group=_GLOBAL)
@option("--skip-checks", envvar="SKIP_CHECKS", is_flag=True, group=_GLOBAL, help="Do not run Django's checks at start.")
@click.pass_context
def celery(
    ctx: Any, /, app: Any, workdir: Any, no_color: bool, quiet: bool, version: bool, skip_checks: bool, **settings: Any
) -> None:
    """Celery's commands, for tasks that run inside the process that sends them."""
    if version:
        click.echo(VERSION_BANNER)
        ctx.exit()
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        ctx.exit()
    # in the environment, so that the app finds them however it is made
    os.environ.update({_ENVIRONMENT[name]: value for name, value in settings.items() if value})
    if skip_checks:
        os.environ["CELERY_SKIP_CHECKS"] = "true"
    if isinstance(app, str):
        app = _load(ctx, app)
    ctx.obj = CLIContext(app=app, no_color=no_color, workdir=workdir, quiet=quiet)
    _add_user_options(ctx.obj.app)


def _add_user_options(app: Any) -> None:
    for name in ("worker", "beat", "events"):
        _extend(celery.commands[name], app.user_options.get(name, ()))
    preload = app.user_options.get("preload", ())
    for command in celery.commands.values():
        _extend(command, preload)
        if preload:
            command.callback = consume_preload_options(command.callback)


def _extend(command: click.Command, options: Any) -> None:
    """Add options once, however often an app starts a command in one process."""
    command.params += [one for one in options if one not in command.params]


@celery.command(cls=CeleryCommand)
@click.pass_context
def report(ctx: Any, /, **kwargs: Any) -> None:
    """Shows versions and settings, for a bug report."""
    app = ctx.obj.app
    app.loader.import_default_modules()
    ctx.obj.echo(app.bugreport())


for _command in (
    purge,
    call,
    beat,
    list_,
    result,
    migrate,
    status,
    worker,
    events,
    inspect,
    control,
    graph,
    upgrade,
    logtool,
    amqp,
    shell,
    multi,
):
    celery.add_command(_command)


def _broken(name: str, error: Exception) -> click.Command:
    """Stands for a command of another package that cannot be loaded."""

    @click.pass_context
    def tell(ctx: Any, /, **kwargs: Any) -> None:
        click.echo(f"The command {name} cannot be loaded: {error!r}", err=True)
        ctx.exit(1)

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(name, callback=tell, context_settings=settings, help=f"Cannot be loaded: {error!r}")


def _add_plugins() -> None:
    for entry in entry_points(group="celery.commands"):
        try:
            celery.add_command(entry.load())
        except Exception as exc:
            celery.add_command(_broken(entry.name, exc))


_add_plugins()


def main(argv: list[str] | None = None, app: Any = None) -> int | None:
    """Run the command line; without arguments that of the program, which then ends.

    With an app (``app.start``) it returns the exit code instead, None for success; ``argv`` is then what follows the
    program's name.
    """
    if app is None:
        return int(celery.main(args=argv, prog_name="celery", auto_envvar_prefix="CELERY") or 0)
    arguments = sys.argv[1:] if argv is None else list(argv)
    root = celery.params[0]
    root.default = app
    try:
        outcome = celery.main(args=arguments, prog_name="celery", standalone_mode=False)
    finally:
        root.default = None
    return outcome if isinstance(outcome, int) and outcome else None
