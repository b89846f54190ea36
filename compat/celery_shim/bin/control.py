"""``celery status``, ``inspect`` and ``control``: questions and commands to the workers of this process."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import click
from kombu.utils.json import dumps

from ..exceptions import CeleryCommandException
from ..platforms import EX_UNAVAILABLE
from ..utils import text
from ..worker.control import Panel
from .base import COMMA_SEPARATED_LIST, CeleryCommand, handle_preload_options, handle_remote_command_error, option
from .reach import needs_workers

_GROUP = "Remote Control Options"


def _remote(command: Any) -> Any:
    """The options of all three."""
    for add in (
        option("-j", "--json", is_flag=True, group=_GROUP, help="Print JSON."),
        option("-d", "--destination", type=COMMA_SEPARATED_LIST, group=_GROUP, help="Names of workers."),
        option("-t", "--timeout", type=float, default=1.0, group=_GROUP, help="Seconds to wait for answers."),
    ):
        command = add(command)
    return command


def _say_reply(ctx: Any, replies: dict[str, Any], show_reply: bool = False) -> None:
    node, reply = next(iter(replies.items()))
    status, body = ctx.obj.pretty(reply)
    title = f"{ctx.obj.style(f'{node}: ', fg='cyan', bold=True)}{status}"
    ctx.obj.say_chat("->", title, text.indent(body, 4) if show_reply else "", show_body=show_reply)


def _commands(kind: str) -> dict[str, Any]:
    """The visible commands of a kind by name, with what is known of them."""
    return {name: meta for name, meta in sorted(Panel.meta.items()) if meta.type == kind and meta.visible}


def _known(kind: str, command: str) -> Any:
    choices = _commands(kind)
    if command not in choices:
        listed = ", ".join(choices)
        raise click.UsageError(f"Command {command} not recognized. Available {kind} commands: {listed}")
    return choices[command]


def _listing(kind: str) -> Any:
    """``--list``: the commands of a kind."""

    def show(ctx: Any, param: Any, value: bool) -> None:
        if not value:
            return
        formatter = click.HelpFormatter()
        with formatter.section(f"{kind.capitalize()} Commands"):
            rows = _commands(kind).items()
            formatter.write_dl([(f"{name} {meta.signature or ''}".rstrip(), meta.help) for name, meta in rows])
        ctx.obj.echo(formatter.getvalue(), nl=False)
        ctx.exit()

    return click.option(
        "--list", is_flag=True, is_eager=True, expose_value=False, callback=show, help=f"Show the {kind} commands."
    )


def _arguments(command: str, meta: Any, given: list[str]) -> dict[str, Any]:
    """The words after a command as its arguments."""

    def named() -> Iterator[tuple[str, Any]]:
        for place, (name, convert) in enumerate(meta.args or ()):
            if place < len(given):
                yield name, given[place] if convert is None else convert(given[place])

    rest = given[len(meta.args or ()) :]
    if rest and not meta.variadic and meta.args:
        raise click.UsageError(f"Command {command!r} takes arguments: {meta.signature}")
    return {**dict(named()), **({meta.variadic: rest} if meta.variadic else {})}


def _finish(ctx: Any, replies: Any, json: bool, count: bool) -> None:
    if not replies:
        raise CeleryCommandException(message="No nodes replied within time constraint", exit_code=EX_UNAVAILABLE)
    if json:
        ctx.obj.echo(dumps(replies))
    elif count:
        ctx.obj.echo(f"\n{len(replies)} {text.pluralize(len(replies), 'node')} online.")


@click.command(cls=CeleryCommand)
@_remote
@click.pass_context
@handle_preload_options
def status(ctx: Any, /, timeout: float, destination: Any, json: bool, **kwargs: Any) -> None:
    """Show which workers of this process run."""
    app = ctx.obj.app
    needs_workers(app)
    callback = None if json else partial(_say_reply, ctx)
    try:
        replies = app.control.inspect(timeout=timeout, destination=destination, callback=callback).ping()
    except Exception as exc:
        handle_remote_command_error("status", exc)
    _finish(ctx, replies, json, count=False)
    ctx.obj.echo(f"\n{len(replies)} {text.pluralize(len(replies), 'node')} online.")


@click.command(cls=CeleryCommand, context_settings={"allow_extra_args": True})
@click.argument("command")
@_listing("inspect")
@_remote
@click.pass_context
@handle_preload_options
def inspect(ctx: Any, /, command: str, timeout: float, destination: Any, json: bool, **kwargs: Any) -> None:
    """Ask the workers of this process; --list shows what can be asked."""
    arguments = _arguments(command, _known("inspect", command), ctx.args)
    app = ctx.obj.app
    needs_workers(app)
    callback = None if json else partial(_say_reply, ctx, show_reply=True)
    try:
        asked = app.control.inspect(timeout=timeout, destination=destination, callback=callback)
        replies = asked._request(command, **arguments)
    except Exception as exc:
        handle_remote_command_error(f"inspect {command}", exc)
    _finish(ctx, replies, json, count=not ctx.obj.quiet)


@click.command(cls=CeleryCommand, context_settings={"allow_extra_args": True})
@click.argument("command")
@_listing("control")
@_remote
@click.pass_context
@handle_preload_options
def control(ctx: Any, /, command: str, timeout: float, destination: Any, json: bool, **kwargs: Any) -> None:
    """Tell the workers of this process what to do; --list shows what can be told."""
    arguments = _arguments(command, _known("control", command), ctx.args)
    app = ctx.obj.app
    needs_workers(app)
    callback = None if json else partial(_say_reply, ctx, show_reply=True)
    try:
        replies = app.control.broadcast(
            command, timeout=timeout, destination=destination, callback=callback, reply=True, arguments=arguments
        )
    except Exception as exc:
        handle_remote_command_error(f"control {command}", exc)
    _finish(ctx, replies, json, count=False)
