"""`install_signal_handlers()`: SIGTERM and Ctrl-C end the process in the way that lets its tasks be finished.

Nothing here waits for tasks: the interpreter's normal exit does (`lifecycle`). This file sees to it that a signal leads
to a normal exit. It does not run at import, and touches no signal that nobody named.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from . import lifecycle

__all__ = ["install_signal_handlers"]

log = logging.getLogger("brokerless")

_former: dict[int, Any] = {}
"""What handled each signal before."""


def install_signal_handlers(
    signals: Iterable[int] = (signal.SIGTERM, signal.SIGINT),
) -> Callable[[], None]:
    """Lets each of these signals end the process normally, so that the engines' tasks are drained (`on_exit`).

    Where a signal has a handler already (a web server's, your own), that one decides what happens and is called as
    before; once an engine has begun, the signal is then held back from the main thread, so that a server which sends it
    to itself at its end does not die of it before the tasks are done. Where it has none, SystemExit(128 + number) is
    raised in the main thread; SIGINT keeps raising KeyboardInterrupt. An ignored signal stays ignored. A second signal
    cuts the waiting short.

    Call it from the main thread, as late as you can: a handler that is installed afterwards replaces this one.
    Returns a function that puts the former handlers back. Raises RuntimeError in another thread, TypeError for a
    single signal, and ValueError for a number that is no signal or one that cannot be handled.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            f"install_signal_handlers() was called in the thread {threading.current_thread().name!r}, but Python lets "
            "only the main thread set signal handlers: call it where your program starts, or when its module is imported"
        )
    if not isinstance(signals, Iterable):
        raise TypeError(f"install_signal_handlers({signals!r}): expected several signals, such as [{signals!r}]")
    installed: list[signal.Signals] = []

    def restore() -> None:
        for number in installed:
            if signal.getsignal(number) is _handle:
                signal.signal(number, _former.pop(number) or signal.SIG_DFL)

    for number in signals:
        try:
            wanted = signal.Signals(number)
            before = signal.getsignal(wanted)
            if before is _handle or before is signal.SIG_IGN:
                continue
            signal.signal(wanted, _handle)
        except (ValueError, OSError) as error:
            restore()
            raise ValueError(f"signal {number!r} cannot be handled: {error}") from None
        _former[wanted] = before
        installed.append(wanted)
        if before is None:
            log.warning("%s has a handler that Python does not know of; it is replaced", wanted.name)
    return restore


def _handle(number: int, frame: FrameType | None) -> None:
    former = _former.get(number)
    if callable(former):
        if former is not signal.default_int_handler:
            _hold_back(number)
        former(number, frame)
    else:
        raise SystemExit(128 + number)


def _hold_back(number: int) -> None:
    """A server may put the default handler back at its end and send itself the signal once more, which would kill the
    process in the middle of the draining. Blocked in the main thread alone, that signal waits for ever; one from outside
    arrives through another thread."""
    if lifecycle.alive() and hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {number})
