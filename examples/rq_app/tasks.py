"""The jobs: one that shows its progress, one that depends on it, one that fails at first.

Knows RQ only through the current job. Does not know the web pages.
"""

from __future__ import annotations

from rq import get_current_job


class FeedError(Exception):
    """The feed did not answer."""


def render(title: str, pages: int) -> list[str]:
    """Render a report page by page and say after each how far it is."""
    job = get_current_job()
    rendered = []
    for number in range(1, pages + 1):
        rendered.append(f"{title}, page {number}")
        job.meta["progress"] = round(100 * number / pages)
        job.save_meta()
    return rendered


def publish(address: str) -> str:
    """Send the report that this job depends on to an address."""
    job = get_current_job()
    (report,) = job.fetch_dependencies()
    pages = report.return_value()
    return f"sent {len(pages)} pages to {address}"


def fetch_feed(name: str, failures: int) -> str:
    """Fetch a feed whose server does not answer the first times."""
    job = get_current_job()
    job.meta["attempts"] = job.meta.get("attempts", 0) + 1
    job.save_meta()
    if job.meta["attempts"] <= failures:
        raise FeedError(f"{name} did not answer (attempt {job.meta['attempts']})")
    return f"{name} after {job.meta['attempts']} attempts"
