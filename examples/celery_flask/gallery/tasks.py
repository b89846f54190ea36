"""The tasks: fetch, scale and publish a picture, read a feed, something slow. They know Flask through `current_app`."""

from __future__ import annotations

import time

from celery import chain, group, shared_task
from celery.exceptions import SoftTimeLimitExceeded
from celery.result import AsyncResult
from flask import current_app


@shared_task
def fetch(name):
    """Return a picture: its name, where it is from and its size."""
    if not name.endswith((".png", ".jpg")):
        raise ValueError(f"{name} is no picture")
    return {"url": f"{current_app.config['SOURCE']}/{name}", "width": 4000}


@shared_task
def scale(picture, width):
    """Return the picture in another size."""
    return {**picture, "width": min(picture["width"], width)}


@shared_task
def publish(sizes, title):
    """Return what the page shows."""
    return f"{title}: {', '.join(str(size['width']) for size in sizes)} of {sizes[0]['url']}"


@shared_task
def note_failure(task_id):
    """Remember what failed, where the pages can see it: as the result of this task."""
    return f"failed: {AsyncResult(task_id).result}"


def start(name, title, widths):
    """Fetch a picture, scale it in all widths at a time, publish it; return the result and the id of the note.

    ``link_error`` calls the note when a step of it fails.
    """
    note = note_failure.s()
    note.set(task_id=f"note-{title}")
    steps = chain(fetch.s(name), group([scale.s(width) for width in widths]), publish.s(title))
    return steps.apply_async(link_error=note)


@shared_task(bind=True, max_retries=2)
def read_feed(self, failures):
    """Read a feed whose server does not answer the first times."""
    if self.request.retries < failures:
        raise self.retry(countdown=0.05, exc=ConnectionError(f"no answer at attempt {self.request.retries + 1}"))
    return f"read at attempt {self.request.retries + 1}"


@shared_task(soft_time_limit=1)
def slow(seconds):
    """Take its time; tidies up when its limit is reached."""
    try:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.01)
    except SoftTimeLimitExceeded:
        return "tidied up"
    return "done"
