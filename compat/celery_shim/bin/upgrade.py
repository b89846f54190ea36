"""``celery upgrade settings``: rewrites a settings file from the old names to those of today."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..app import defaults
from .base import CeleryCommand, handle_preload_options, option

_GROUP = "Upgrading Options"


@click.group()
@click.pass_context
@handle_preload_options
def upgrade(ctx: Any, /) -> None:
    """Upgrade a project to newer names."""


def _same(key: str) -> str:
    return key


def _prefixed(key: str) -> str:
    """As a setting of Django."""
    upper = key.upper()
    return upper if upper.startswith("CELERY") else f"CELERY_{upper}"


def _renamed(line: str, form: Callable[[str], str]) -> str:
    """A line with the first old name in it replaced; the longest is looked for first, as some contain others."""
    for old in sorted(defaults._TO_NEW_KEY, key=len, reverse=True):
        new = line.replace(old, form(defaults._TO_NEW_KEY[old]))
        if new != line and "CELERY_CELERY" not in new:
            return new
    return line


@upgrade.command(cls=CeleryCommand)
@click.argument("filename")
@option("--django", is_flag=True, group=_GROUP, help="Settings of Django: CELERY_ and upper case.")
@option("--compat", is_flag=True, group=_GROUP, help="The same names for a module without Django.")
@option("--no-backup", is_flag=True, group=_GROUP, help="Do not keep the old file.")
def settings(filename: str, django: bool, compat: bool, no_backup: bool) -> None:
    """Rewrite a file of settings; the old one is kept as FILENAME.orig."""
    path = Path(filename)
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise click.UsageError(f"There is no file {filename}") from None
    print(f"processing {filename}...", file=sys.stderr)
    form = _prefixed if django or compat else _same
    changed = "".join(_renamed(line, form) for line in text.splitlines(keepends=True))
    if changed == text:
        print("Does not seem to require any changes :-)")
        return
    if not no_backup:
        print(f"writing backup to {filename}.orig...", file=sys.stderr)
        Path(f"{filename}.orig").write_bytes(text.encode())
    path.write_bytes(changed.encode())
    print("Changes to your setting have been made!")
