"""A Flask application with `enable_background_tasks` and a schedule that writes down where it ran."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, jsonify
from work import work

from brokerless import enable_background_tasks, every

app = Flask(__name__)
tasks = enable_background_tasks(app, workers=2)


@tasks.task(schedule=every(0.1, name="tick"))
def tick() -> None:
    log = os.open(os.environ["TICKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(log, f"{os.getpid()}\n".encode())
    finally:
        os.close(log)


@app.get("/")
def up() -> str:
    return "up"


@app.get("/queue/<int:number>")
def queue(number: int) -> Any:
    return jsonify(id=tasks.add_task(work, number, timeout_ms=None).task_id, pid=os.getpid())
