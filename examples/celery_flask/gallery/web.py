"""The pages: start a picture, a feed or something slow, look at a task, revoke it.

Run it with ``python -m gallery.web [port]`` from the program's folder; it prints its address.
"""

from __future__ import annotations

import sys

from celery.result import AsyncResult
from flask import jsonify, request
from werkzeug.serving import make_server

from . import tasks
from .app import make_app

app = make_app()
celery = app.extensions["celery"]

INDEX = """<!doctype html><title>Gallery</title><h1>Gallery</h1>
<form method=post action=/pictures><input name=name value="cat.png"><input name=title value="Cat">
<input name=widths value="800,200"><button>Publish</button></form>
<form method=post action=/feeds><input name=failures value=1><button>Read the feed</button></form>
<form method=post action=/slow><input name=seconds value=0.5><button>Something slow</button></form>"""


@app.get("/")
def index():
    """Offer the forms."""
    return INDEX


@app.post("/pictures")
def start_picture():
    """Start the steps of a picture."""
    form = request.form
    widths = [int(width) for width in form["widths"].split(",")]
    result = tasks.start(form["name"], form["title"], widths)
    return jsonify({"task": result.id, "note": f"note-{form['title']}"})


@app.post("/feeds")
def start_feed():
    """Start to read a feed."""
    return jsonify({"task": tasks.read_feed.delay(int(request.form["failures"])).id})


@app.post("/slow")
def start_slow():
    """Start something slow, perhaps later."""
    form = request.form
    options = {"countdown": float(form["later"])} if form.get("later") else {}
    return jsonify({"task": tasks.slow.apply_async((float(form["seconds"]),), **options).id})


@app.get("/tasks/<task_id>")
def show(task_id):
    """Show how far a task is."""
    result = AsyncResult(task_id)
    state = result.state  # once: the task may end between two looks
    value = result.result if state == "SUCCESS" else None
    error = repr(result.result) if state in ("FAILURE", "REVOKED") else None
    return jsonify({"state": state, "value": value, "error": error})


@app.post("/tasks/<task_id>/revoke")
def revoke(task_id):
    """Have a task not run."""
    AsyncResult(task_id).revoke()
    return jsonify({"task": task_id})


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
