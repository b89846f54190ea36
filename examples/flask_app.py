"""A Flask application with background tasks: start, watch, combine and cancel them over HTTP.

Run it with `flask --app examples/flask_app.py run`, or with any WSGI server. Each process of the server has tasks of its
own, so that one that serves several processes has to send the questions about a task to the process that runs it.
"""

from __future__ import annotations

import time
from typing import Any

from flask import Flask, abort, jsonify, request

from brokerless import QueueFull, TaskResult, current_task, enable_background_tasks

app = Flask(__name__)
tasks = enable_background_tasks(app, workers=4, queue_size=1000)

notices: list[str] = []


@tasks.task(max_retries=1, timeout_ms=10_000, tags=["report"])
def make_report(pages: int) -> str:
    task = current_task()
    for page in range(pages):
        if task is not None:
            if task.is_cancelled():
                return f"stopped after {page} pages"
            task.set_progress(page + 1, pages, "writing")
        time.sleep(0.01)
    return f"report of {pages} pages"


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
        abort(404, f"no task {task_id} in this process")
    return handle


@app.errorhandler(QueueFull)
def full(error: QueueFull) -> Any:
    return jsonify(error=str(error)), 503, {"Retry-After": "1"}


@app.errorhandler(404)
def missing(error: Any) -> Any:
    return jsonify(error=error.description), 404


@app.post("/reports")
def start_report() -> Any:
    handle = make_report.delay(int(request.get_json()["pages"]))
    return jsonify(task_id=handle.task_id), 202


@app.get("/tasks/<task_id>")
def show(task_id: str) -> Any:
    handle = known(task_id)
    error, progress = handle.get_error(), handle.progress
    return jsonify(
        task_id=task_id,
        status=handle.status,
        progress=None if progress is None else progress.percent,
        result=handle.get_result() if handle.is_successful() else None,
        error=None if error is None else str(error),
    )


@app.delete("/tasks/<task_id>")
def cancel(task_id: str) -> Any:
    handle = known(task_id)
    return jsonify(before_start=handle.cancel(), status=handle.status)


@app.post("/tasks/batch")
def start_batch() -> Any:
    handles = tasks.add_batch([{"func": square, "args": (number,)} for number in request.get_json()["numbers"]])
    return jsonify(task_ids=[handle.task_id for handle in handles]), 202


@app.post("/tasks/chain")
def start_chain() -> Any:
    chain = tasks.chain_tasks([{"func": words, "args": (request.get_json()["text"],)}, count])
    return jsonify(task_id=chain.task_id), 202


@app.post("/orders")
def order() -> Any:
    given = request.get_json()
    handle = tasks.add_task(charge, given["order"], given["amount"], priority="high", max_retries=0)
    handle.on_success(notices.append).on_error(lambda error: notices.append(f"failed: {error}"))
    return jsonify(task_id=handle.task_id), 202


@app.get("/notices")
def show_notices() -> Any:
    return jsonify(notices)


@app.get("/tasks/stats")
def stats() -> Any:
    return jsonify(tasks.get_stats().to_dict())


@app.get("/tasks/health")
def health() -> Any:
    now = tasks.get_stats()
    well = not tasks.closed and now.stuck_workers < max(1, now.total_workers)
    return jsonify(healthy=well, queued=now.queued_tasks, workers=now.total_workers, pid=now.pid), 200 if well else 503


@app.get("/tasks/worker/<int:worker_id>")
def worker(worker_id: int) -> Any:
    try:
        return jsonify(tasks.get_worker_stats(worker_id).to_dict())
    except KeyError as error:
        abort(404, str(error))
