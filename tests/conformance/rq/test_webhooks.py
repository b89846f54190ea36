"""Webhooks: their constraints, and the requests that reach a server of the test's own."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from . import jobs
from .watch import outcome


class Listener:
    """A web server on a free port that keeps what it was sent."""

    def __init__(self, status=200):
        self.requests = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                listener.requests.append((self.command, self.path, dict(self.headers), body))
                self.send_response(status)
                self.end_headers()

            do_GET = do_POST = answer

            def log_message(self, *args):
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self):
        """End the server."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def listener():
    """Yield a listening server."""
    server = Listener()
    yield server
    server.close()


@pytest.mark.parametrize(
    ("url", "status", "options"),
    [
        ("http://x/a", "finished", {}),
        ("https://x", "failed", {"method": "POST", "headers": {"A": "b"}, "timeout": 3}),
        ("ftp://x", "finished", {}),
        ("x", "finished", {}),
        (3, "finished", {}),
        ("http://x", "started", {}),
        ("http://x", "finished", {"method": "PUT"}),
        ("http://x", "finished", {"headers": ["a"]}),
        ("http://x", "finished", {"timeout": 0}),
        ("http://x", "finished", {"timeout": "1"}),
    ],
    ids=["plain", "full", "ftp", "no-scheme", "number", "status", "method", "headers", "zero", "text"],
)
def test_constructor(rq, observed, url, status, options):
    observed("outcome", outcome(lambda: rq.Webhook(url, status, **options).to_dict()))


def test_round_trip(rq, observed):
    hook = rq.Webhook("http://x", "failed", method="POST", headers={"A": "b"}, timeout=3)
    assert rq.Webhook.from_dict(hook.to_dict()) == hook
    observed("repr", repr(hook))
    observed("defaults", repr(rq.Webhook.from_dict({"url": "http://x", "job_status": "finished"})))


def test_stored_with_the_job(rq, queue, connection, observed):
    hooks = [rq.Webhook("http://x", "finished"), rq.Webhook("http://y", "failed", method="POST")]
    job = queue.enqueue(jobs.nothing, webhooks=hooks)
    assert rq.Job.fetch(job.id, connection=connection).webhooks == hooks
    observed("none", queue.enqueue(jobs.nothing).webhooks)


def test_get_on_success(rq, queue, burst, listener, observed):
    hooks = [
        rq.Webhook(f"{listener.url}/ok?a=1", "finished", headers={"X-Own": "yes"}),
        rq.Webhook(f"{listener.url}/no", "failed"),
    ]
    queue.enqueue(jobs.nothing, webhooks=hooks)
    burst()
    observed(
        "requests", [[method, path, headers.get("X-Own"), body] for method, path, headers, body in listener.requests]
    )


def test_post_on_success(rq, queue, burst, listener, observed):
    queue.enqueue(jobs.nothing, job_id="J", webhooks=[rq.Webhook(listener.url, "finished", method="POST")])
    burst()
    ((method, path, headers, body),) = listener.requests
    observed("request", [method, path, headers["Content-Type"]])
    assert body.pop("enqueued_at") < body.pop("ended_at")
    observed("body", body)


def test_post_on_failure(rq, queue, burst, listener, observed):
    queue.enqueue(jobs.boom, job_id="J", webhooks=[rq.Webhook(listener.url, "failed", method="POST")])
    burst()
    ((_, _, _, body),) = listener.requests
    observed("body", [body["job_id"], body["func_name"], body["status"]])
    observed("last line", body["exc_info"].strip().splitlines()[-1])


def test_not_for_attempts_that_are_retried(rq, queue, burst, listener, observed):
    queue.enqueue(jobs.boom, retry=rq.Retry(2), webhooks=[rq.Webhook(listener.url, "failed")])
    burst()
    observed("requests", len(listener.requests))


def test_several_hooks(rq, queue, burst, listener, observed):
    hooks = [rq.Webhook(f"{listener.url}/{number}", "finished") for number in range(3)]
    queue.enqueue(jobs.nothing, webhooks=hooks)
    burst()
    observed("paths", [request[1] for request in listener.requests])


def test_unreachable_server(rq, queue, burst, logs, observed):
    job = queue.enqueue(jobs.nothing, job_id="J", webhooks=[rq.Webhook("http://127.0.0.1:9/x", "finished", timeout=1)])
    burst()
    observed("status", job.get_status().value)
    observed("line", logs.having("webhook"))


def test_server_that_answers_with_an_error(rq, queue, burst, logs, observed):
    server = Listener(status=500)
    try:
        job = queue.enqueue(jobs.nothing, job_id="J", webhooks=[rq.Webhook(server.url, "finished")])
        burst()
    finally:
        server.close()
    observed("status", job.get_status().value)
    observed("warned", len(logs.having("Failed to send webhook")))


def test_synchronous_queue(rq, connection, listener, observed):
    queue = rq.Queue("sync", connection=connection, is_async=False)
    hooks = [rq.Webhook(f"{listener.url}/{status}", status) for status in ("finished", "failed")]
    queue.enqueue(jobs.nothing, webhooks=hooks)
    queue.enqueue(jobs.boom, webhooks=hooks)
    observed("paths", [request[1] for request in listener.requests])


def test_payload(rq, queue, observed):
    job = queue.enqueue(jobs.nothing, job_id="J")
    payload = rq.Webhook("http://x", "failed").get_payload(job, exc_string="text")
    assert payload.pop("enqueued_at") == job.enqueued_at.isoformat()
    observed("failed", payload)
    observed("finished", sorted(rq.Webhook("http://x", "finished").get_payload(job)))
