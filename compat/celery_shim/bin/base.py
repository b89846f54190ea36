"""What the commands share: the context, groups of options in the help, types of arguments, options of the project.

The names are Celery's: packages that add commands (entry points ``celery.commands``) import them from here.
"""

from __future__ import annotations

import inspect
import json
import numbers
from collections.abc import Callable
from functools import update_wrapper
from pprint import pformat
from typing import Any, NoReturn

import click
from kombu.exceptions import OperationalError

from .._state import get_current_app
from ..exceptions import CeleryCommandException
from ..platforms import EX_UNAVAILABLE
from ..signals import user_preload_options
from ..utils import text
from ..utils.lean import cached_property
from ..utils.log import mlevel
from ..utils.time import maybe_iso8601

__all__ = ("CLIContext", "CeleryCommand", "CeleryDaemonCommand", "CeleryOption", "DaemonOption", "option")


class CLIContext:
    """``ctx.obj``: the app, and how to write to the terminal."""

    def __init__(self, app: Any, no_color: bool, workdir: Any, quiet: bool = False) -> None:
        self.app = app or get_current_app()
        self.no_color, self.workdir, self.quiet = no_color, workdir, quiet

    @cached_property
    def OK(self) -> str:
        return self.style("OK", fg="green", bold=True)

    @cached_property
    def ERROR(self) -> str:
        return self.style("ERROR", fg="red", bold=True)

    def style(self, message: Any = None, **kwargs: Any) -> Any:
        return message if self.no_color else click.style(message, **kwargs)

    def echo(self, message: Any = None, **kwargs: Any) -> None:
        click.echo(message, **{**kwargs, "color": False} if self.no_color else kwargs)

    def secho(self, message: Any = None, **kwargs: Any) -> None:
        (self.echo if self.no_color else click.secho)(message, **kwargs)

    def error(self, message: Any = None, **kwargs: Any) -> None:
        if self.no_color:
            click.echo(message, err=True, color=False)
        else:
            click.secho(message, err=True, **kwargs)

    def pretty(self, n: Any) -> tuple[Any, Any]:
        """An answer of a worker as ``(OK or ERROR, text)``."""
        if isinstance(n, list):
            return self.OK, self.pretty_list(n)
        if isinstance(n, dict):
            if "ok" in n or "error" in n:
                return self.pretty_dict_ok_error(n)
            return self.OK, json.dumps(n, sort_keys=True, indent=4)
        return self.OK, n if isinstance(n, str) else pformat(n)

    def pretty_list(self, n: list[Any]) -> str:
        mark = self.style("*", fg="white")
        return "\n".join(f"{mark} {item}" for item in n) or "- empty -"

    def pretty_dict_ok_error(self, n: dict[str, Any]) -> tuple[Any, str]:
        status, said = (self.OK, n["ok"]) if "ok" in n else (self.ERROR, n["error"])
        return status, text.indent(self.pretty(said)[1], 4)

    def say_chat(self, direction: str, title: str, body: str = "", show_body: bool = False) -> None:
        """A line about a message to a worker or from it."""
        if self.quiet and direction == "<-":
            return
        arrow = "" if self.quiet else f"{self.style(direction, fg='white', bold=True)} "
        self.echo(f"{arrow} {title}")
        if body and show_body:
            self.echo(body)


def handle_remote_command_error(command: str, exc: Exception) -> NoReturn:
    """Raise what a failed command ends with; errors of the command line itself as they are."""
    if isinstance(exc, click.ClickException):
        raise exc
    if isinstance(exc, OperationalError):
        reason = f"The message broker cannot be reached: {exc}"
    else:
        reason = f"Unable to run the `{command}` command. Reason: {exc}"
    raise CeleryCommandException(message=reason, exit_code=EX_UNAVAILABLE) from exc


# -- options that a project adds ------------------------------------------------------------------------------------


def _accepts(fun: Callable[..., Any], name: str) -> bool:
    try:
        parameters = inspect.signature(fun).parameters.values()
    except (TypeError, ValueError):
        return False
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return any(p.kind is p.VAR_KEYWORD or (p.kind in named and p.name == name) for p in parameters)


def _tells_preload(fun: Any, with_context: bool) -> Any:
    """Wrap a command: send ``user_preload_options``, and keep back those that the command does not know."""
    seen, inner = set(), fun
    while inner is not None and id(inner) not in seen:
        if getattr(inner, "_handles_preload_options", False):
            return fun
        seen.add(id(inner))
        inner = getattr(inner, "__wrapped__", None)

    def call(*args: Any, **kwargs: Any) -> Any:
        app = (args[0] if with_context else click.get_current_context()).obj.app
        names = [known.name for known in app.user_options.get("preload", ())]
        options = {name: kwargs[name] for name in names if name in kwargs}
        for name in options:
            if not _accepts(fun, name):
                del kwargs[name]
        if options:
            user_preload_options.send(sender=fun, app=app, options=options)
        return fun(*args, **kwargs)

    wrapped: Any = update_wrapper(call, fun)
    wrapped._handles_preload_options = True
    return wrapped


def handle_preload_options(f: Any) -> Any:
    """Decorator of commands that get the context: the project's preload options go to their signal."""
    return _tells_preload(f, with_context=True)


def consume_preload_options(fun: Any) -> Any:
    """The same for commands of other packages."""
    return None if fun is None else _tells_preload(fun, with_context=False)


# -- options and commands -------------------------------------------------------------------------------------------


class CeleryOption(click.Option):
    """An option with a heading in the help (``help_group``)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.help_group = kwargs.pop("help_group", None)
        self.default_value_from_context = kwargs.pop("default_value_from_context", None)
        super().__init__(*args, **kwargs)

    def get_default(self, ctx: Any, *args: Any, **kwargs: Any) -> Any:
        if self.default_value_from_context:
            self.default = ctx.obj[self.default_value_from_context]
        return super().get_default(ctx, *args, **kwargs)


def option(*names: str, group: str | None = None, **settings: Any) -> Any:
    """Decorator: an option under a heading."""
    return click.option(*names, cls=CeleryOption, help_group=group, **settings)


def setting(name: str) -> Callable[[Any, Any, Any], Any]:
    """Callback of an option whose default is a setting of the app."""
    return lambda ctx, _, value: value or ctx.obj.app.conf[name]


class CeleryCommand(click.Command):
    """A command whose help shows its options under their headings."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[Any]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                groups.setdefault(getattr(param, "help_group", None) or "Options", []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records)


class DaemonOption(CeleryOption):
    """An option whose default is the setting of that name for the command: ``worker_pidfile``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("help_group", "Daemonization Options")
        kwargs.setdefault("callback", self.daemon_setting)
        super().__init__(args, **kwargs)

    def daemon_setting(self, ctx: Any, opt: Any, value: Any) -> Any:
        return value or getattr(ctx.obj.app.conf, f"{ctx.command.name}_{self.name}", None)


class CeleryDaemonCommand(CeleryCommand):
    """A command that runs until it is stopped."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [
            DaemonOption("--logfile", "-f", help="Where the log goes (standard error without it)"),
            DaemonOption("--pidfile", help="File for the process id"),
            DaemonOption("--uid", help="User to become"),
            DaemonOption("--gid", help="Group to become"),
            DaemonOption("--umask", help="Umask of new files, octal"),
            DaemonOption("--executable", help="Another Python; not used here"),
        ]


# -- types of arguments ---------------------------------------------------------------------------------------------


class CommaSeparatedList(click.ParamType):
    """``a,b`` as a list."""

    name = "comma separated list"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return text.str_to_list(value)


class _Json(click.ParamType):
    kind: type
    said: str

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, self.kind):
            return value
        try:
            parsed = json.loads(value)
        except ValueError as exc:
            self.fail(str(exc))
        if not isinstance(parsed, self.kind):
            self.fail(f"{value} was not {self.said}")
        return parsed


class JsonArray(_Json):
    """A JSON array."""

    name, kind, said = "json array", list, "an array"


class JsonObject(_Json):
    """A JSON object."""

    name, kind, said = "json object", dict, "an object"


class ISO8601DateTime(click.ParamType):
    """A moment."""

    name = "iso-86091"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return maybe_iso8601(value)
        except (TypeError, ValueError) as exc:
            self.fail(str(exc))


class ISO8601DateTimeOrFloat(ISO8601DateTime):
    """A moment, or seconds from now."""

    name = "iso-86091 or float"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return float(value)
        except (TypeError, ValueError):
            return super().convert(value, param, ctx)


class LogLevel(click.Choice):
    """A level of logging, as its number."""

    def __init__(self) -> None:
        super().__init__(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "FATAL"))

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, numbers.Integral):
            return value
        return mlevel(super().convert(value.upper(), param, ctx))


JSON_ARRAY, JSON_OBJECT = JsonArray(), JsonObject()
ISO8601, ISO8601_OR_FLOAT = ISO8601DateTime(), ISO8601DateTimeOrFloat()
LOG_LEVEL = LogLevel()
COMMA_SEPARATED_LIST = CommaSeparatedList()
