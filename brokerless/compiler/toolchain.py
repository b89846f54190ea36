"""Finding a C compiler and running it. Knows nothing of Python functions or of the cache.

Order: the command in ``BROKERLESS_CC`` (``none`` switches compiling off), ``cc``, ``gcc``, ``clang``, ziglang's wheel.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import BuildError

FLAGS = [
    "-std=gnu11",
    "-O3",
    "-fPIC",
    "-shared",
    "-fno-builtin",
    "-fno-math-errno",
    "-ffp-contract=off",
    "-fno-fast-math",
    "-fno-strict-aliasing",
]
WARNINGS = ["-Wall", "-Wextra", "-Werror"]
_TIMEOUT = 120.0


@dataclass(frozen=True)
class Toolchain:
    """One compiler. ``identity`` changes when the program behind the command does."""

    command: tuple[str, ...]
    identity: str
    flags: tuple[str, ...] = tuple(FLAGS)

    def with_flags(self, *extra: str) -> Toolchain:
        return Toolchain(self.command, self.identity, (*self.flags, *extra))

    def compile(self, text: str, output: Path) -> None:
        """Writes a shared object, or raises ``BuildError`` with what the compiler said."""
        command = [*self.command, *self.flags, "-x", "c", "-", "-o", str(output)]
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            done = subprocess.run(
                command,
                input=text.encode("ascii"),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                timeout=_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise BuildError(f"the C compiler could not be run: {error}") from None
        if done.returncode != 0:
            said = done.stdout.decode("utf-8", "replace").strip()
            raise BuildError(f"{self.command[0]} failed with {done.returncode}: {said[:2000]}")


def find() -> Toolchain | None:
    """The compiler to use, or None. Looked up anew each time: the environment may have changed."""
    if sys.maxsize < 2**32 or sys.platform == "win32":
        return None
    chosen = os.environ.get("BROKERLESS_CC")
    if chosen is not None:
        command = shlex.split(chosen)
        return None if not command or command == ["none"] else _known(command)
    for name in ("cc", "gcc", "clang"):
        found = _known([name])
        if found is not None:
            return found
    wheel = importlib.util.find_spec("ziglang")
    if wheel is not None:
        # Zig would use what this very CPU has; a cache shared by several machines must not.
        started = _known([sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"])
        # The command is Python's; the program behind it is in the wheel.
        return started and Toolchain(started.command, f"{started.identity} {_stamp(wheel.origin)}")
    return None


def _stamp(module: str | None) -> str:
    try:
        seen = os.stat(Path(module or "").with_name("zig"))
    except (OSError, ValueError):
        return "unknown"
    return f"{seen.st_size} {seen.st_mtime_ns}"


#: Where a command was found, and the program behind it, by command and PATH.
_places: dict[tuple[str, str | None], tuple[str, str]] = {}


def _known(command: list[str]) -> Toolchain | None:
    key = command[0], os.environ.get("PATH")
    if key not in _places or not os.access(_places[key][0], os.X_OK):
        path = shutil.which(command[0])
        if path is None:
            return None
        _places[key] = path, os.path.realpath(path)
    path, real = _places[key]
    try:
        seen = os.stat(real)
    except OSError:
        return None
    identity = f"{real} {seen.st_size} {seen.st_mtime_ns} {' '.join(command[1:])}"
    return Toolchain((path, *command[1:]), identity)
