"""`Webhook`: an HTTP request when a job has finished or failed."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlparse

__all__ = ["Webhook", "check_webhooks"]

logger = logging.getLogger("rq.webhook")


@dataclass(init=False)
class Webhook:
    """GET without, or POST with a JSON body about the job."""

    url: str
    job_status: str
    method: str
    headers: dict[str, str] | None
    timeout: int

    def __init__(
        self,
        url: str,
        job_status: str,
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        timeout: int = 10,
    ) -> None:
        parsed = urlparse(url) if isinstance(url, str) else None
        if parsed is None or parsed.scheme not in ("http", "https") or not parsed.netloc:
            raise ValueError(f"url must be an http:// or https:// URL, got {url!r}")
        if job_status not in ("finished", "failed"):
            raise ValueError(f"job_status must be 'finished' or 'failed', got {job_status!r}")
        if method not in ("GET", "POST"):
            raise ValueError(f"method must be 'GET' or 'POST', got {method!r}")
        if headers and not isinstance(headers, dict):
            raise TypeError(f"headers must be a dict or None, got {type(headers).__name__}")
        if not isinstance(timeout, int) or timeout <= 0:
            raise ValueError(f"timeout must be a positive integer, got {timeout!r}")
        self.url = url
        self.job_status = job_status
        self.method = method
        self.headers = headers
        self.timeout = timeout

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Webhook:
        """What `to_dict` gave."""
        return cls(
            data["url"],
            data["job_status"],
            method=data.get("method", "GET"),
            headers=data.get("headers"),
            timeout=data.get("timeout", 10),
        )

    def get_payload(self, job: Any, *, exc_string: str | None = None) -> dict[str, Any]:
        """The body of a POST."""
        payload = {
            "job_id": job.id,
            "func_name": job.func_name,
            "status": self.job_status,
            "enqueued_at": job.enqueued_at.isoformat() if job.enqueued_at else None,
            "ended_at": job.ended_at.isoformat() if job.ended_at else None,
        }
        if self.job_status == "failed":
            payload["exc_info"] = exc_string
        return payload

    def send(self, job: Any, *, exc_string: str | None = None) -> None:
        """Sends it; what goes wrong is logged."""
        try:
            body = None
            headers = dict(self.headers or {})
            if self.method == "POST":
                body = json.dumps(self.get_payload(job, exc_string=exc_string)).encode("utf-8")
                headers = {"Content-Type": "application/json", **headers}
            with urlopen(Request(self.url, data=body, headers=headers, method=self.method), timeout=self.timeout):
                pass
        except Exception:
            logger.warning("Failed to send webhook to %s for job %s", self.url, job.id, exc_info=True)


def check_webhooks(webhooks: Any) -> list[Webhook]:
    """A list of them, or TypeError."""
    if not isinstance(webhooks, Sequence) or not all(isinstance(webhook, Webhook) for webhook in webhooks):
        raise TypeError("webhooks must be a sequence of Webhook instances")
    return list(webhooks)


def Request(*args: Any, **kwargs: Any) -> Any:
    """`urllib.request.Request`, imported at first use: the import is slow."""
    from urllib.request import Request as Made

    return Made(*args, **kwargs)


def urlopen(*args: Any, **kwargs: Any) -> Any:
    """`urllib.request.urlopen`, imported at first use."""
    from urllib.request import urlopen as call

    return call(*args, **kwargs)
