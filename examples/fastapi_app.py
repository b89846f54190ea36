"""A FastAPI application with background tasks: start, watch, combine and cancel them over HTTP, and follow them live.

Run it with `uvicorn examples.fastapi_app:app`. Each process of the server has tasks of its own, so that one that serves
several processes has to send the questions about a task to the process that runs it; the recurring task runs in one of
them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

from brokerless import QueueFull, TaskResult, current_task, enable_background_tasks, every

app = FastAPI()
tasks = enable_background_tasks(app, workers=4, queue_size=1000)

notices: list[str] = []


class Report(BaseModel):
    pages: int


class Numbers(BaseModel):
    numbers: list[int]


class Text(BaseModel):
    text: str


class Order(BaseModel):
    order: int
    amount: float


@tasks.task(max_retries=1, timeout_ms=10_000, tags=["report"])
async def make_report(pages: int) -> str:
    task = current_task()
    for page in range(pages):
        if task is not None:
            if task.is_cancelled():
                return f"stopped after {page} pages"
            task.set_progress(page + 1, pages, "writing")
        await asyncio.sleep(0.01)
    return f"report of {pages} pages"


@tasks.task(schedule=every(3600))
def forget_notices() -> None:
    del notices[:-1000]


def square(number: int) -> int:
    return number * number


def words(text: str) -> list[str]:
    return text.lower().split()


def count(found: list[str]) -> dict[str, int]:
    return {word: found.count(word) for word in sorted(set(found))}


def charge(order: int, amount: float) -> str:
    if amount <= 0:
        raise ValueError(f"order {order}: nothing to charge")
    return f"order {order}: {amount:.2f} charged"


def known(task_id: str) -> TaskResult:
    handle = tasks.get_task_by_id(task_id)
    if handle is None:
        raise HTTPException(404, f"no task {task_id} in this process")
    return handle


@app.exception_handler(QueueFull)
async def full(request: Request, error: QueueFull) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 503, {"Retry-After": "1"})


@app.post("/reports", status_code=202)
async def start_report(report: Report) -> dict[str, Any]:
    return {"task_id": make_report.delay(report.pages).task_id}


@app.post("/tasks/batch", status_code=202)
async def start_batch(given: Numbers) -> dict[str, Any]:
    handles = tasks.add_batch([{"func": square, "args": (number,)} for number in given.numbers])
    return {"task_ids": [handle.task_id for handle in handles]}


@app.post("/tasks/chain", status_code=202)
async def start_chain(given: Text) -> dict[str, Any]:
    return {"task_id": tasks.chain_tasks([{"func": words, "args": (given.text,)}, count]).task_id}


@app.post("/orders", status_code=202)
async def order(given: Order) -> dict[str, Any]:
    handle = tasks.add_task(charge, given.order, given.amount, priority="high", max_retries=0)
    handle.on_success(notices.append).on_error(lambda error: notices.append(f"failed: {error}"))
    return {"task_id": handle.task_id}


@app.get("/notices")
async def show_notices() -> list[str]:
    return notices


@app.get("/tasks/stats")
async def stats() -> dict[str, Any]:
    return tasks.get_stats().to_dict()


@app.get("/tasks/health")
async def health() -> JSONResponse:
    now = tasks.get_stats()
    well = not tasks.closed and now.stuck_workers < max(1, now.total_workers)
    shown = {"healthy": well, "queued": now.queued_tasks, "workers": now.total_workers, "pid": now.pid}
    return JSONResponse(shown, 200 if well else 503)


@app.get("/tasks/worker/{worker_id}")
async def worker(worker_id: int) -> dict[str, Any]:
    try:
        return tasks.get_worker_stats(worker_id).to_dict()
    except KeyError as error:
        raise HTTPException(404, str(error)) from None


@app.get("/tasks/schedules")
async def schedules() -> list[dict[str, Any]]:
    return [schedule.to_dict() for schedule in tasks.get_schedules()]


@app.get("/tasks/{task_id}")
async def show(task_id: str) -> dict[str, Any]:
    handle = known(task_id)
    error, progress = handle.get_error(), handle.progress
    return {
        "task_id": task_id,
        "status": handle.status,
        "progress": None if progress is None else progress.percent,
        "result": handle.get_result() if handle.is_successful() else None,
        "error": None if error is None else str(error),
    }


@app.delete("/tasks/{task_id}")
async def cancel(task_id: str) -> dict[str, Any]:
    handle = known(task_id)
    return {"before_start": handle.cancel(), "status": handle.status}


@app.get("/tasks/{task_id}/wait")
async def wait(task_id: str) -> dict[str, Any]:
    """Answers once the task has ended; no thread waits meanwhile."""
    return {"result": await known(task_id)}


@app.get("/tasks/{task_id}/events")
async def events(task_id: str) -> StreamingResponse:
    """Server-sent events: one for each thing that happens to the task, until its end."""
    subscription = tasks.subscribe(task=known(task_id))

    async def stream() -> AsyncIterator[str]:
        async with subscription:
            async for event in subscription:
                yield f"event: {event.kind}\ndata: {json.dumps(event.to_dict())}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")
