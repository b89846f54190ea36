"""The example project of examples/celery_django, through its pages, on the engine that the side names.

``CONFORMANCE_SIDE=oracle`` runs it on the real Celery with redis-server and a worker process with beat, the default on the
shim with neither. The program is another process on both sides; this test imports neither celery nor the shim.
"""

from __future__ import annotations

import re
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest

from .programs import Browser, celery_program


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start the project with a database of its own, and yield a browser on it."""
    folder = tmp_path_factory.mktemp("shop")
    environment = {"SHOP_DATABASE": str(folder / "shop.sqlite3"), "SHOP_SCHEDULE": str(folder / "schedule")}
    worker = ["-A", "shop", "worker", "-B", "-P", "threads", "-c", "4"]
    with celery_program(
        "celery_django", "SHOP_ENGINE", "shop.serve", worker, ["django"], environment, ["manage.py", "migrate"]
    ) as browser:
        yield browser


def place(browser: Browser, **form: Any) -> int:
    return int(browser.post("orders", title="Tea", cents=450, **form)["order"])


def test_an_order_is_confirmed_after_retries(browser: Browser) -> None:
    number = place(browser, failures=2)
    order = browser.until(f"orders/{number}", lambda page: page["state"] == "confirmed")
    assert order["attempts"] == 3


def test_an_order_that_stays_open(browser: Browser) -> None:
    number = place(browser, failures=9)
    order = browser.until(f"orders/{number}", lambda page: page["attempts"] == 4)
    assert order["state"] == "open"


def test_nothing_is_sent_for_a_transaction_that_was_rolled_back(browser: Browser) -> None:
    before = place(browser)
    with pytest.raises(urllib.error.HTTPError) as caught:
        place(browser, broken=1)
    assert caught.value.code == 400
    after = place(browser)
    browser.until(f"orders/{after}", lambda page: page["state"] == "confirmed")
    assert browser.json(f"orders/{before}")["state"] in ("open", "confirmed")
    with pytest.raises(urllib.error.HTTPError):
        browser.json(f"orders/{after + 1}")


def test_a_report_adds_the_days_up(browser: Browser) -> None:
    days = ["2020-01-01", "2020-01-02", "2020-01-03"]
    for day in days[:2]:
        for _ in range(2):
            number = place(browser, day=day)
            browser.until(f"orders/{number}", lambda page: page["state"] == "confirmed")
    task = browser.post("reports", days=",".join(days))["task"]
    report = browser.ended(task)
    assert report["value"]["cents"] == 1800
    assert [day["day"] for day in report["value"]["days"]] == days
    assert [day["cents"] for day in report["value"]["days"]] == [900, 900, 0]


def test_an_export_shows_its_progress(browser: Browser) -> None:
    task = browser.post("exports", rows=3000)["task"]
    seen = browser.until(f"tasks/{task}", lambda page: page["state"] in ("PROGRESS", "SUCCESS"))
    page = browser.get(f"exports/{task}")
    assert re.search(r"<progress value=\d+ max=\d+>", page)
    if seen["state"] == "PROGRESS":
        assert 0 < seen["value"]["done"] <= seen["value"]["of"] == 3000
    assert browser.ended(task)["value"] == {"lines": 3000}
    assert "SUCCESS" in browser.get(f"exports/{task}")
    assert "refresh" not in browser.get(f"exports/{task}")


def test_beat_counts_open_orders(browser: Browser) -> None:
    def counts() -> int:
        found = re.search(r"(\d+) counts of open ones", browser.get(""))
        assert found is not None
        return int(found[1])

    before = counts()
    browser.until("orders/1", lambda page: counts() > before + 1)
