"""Runs a command in a network namespace of its own, with a redis-server on the port the tests expect.

rq's tests ask for ``Redis()``, port 6379 of this machine. In a namespace that port is free whatever
runs outside, and nothing outside is reached. Needs Linux, root, ``unshare`` and ``redis-server``.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys

MARK = "UPSTREAM_INSIDE"
PORT = 6379
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


def obstacle() -> str | None:
    """Return why a namespace cannot be made here, or None."""
    for program in ("unshare", "redis-server"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
        return "no right to make a network namespace"
    return None


def inside() -> bool:
    """Return whether this process is already in a namespace of its own."""
    return os.environ.get(MARK) == "1"


def again(arguments: list[str]) -> int:
    """Run this module's package once more in a fresh namespace and return its exit code."""
    command = ["unshare", "--net", sys.executable, "-m", "tests.upstream.rq.run", *arguments]
    return subprocess.run(command, env={**os.environ, MARK: "1"}).returncode


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sh", b"lo", 0)
        (flags,) = struct.unpack("16xh", fcntl.ioctl(handle, _SIOCGIFFLAGS, request)[:18])
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | _IFF_UP))


def start_redis() -> subprocess.Popen[str]:
    """Bring up the loopback device and return a redis-server that is ready."""
    _raise_loopback()
    command = ["redis-server", "--port", str(PORT), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert server.stdout is not None
    for line in server.stdout:
        if "Ready to accept connections" in line:
            return server
    raise RuntimeError("redis-server ended before it was ready")
