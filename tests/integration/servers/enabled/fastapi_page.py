"""A FastAPI application with `enable_background_tasks`."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from work import work

from brokerless import enable_background_tasks

app = FastAPI()
tasks = enable_background_tasks(app, workers=2, shutdown_timeout=30)


@app.get("/", response_class=PlainTextResponse)
async def up() -> str:
    return "up"


@app.get("/queue/{number}")
async def queue(number: int) -> dict[str, Any]:
    return {"id": tasks.add_task(work, number, timeout_ms=None).task_id, "pid": os.getpid()}
