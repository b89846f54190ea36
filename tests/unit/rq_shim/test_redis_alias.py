"""``install("rq", redis=True)``: when ``import redis`` is the stand-in, and when it stays what it is.

Each case runs in a process of its own, because imported packages stay imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import brokerless

PRELUDE = """
import sys
from brokerless.compat import alias, install, installed, uninstall
"""


def run(program: str) -> str:
    """What a program prints that has the aliases' module at hand."""
    home = Path(brokerless.__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(home)}
    command = [sys.executable, "-c", PRELUDE + program]
    # from the package's own home: the checkout's folder has a `brokerless` without its compat part
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_stand_in_where_redis_py_is_absent() -> None:
    """Its modules come with it, and ``uninstall`` takes them away again."""
    program = """
alias._is_there = lambda name: False
install("rq", redis=True)
import redis, redis.client, redis.sentinel, rq
from redis.exceptions import WatchError
assert redis.Redis(db=3).ping() and issubclass(WatchError, redis.RedisError)
rq.Queue(connection=redis.Redis.from_url("redis://localhost:6379/3"))
print(redis.__name__, sorted(installed()))
uninstall()
print("redis" in sys.modules)
"""
    assert run(program).splitlines() == ["brokerless.compat.rq_shim.redis ['redis', 'rq']", "False"]


def test_redis_py_stays_where_it_is_installed() -> None:
    """The shim takes its connections as names of a server, so nothing has to stand in for it."""
    assert run("alias._is_there = lambda name: True\ninstall('rq', redis=True)\nprint(installed())") == "['rq']"


def test_never_by_default() -> None:
    """A program without redis-py may test for it by importing it."""
    assert "redis" not in run("alias._is_there = lambda name: False\ninstall()\nprint(installed())")


def test_asked_for_by_name() -> None:
    """Who names it gets the stand-in, also before an installed redis-py."""
    program = "alias._is_there = lambda name: True\ninstall('rq', 'redis')\nimport redis\nprint(redis.__name__)"
    assert run(program) == "brokerless.compat.rq_shim.redis"


def test_after_the_real_one_was_imported() -> None:
    """Two packages of one name in a process would not know each other's exceptions."""
    program = """
import types
sys.modules["redis"] = types.ModuleType("redis")
install("rq", redis=True)
print(installed())
try:
    install("redis")
except alias.AlreadyImported as refused:
    print(str(refused).partition(".")[0])
"""
    lines = run(program).splitlines()
    assert lines[0] == "['rq']"
    assert lines[1].startswith("redis has already been imported")
