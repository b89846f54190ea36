"""``celery logtool``: reads log files of workers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from fileinput import FileInput
from typing import Any

import click

from .base import CeleryCommand, handle_preload_options

__all__ = ("Audit", "logtool")

_START = re.compile(r"^\[\d{4}-\d\d-\d\d ")
_RECEIVED = re.compile(r"\] (?:Received task: ?|Task )([\w.]+)\[([^]]+)\](?:.*received)?\s*$")
_READY = re.compile(r"\] Task ([\w.]+)\[([^]]+)\] (.+)")

REPORT = """
Report
======
Task total: {total}
Task errors: {errors}
Task success: {succeeded}
Task completed: {completed}
Tasks
=====
{types}
"""


class Audit:
    """What a log says about tasks: which were received, which ended, and how."""

    def __init__(
        self,
        on_task_error: Callable[..., Any] | None = None,
        on_trace: Callable[[str], Any] | None = None,
        on_debug: Callable[[str], Any] | None = None,
    ) -> None:
        self.names: dict[str, str] = {}
        self.results: dict[str, str] = {}
        self.task_types: Counter[str] = Counter()
        self.task_errors = 0
        self.on_task_error, self.on_trace, self.on_debug = on_task_error, on_trace, on_debug
        self._before: str | None = None

    def run(self, files: Iterable[str]) -> Audit:
        """Read files (standard input without any)."""
        with FileInput(files) as lines:
            for line in lines:
                self.feed(line)
        return self

    def feed(self, line: str) -> None:
        """Take in one line."""
        if not _START.match(line):
            if self.on_trace:
                self.on_trace("\n".join(part for part in (self._before, line) if part))
            self._before = None
            return
        self._before = line
        received = _RECEIVED.search(line)
        ready = None if received else _READY.search(line)
        if received:
            name, id = received.groups()
            self.names[id] = name
            self.task_types[name] += 1
        elif ready:
            name, id, said = ready.groups()
            self.results[id] = said
            if "succeeded" not in said:
                self.task_errors += 1
                if self.on_task_error:
                    self.on_task_error(line, name, id, said)
        elif self.on_debug:
            self.on_debug(line)

    def incomplete_tasks(self) -> set[str]:
        """Ids that were received and did not end, or the other way round."""
        return set(self.names) ^ set(self.results)

    def report(self) -> dict[str, Any]:
        completed = len(self.results)
        return {
            "types": "\n".join(f"{name}: {count}" for name, count in self.task_types.most_common()),
            "total": len(self.names),
            "errors": self.task_errors,
            "completed": completed,
            "succeeded": completed - self.task_errors,
        }


@click.group()
@click.pass_context
@handle_preload_options
def logtool(ctx: Any, /) -> None:
    """Read log files of workers."""


def _reads(name: str, help: str) -> Any:
    """A command that gets files."""

    def add(fun: Any) -> Any:
        command = click.pass_context(fun)
        return logtool.command(name, cls=CeleryCommand, help=help)(click.argument("files", nargs=-1)(command))

    return add


@_reads("stats", "Count tasks and errors.")
def stats(ctx: Any, /, files: tuple[str, ...]) -> None:
    ctx.obj.echo(REPORT.format(**Audit().run(files).report()))


@_reads("traces", "Show tracebacks.")
def traces(ctx: Any, /, files: tuple[str, ...]) -> None:
    Audit(on_trace=ctx.obj.echo).run(files)


@_reads("errors", "Show the lines of errors.")
def errors(ctx: Any, /, files: tuple[str, ...]) -> None:
    Audit(on_task_error=lambda line, *_: ctx.obj.echo(line)).run(files)


@_reads("incomplete", "Show tasks that did not end.")
def incomplete(ctx: Any, /, files: tuple[str, ...]) -> None:
    for task_id in sorted(Audit().run(files).incomplete_tasks()):
        ctx.obj.echo(f"Did not complete: {task_id}")


@_reads("debug", "Show what is about no task.")
def debug(ctx: Any, /, files: tuple[str, ...]) -> None:
    Audit(on_debug=ctx.obj.echo).run(files)
