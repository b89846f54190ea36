"""``--uid`` and ``--gid``: become another user before anything of the project runs."""

from __future__ import annotations

import os
from typing import Any

import click

__all__ = ("drop_privileges",)


def _number(value: Any, look_up: Any, what: str) -> int:
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return int(look_up(value)[2])
    except KeyError:
        raise click.UsageError(f"There is no {what} {value!r}") from None


def drop_privileges(uid: Any, gid: Any) -> None:
    """Become a user and a group, given by name or number; the user's own group without a group."""
    if not (uid or gid):
        return
    import grp
    import pwd

    user = _number(uid, pwd.getpwnam, "user") if uid else None
    if gid:
        group = _number(gid, grp.getgrnam, "group")
    else:
        assert user is not None
        group = pwd.getpwuid(user).pw_gid
    try:
        if user is not None and os.getuid() == 0:
            os.initgroups(pwd.getpwuid(user).pw_name, group)
        os.setgid(group)
        if user is not None:
            os.setuid(user)
    except PermissionError as exc:
        raise click.UsageError(f"Only root can become another user or group: {exc}") from exc
