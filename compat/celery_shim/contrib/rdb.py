"""``set_trace()`` inside a task: pdb over a socket, because a worker thread has no terminal of its own.

Listens on 127.0.0.1, on the first free port from 6900 (``CELERY_RDB_HOST``, ``CELERY_RDB_PORT``), says where in the log,
and waits for one connection (``telnet 127.0.0.1 6900``). Whoever connects can run any code: keep it local.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from pdb import Pdb
from types import FrameType
from typing import Any

from ..utils.log import get_logger

__all__ = ("CELERY_RDB_HOST", "CELERY_RDB_PORT", "DEFAULT_PORT", "Rdb", "debugger", "set_trace")

DEFAULT_PORT = 6900
CELERY_RDB_HOST = os.environ.get("CELERY_RDB_HOST") or "127.0.0.1"
CELERY_RDB_PORT = int(os.environ.get("CELERY_RDB_PORT") or DEFAULT_PORT)

logger = get_logger("celery.contrib.rdb")
_own = threading.local()


class Rdb(Pdb):
    """A debugger that one connection talks to."""

    def __init__(
        self,
        host: str = CELERY_RDB_HOST,
        port: int = CELERY_RDB_PORT,
        port_search_limit: int = 100,
        port_skew: int = 0,
        out: Any = None,
    ) -> None:
        self.out = out
        self._listening, self.port = self.get_avail_port(host, port, port_search_limit, port_skew)
        where = f"telnet {host} {self.port}"
        self.say(f"Remote debugger of {threading.current_thread().name}: waiting for a connection. Type `{where}`.")
        self._client, address = self._listening.accept()
        # two files: one for both would forget, at each write, what it has read ahead
        self._reads, self._writes = self._client.makefile("r"), self._client.makefile("w")
        self.say(f"Remote debugger: in session with {address[0]}.")
        super().__init__(stdin=self._reads, stdout=self._writes)
        self.prompt = "(rdb) "

    def say(self, text: str) -> None:
        if self.out is not None:
            print(text, file=self.out)
        else:
            logger.warning(text)

    def get_avail_port(self, host: str, port: int, search_limit: int = 100, skew: int = 0) -> tuple[socket.socket, int]:
        """A listening socket on the first free port."""
        for number in range(port + skew, port + skew + search_limit):
            listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listening.bind((host, number))
                listening.listen(1)
            except OSError:
                listening.close()
                continue
            return listening, listening.getsockname()[1]
        raise OSError(
            f"no free port from {port + skew} on in {search_limit} tries; set CELERY_RDB_PORT to another start"
        )

    def _close_session(self) -> None:
        closed: tuple[Any, ...] = (self._reads, self._writes, self._client, self._listening)
        for each in closed:
            try:
                each.close()
            except OSError:
                pass  # whoever debugged has hung up
        _own.debugger = None
        self.say("Remote debugger: session ended.")

    def __enter__(self) -> Rdb:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._close_session()

    def do_continue(self, arg: str) -> Any:
        self.set_continue()
        self._close_session()
        return True

    do_c = do_cont = do_continue

    def do_quit(self, arg: str) -> Any:
        self.set_quit()
        self._close_session()
        return True

    do_q = do_exit = do_quit

    def set_quit(self) -> None:
        # the task goes on: leaving the debugger is no reason to fail it
        sys.settrace(None)


def debugger() -> Rdb:
    """The debugger of this thread; waits for a connection the first time."""
    found: Rdb | None = getattr(_own, "debugger", None)
    if found is None:
        found = _own.debugger = Rdb()
    return found


def set_trace(frame: FrameType | None = None) -> None:
    """Stop here, and let whoever connects look around. Blocks until somebody has connected and continued."""
    debugger().set_trace(sys._getframe().f_back if frame is None else frame)
