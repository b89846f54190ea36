"""The example program of examples/celery_flask, through its pages, on the engine that the side names.

``CONFORMANCE_SIDE=oracle`` runs it on the real Celery with redis-server and a worker process, the default on the shim with
neither. The program is another process on both sides; this test imports neither celery nor the shim.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .programs import Browser, celery_program


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the program and yield a browser on it."""
    worker = ["-A", "gallery.web:celery", "worker", "-P", "prefork", "-c", "2"]
    with celery_program("celery_flask", "GALLERY_ENGINE", "gallery.web", worker, ["flask"], {}) as browser:
        yield browser


def test_a_picture_is_published_in_its_sizes(browser: Browser) -> None:
    task = browser.post("pictures", name="cat.png", title="Cat", widths="800,200,9000")["task"]
    published = browser.ended(task)
    assert published["value"] == "Cat: 800, 200, 4000 of https://pictures.example.org/cat.png"


def test_a_picture_that_is_none_is_noted(browser: Browser) -> None:
    started = browser.post("pictures", name="cat.txt", title="Text", widths="800,200")
    assert browser.ended(started["note"])["value"] == "failed: cat.txt is no picture"


@pytest.mark.parametrize(("failures", "state"), [(0, "SUCCESS"), (2, "SUCCESS"), (3, "FAILURE")])
def test_a_feed_is_retried(browser: Browser, failures: int, state: str) -> None:
    feed = browser.ended(browser.post("feeds", failures=failures)["task"])
    assert feed["state"] == state
    if state == "SUCCESS":
        assert feed["value"] == f"read at attempt {failures + 1}"
    else:
        assert "no answer at attempt 3" in feed["error"]


def test_a_soft_limit_lets_a_task_tidy_up(browser: Browser) -> None:
    assert browser.ended(browser.post("slow", seconds=30)["task"])["value"] == "tidied up"
    assert browser.ended(browser.post("slow", seconds=0.01)["task"])["value"] == "done"


def test_a_revoked_task_does_not_run(browser: Browser) -> None:
    task = browser.post("slow", seconds=0.01, later=4)["task"]
    browser.post(f"tasks/{task}/revoke")
    assert browser.ended(task)["state"] == "REVOKED"


def test_a_task_is_started(browser: Browser) -> None:
    task = browser.post("slow", seconds=0.8)["task"]
    browser.until(f"tasks/{task}", lambda page: page["state"] == "STARTED")
    assert browser.ended(task)["value"] == "done"
