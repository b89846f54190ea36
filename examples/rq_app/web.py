"""The pages: start a report or a feed, look at a job, look at what failed and try it again.

Run it with ``python -m rq_app.web [port]`` from the folder ``examples``; it prints its address.
"""

from __future__ import annotations

import sys
from typing import Any

from flask import Flask, abort, jsonify, redirect, render_template_string, request
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from .engine import connection, queue  # first: it decides what rq is

from rq import Retry  # isort: skip
from rq.exceptions import InvalidJobOperation, NoSuchJobError  # isort: skip
from rq.job import Job  # isort: skip

from . import tasks  # isort: skip

app = Flask(__name__)

INDEX = """<!doctype html><title>Reports</title><h1>Reports</h1>
<form method=post action="{{ url_for('start_report') }}">
<input name=title value="Sales"><input name=pages value=20><input name=address value="boss@example.org">
<button>Render and send</button></form>
<form method=post action="{{ url_for('start_feed') }}">
<input name=name value="news"><input name=failures value=1><button>Fetch a feed</button></form>
<p>{{ waiting }} waiting · <a href="{{ url_for('failures') }}">{{ failed }} failed</a></p>"""

FAILURES = """<!doctype html><title>Failed jobs</title><h1>Failed jobs</h1>
{% for job, error in jobs %}<form method=post action="{{ url_for('retry', job_id=job.id) }}">
<b>{{ job.description }}</b> <code>{{ error }}</code> <button>Try again</button></form>
{% else %}<p>None.</p>{% endfor %}"""


def find(job_id: str) -> Job:
    """Return a job, or answer 404."""
    try:
        return Job.fetch(job_id, connection=connection)
    except NoSuchJobError:
        abort(404)


def last_line(job: Job) -> str:
    """Return the error of a failed job without its traceback."""
    result = job.latest_result()
    text = result.exc_string if result is not None else None
    return text.strip().splitlines()[-1] if text else ""


def as_json(job: Job) -> dict[str, Any]:
    """Return what the pages show of a job."""
    return {
        "id": job.id,
        "status": job.get_status(refresh=False),  # of the same moment as the rest
        "progress": job.meta.get("progress"),
        "attempts": job.meta.get("attempts"),
        "value": job.return_value(),
        "error": last_line(job),
    }


@app.get("/")
def index() -> str:
    """Offer the forms and count."""
    return render_template_string(INDEX, waiting=queue.count, failed=queue.failed_job_registry.count)


@app.post("/reports")
def start_report() -> Response:
    """Enqueue a report, and a job that sends it once it is there."""
    form = request.form
    report = queue.enqueue(tasks.render, form["title"], int(form["pages"]), result_ttl=3600)
    letter = queue.enqueue(tasks.publish, form["address"], depends_on=report)
    return jsonify({"report": report.id, "letter": letter.id})


@app.post("/feeds")
def start_feed() -> Response:
    """Enqueue a feed that is tried twice more when it does not answer."""
    form = request.form
    job = queue.enqueue(tasks.fetch_feed, form["name"], int(form["failures"]), retry=Retry(max=2))
    return jsonify({"feed": job.id})


@app.get("/jobs/<job_id>")
def show(job_id: str) -> Response:
    """Show how far a job is."""
    return jsonify(as_json(find(job_id)))


@app.get("/failures")
def failures() -> str:
    """List the failed jobs."""
    ids = queue.failed_job_registry.get_job_ids()
    jobs = [job for job in Job.fetch_many(ids, connection=connection) if job is not None]
    return render_template_string(FAILURES, jobs=[(job, last_line(job)) for job in jobs])


@app.post("/failures/<job_id>")
def retry(job_id: str) -> Response:
    """Put a failed job into its queue again."""
    try:
        find(job_id).requeue()
    except InvalidJobOperation:
        abort(409)
    return redirect("/failures")


def main(port: int) -> None:
    """Serve until interrupted."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
