"""What the interpreter's exit does with an engine's tasks: the policy, and how long it waits. Carrying it out is the
business of `lifecycle`.
"""

from __future__ import annotations

import os

from .options import patience

__all__ = ["ON_EXIT", "ExitPolicy", "checked_on_exit"]

ON_EXIT = ("drain", "drop", "wait")
"""What an engine may do at the interpreter's exit."""


def checked_on_exit(value: object) -> str:
    """`value` if it is a policy; None is what the environment's BROKERLESS_ON_EXIT says, else "drain"."""
    if value is None:
        value = os.environ.get("BROKERLESS_ON_EXIT") or "drain"
    if value not in ON_EXIT:
        raise ValueError(f"on_exit={value!r}: allowed are {', '.join(map(repr, ON_EXIT))}")
    return str(value)


class ExitPolicy:
    """The attributes of an engine that the exit goes by. Both may be set at any time, and are checked then."""

    _on_exit = "drain"
    _exit_timeout = 10.0

    @property
    def on_exit(self) -> str:
        """What the interpreter's exit does: "drain", "drop" or "wait"."""
        return self._on_exit

    @on_exit.setter
    def on_exit(self, policy: str | None) -> None:
        self._on_exit = checked_on_exit(policy)

    @property
    def exit_timeout(self) -> float:
        """Seconds that the interpreter's exit waits for this engine's tasks, with `on_exit="drain"`; 10 at first."""
        return self._exit_timeout

    @exit_timeout.setter
    def exit_timeout(self, seconds: float) -> None:
        self._exit_timeout = patience("exit_timeout", seconds, optional=False)
