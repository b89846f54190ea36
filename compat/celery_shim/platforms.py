"""What Celery knows about the operating system: names, signals, exit codes.

Daemons belong to the process manager here and are not offered.
"""

from __future__ import annotations

import atexit
import math
import numbers
import os
import signal as _signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = (
    "EX_FAILURE",
    "EX_OK",
    "EX_UNAVAILABLE",
    "EX_USAGE",
    "IS_WINDOWS",
    "SYSTEM",
    "IS_macOS",
    "Signals",
    "get_fdmax",
    "ignore_errno",
    "isatty",
    "pyimplementation",
    "signals",
)

EX_OK = getattr(os, "EX_OK", 0)
EX_FAILURE = 1
EX_UNAVAILABLE = getattr(os, "EX_UNAVAILABLE", 69)
EX_USAGE = getattr(os, "EX_USAGE", 64)
EX_CANTCREAT = getattr(os, "EX_CANTCREAT", 73)


def _system() -> str:
    if hasattr(os, "uname"):
        return os.uname().sysname
    import platform

    return platform.system()


SYSTEM = _system()
IS_macOS = SYSTEM == "Darwin"
IS_WINDOWS = SYSTEM == "Windows"


def pyimplementation() -> str:
    """Name of this Python."""
    import platform

    name = getattr(platform, "python_implementation", None)
    if name is not None:
        return name()
    if sys.platform.startswith("java"):
        return f"Jython {sys.platform}"
    pypy = getattr(sys, "pypy_version_info", None)
    return "CPython" if pypy is None else f"PyPy {'.'.join(map(str, pypy))}"


def isatty(fh: Any) -> bool:
    """True if the file is a terminal."""
    try:
        return bool(fh.isatty())
    except AttributeError:
        return False


def get_fdmax(default: Any = None) -> Any:
    """The highest number of a file that may be open."""
    try:
        return os.sysconf("SC_OPEN_MAX")
    except (ValueError, OSError, AttributeError):
        return default


@contextmanager
def ignore_errno(*errnos: Any, **kwargs: Any) -> Iterator[None]:
    """Swallow errors with one of these numbers (or names)."""
    import errno

    numbers_ = {getattr(errno, number) if isinstance(number, str) else number for number in errnos}
    types = kwargs.get("types") or (Exception,)
    try:
        yield
    except types as exc:
        if getattr(exc, "errno", None) not in numbers_:
            raise


class Signals:
    """Signal handlers by short name: ``signals['TERM'] = handler``."""

    ignored = _signal.SIG_IGN
    default = _signal.SIG_DFL

    def arm_alarm(self, seconds: float) -> None:
        _signal.alarm(math.ceil(seconds))

    def reset_alarm(self) -> int:
        return _signal.alarm(0)

    def supported(self, name: Any) -> bool:
        try:
            self.signum(name)
        except AttributeError:
            return False
        return True

    def signum(self, name: Any) -> int:
        if isinstance(name, numbers.Number):
            return int(name)  # type: ignore[call-overload]
        if not isinstance(name, str) or not name.isupper():
            raise TypeError("signal name must be uppercase string.")
        return int(getattr(_signal, name if name.startswith("SIG") else "SIG" + name))

    def __getitem__(self, name: Any) -> Any:
        return _signal.getsignal(self.signum(name))

    def __setitem__(self, name: Any, handler: Any) -> None:
        try:
            _signal.signal(self.signum(name), handler)
        except (AttributeError, ValueError):
            return  # unknown on this system, or not the main thread

    def reset(self, *names: Any) -> None:
        self.update((name, self.default) for name in names)

    def ignore(self, *names: Any) -> None:
        self.update((name, self.ignored) for name in names)

    def update(self, _d_: Any = None, **sigmap: Any) -> None:
        for name, handler in dict(_d_ or {}, **sigmap).items():
            self[name] = handler


signals = Signals()


def create_pidlock(pidfile: str) -> None:
    """Write this process's id into a file, which is removed at exit; SystemExit if another living one is in it."""
    try:
        with open(pidfile) as known:
            other = int(known.read().strip() or 0)
    except (FileNotFoundError, ValueError):
        other = 0
    if other and other != os.getpid() and _lives(other):
        print(
            f"ERROR: {pidfile} names process {other}, which runs. Stop it, or give another --pidfile", file=sys.stderr
        )
        raise SystemExit(EX_CANTCREAT)
    with open(pidfile, "w") as mine:
        mine.write(f"{os.getpid()}\n")
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner and os.path.exists(pidfile):
            os.unlink(pidfile)

    atexit.register(remove)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def strargv(argv: list[str]) -> str:
    rest = argv[1:] if sys.argv and argv and argv[0] == sys.argv[0] else argv
    return " ".join(rest)


def signal_name(signum: int) -> str:
    """Name of a signal without its ``SIG``."""
    return _signal.Signals(signum).name[3:]
