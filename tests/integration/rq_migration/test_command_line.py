"""`python -m brokerless rq …` as a program of its own: what it can do for the application that it imports, and what it
says where it can do nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import brokerless

pytest.importorskip("click")

SECONDS = 50
SHOP = """
from rq import Queue


def receipt(order):
    print(f"receipt {order}", flush=True)


def fill():
    Queue("orders", autostart=False).enqueue(receipt, 7)
"""


def rq(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    home = str(Path(brokerless.__path__[0]).parent)
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("BROKERLESS_A", "RQ_"))}
    variables["PYTHONPATH"] = os.pathsep.join(part for part in (home, variables.get("PYTHONPATH", "")) if part)
    command = [sys.executable, "-m", "brokerless", "rq", *words]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=SECONDS)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with an application whose settings enqueue a job."""
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "settings.py").write_text("import shop\nshop.fill()\nQUEUES = ['orders']\n")
    return tmp_path


@pytest.mark.parametrize("words", [["info"], ["empty", "orders"], ["requeue", "--queue", "orders", "-a"], ["resume"]])
def test_a_command_that_has_nothing_to_see_says_so(tmp_path: Path, words: list[str]) -> None:
    done = rq(tmp_path, *words)
    assert done.returncode == 0
    assert "this process has none. Ask in your application" in done.stderr


def test_info_about_what_the_settings_enqueue(shop: Path) -> None:
    done = rq(shop, "info", "-r", "-Q", "-c", "settings")
    assert done.stdout.splitlines()[0] == "queue orders 1, 0 executing, 0 finished, 0 failed"
    assert done.stderr == ""


def test_enqueue_runs_the_function_before_the_program_ends(shop: Path) -> None:
    done = rq(shop, "enqueue", "shop.receipt", ":3")
    assert done.returncode == 0, done.stderr
    assert sorted(line.partition("(")[0] for line in done.stdout.splitlines()) == ["Enqueued shop.receipt", "receipt 3"]


def test_worker_runs_what_its_settings_enqueue(shop: Path) -> None:
    done = rq(shop, "worker", "-b", "-c", "settings")
    assert done.returncode == 0, done.stderr
    assert "receipt 7" in done.stdout
    assert "Job OK" in done.stdout


def test_worker_that_waits_says_that_it_sees_no_other_process(tmp_path: Path) -> None:
    done = rq(tmp_path, "worker", "--max-idle-time", "1")
    assert done.returncode == 0
    assert "take it out of your Procfile" in done.stderr


def test_cron_runs_its_jobs_here(shop: Path) -> None:
    (shop / "schedule.py").write_text(
        "import os, shop\n"
        "from rq.cron import register\n"
        "def last():\n"
        "    shop.receipt('by cron')\n"
        "    os._exit(0)  # nothing else ends a scheduler\n"
        "register(last, 'orders', interval=60)\n"
    )
    done = rq(shop, "cron", "schedule.py")
    assert done.returncode == 0
    assert "receipt by cron" in done.stdout


def test_its_own_name(tmp_path: Path) -> None:
    assert rq(tmp_path, "--help").stdout.startswith("Usage: rq [OPTIONS] COMMAND")
