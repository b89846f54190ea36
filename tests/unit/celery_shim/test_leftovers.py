"""What makes sense with a broker only says so where it is used; the remote debugger works."""

from __future__ import annotations

import io
import re
import socket
import threading

import pytest
from brokerless.compat.celery_shim import Celery, Task, security
from brokerless.compat.celery_shim.contrib import rdb
from brokerless.compat.celery_shim.exceptions import ImproperlyConfigured


def test_a_strategy_of_its_own_is_refused() -> None:
    app = Celery("strategies", set_as_current=False)

    class Batches(Task):
        abstract = True
        Strategy = "celery_batches:apply_batches"

    @app.task(base=Batches, shared=False, name="batched")
    def batched() -> None: ...

    with pytest.raises(ImproperlyConfigured, match="reads messages of a broker"):
        batched.delay()


def test_signing_is_refused() -> None:
    app = Celery("signed", set_as_current=False)
    for refused in (app.setup_security, security.setup_security):
        with pytest.raises(ImproperlyConfigured, match="needs a broker"):
            refused()


def test_the_remote_debugger() -> None:
    """A function stops at ``set_trace``; what is asked over the socket is answered; ``c`` lets it go on."""
    announced, result = io.StringIO(), []
    made = threading.Event()

    class Told(io.StringIO):
        def write(self, text: str) -> int:
            done = announced.write(text)
            made.set()
            return done

    def work(secret: int) -> None:
        debugger = rdb.Rdb(port=0, port_search_limit=1, out=Told())
        debugger.set_trace()
        result.append(secret + 1)

    worker = threading.Thread(target=work, args=(41,), daemon=True)
    worker.start()
    assert made.wait(20)
    number = re.search(r"telnet 127.0.0.1 (\d+)", announced.getvalue())
    assert number is not None
    with socket.create_connection(("127.0.0.1", int(number.group(1))), timeout=20) as client:
        client.sendall(b"p secret * 2\nc\n")
        with client.makefile("r") as answers:
            said = answers.read()
    worker.join(20)
    assert "82" in said
    assert result == [42]
    assert announced.getvalue().rstrip().endswith("session ended.")


def test_no_free_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        with pytest.raises(OSError, match="CELERY_RDB_PORT"):
            rdb.Rdb(port=taken.getsockname()[1], port_search_limit=1)
