"""The same two pages three times: as a WSGI application, an ASGI application, and a Flask application.

`/queue/<number>` and `/later/<number>` queue one task, at once or in an hour, and answer with its id and the process.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from doors import HOUR, submit


def answer(path: str) -> bytes:
    time.sleep(0.01)  # so that requests side by side reach several processes
    _, page, number = path.split("/")
    task_id = submit(int(number), HOUR if page == "later" else 0.0)
    return json.dumps({"id": task_id, "pid": os.getpid(), "parent": os.getppid()}).encode()


def wsgi(environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environment["PATH_INFO"] == "/":
        body = b"up"
    else:
        body = answer(environment["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[dict[str, Any]], Any]) -> None:
    if scope["type"] != "http":
        raise NotImplementedError("only http")
    body = b"up" if scope["path"] == "/" else answer(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
