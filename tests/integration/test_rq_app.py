"""The example program of examples/rq_app, through its web pages, on the engine that the side names.

``CONFORMANCE_SIDE=oracle`` runs it on the real RQ with redis-server and a worker process, the
default on the shim with neither. The program is another process on both sides; this test imports
neither rq nor the shim.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.conformance.recording import SIDE
from tests.processes import end
from tests.redis_server import executable, redis_server

from .programs import EXAMPLES, Browser


class JobBrowser(Browser):
    """Asks for jobs."""

    def job_in(self, job_id: str, *states: str) -> dict[str, Any]:
        """Return what the program says of a job once it is in one of the states."""
        return self.until(f"jobs/{job_id}", lambda job: job["status"] in states)


@pytest.fixture(scope="module")
def browser() -> Iterator[JobBrowser]:
    """Start the program, and what its engine needs, and yield a browser on it."""
    needed = ["flask", "rq", "redis"] if SIDE == "oracle" else ["flask"]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if SIDE == "oracle" and executable() is None:
        missing.append("redis-server")
    if missing:
        reason = f"the example needs {', '.join(missing)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    variables = {**os.environ, "RQ_APP_ENGINE": "redis" if SIDE == "oracle" else "brokerless"}
    variables.pop("BROKERLESS_AUTOSTART", None)
    with ExitStack() as stack:
        commands = [[sys.executable, "-m", "rq_app.web", "0"]]
        if SIDE == "oracle":
            variables["REDIS_URL"] = f"redis://127.0.0.1:{stack.enter_context(redis_server())}/0"
            commands.append([sys.executable, "-m", "rq_app.worker"])
        started = []
        for command in commands:
            process = subprocess.Popen(command, cwd=EXAMPLES, env=variables, stdout=subprocess.PIPE, text=True)
            stack.callback(end, process)
            started.append(process)
        assert started[0].stdout is not None
        yield JobBrowser(started[0].stdout.readline().strip())


def test_a_report_shows_its_progress_and_is_sent_afterwards(browser: JobBrowser) -> None:
    ids = browser.post("reports", title="Sales", pages=5, address="a@example.org")
    report = browser.job_in(ids["report"], "finished")
    assert report["progress"] == 100
    assert report["value"] == [f"Sales, page {number}" for number in range(1, 6)]
    assert browser.job_in(ids["letter"], "finished")["value"] == "sent 5 pages to a@example.org"


def test_a_feed_is_retried(browser: JobBrowser) -> None:
    feed = browser.post("feeds", name="news", failures=2)["feed"]
    job = browser.job_in(feed, "finished", "failed")
    assert job["status"] == "finished"
    assert job["attempts"] == 3
    assert job["value"] == "news after 3 attempts"


def test_a_failure_is_listed_and_can_be_tried_again(browser: JobBrowser) -> None:
    feed = browser.post("feeds", name="weather", failures=3)["feed"]
    job = browser.job_in(feed, "failed")
    assert job["error"] == "rq_app.tasks.FeedError: weather did not answer (attempt 3)"
    page = browser.get("failures")
    assert feed in page
    assert "weather did not answer" in page
    browser.send(f"failures/{feed}")
    assert browser.job_in(feed, "finished")["attempts"] == 4
    assert feed not in browser.get("failures")


def test_a_job_that_did_not_fail_is_not_tried_again(browser: JobBrowser) -> None:
    ids = browser.post("reports", title="x", pages=1, address="y")
    browser.job_in(ids["letter"], "finished")
    with pytest.raises(urllib.error.HTTPError) as caught:
        browser.send(f"failures/{ids['report']}")
    assert caught.value.code == 409


def test_an_unknown_job(browser: JobBrowser) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        browser.get("jobs/none")
    assert caught.value.code == 404


def test_the_first_page_counts(browser: JobBrowser) -> None:
    assert "waiting" in browser.get("")
