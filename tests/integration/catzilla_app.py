"""The flows of the web examples as a Catzilla application; run by `test_catzilla.py` with a port as its argument."""

from __future__ import annotations

import sys
import time
from typing import Any

from catzilla import Catzilla, JSONResponse

from brokerless import current_task, enable_background_tasks

app = Catzilla(production=True, show_banner=False, log_requests=False)
enable_background_tasks(app, workers=2, queue_size=1000)
notices: list[str] = []


@app.task(max_retries=1, timeout_ms=10_000)
def make_report(pages: int) -> str:
    task = current_task()
    for page in range(pages):
        if task.is_cancelled():
            return f"stopped after {page} pages"
        task.set_progress(page + 1, pages)
        time.sleep(0.01)
    return f"report of {pages} pages"


def square(number: int) -> int:
    return number * number


def count(found: list[str]) -> dict[str, int]:
    return {word: found.count(word) for word in sorted(set(found))}


def charge(order: int, amount: float) -> str:
    if amount <= 0:
        raise ValueError(f"order {order}: nothing to charge")
    return f"order {order}: {amount:.2f} charged"


@app.post("/reports")
def start_report(request: Any) -> Any:
    return JSONResponse({"task_id": make_report.delay(request.json()["pages"]).task_id}, status_code=202)


@app.post("/tasks/batch")
def start_batch(request: Any) -> Any:
    handles = app.add_batch([{"func": square, "args": (number,)} for number in request.json()["numbers"]])
    return JSONResponse({"task_ids": [handle.task_id for handle in handles]}, status_code=202)


@app.post("/tasks/chain")
def start_chain(request: Any) -> Any:
    chain = app.tasks.chain_tasks([{"func": request.json()["text"].lower().split}, count])
    return JSONResponse({"task_id": chain.task_id}, status_code=202)


@app.post("/orders")
def order(request: Any) -> Any:
    given = request.json()
    handle = app.add_task(charge, given["order"], given["amount"], priority="high", max_retries=0)
    handle.on_success(notices.append).on_error(lambda error: notices.append(f"failed: {error}"))
    return JSONResponse({"task_id": handle.task_id}, status_code=202)


@app.get("/notices")
def show_notices(request: Any) -> Any:
    return JSONResponse({"notices": notices})


@app.get("/tasks/stats")
def stats(request: Any) -> Any:
    return JSONResponse(app.get_task_stats().to_dict())


@app.get("/tasks/health")
def health(request: Any) -> Any:
    return JSONResponse({"healthy": not app.tasks.closed, "allocator": app.get_memory_stats()["allocator"]})


@app.get("/tasks/worker/{worker_id}")
def worker(request: Any) -> Any:
    try:
        return JSONResponse(app.tasks.get_worker_stats(int(request.path_params["worker_id"])).to_dict())
    except KeyError as error:
        return JSONResponse({"error": str(error)}, status_code=404)


@app.get("/tasks/{task_id}")
def show(request: Any) -> Any:
    handle = app.tasks.get_task_by_id(request.path_params["task_id"])
    if handle is None:
        return JSONResponse({"error": "no such task"}, status_code=404)
    progress, error = handle.progress, handle.get_error()
    return JSONResponse(
        {
            "status": str(handle.status),
            "progress": None if progress is None else progress.percent,
            "result": app.get_task_result(handle.task_id) if handle.is_successful() else None,
            "error": None if error is None else str(error),
        }
    )


@app.delete("/tasks/{task_id}")
def cancel(request: Any) -> Any:
    return JSONResponse({"before_start": app.tasks.get_task_by_id(request.path_params["task_id"]).cancel()})


if __name__ == "__main__":
    app.listen(port=int(sys.argv[1]), host="127.0.0.1")
