"""Each program of `from_rq.md` as it is printed there, run as the guide says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import brokerless

from .guide import blocks, write

SECONDS = 50
STAND_IN = "import sys, runpy, brokerless.compat\nbrokerless.compat.install('rq', 'redis')\n"


def run(folder: Path, *command: str) -> list[str]:
    """What a program printed, run in a folder of its own; it must have succeeded."""
    home = str(Path(brokerless.__path__[0]).parent)
    parts = [home, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("BROKERLESS_A")}
    variables = {**kept, "PYTHONPATH": os.pathsep.join(part for part in parts if part)}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=variables, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def unedited(folder: Path, name: str) -> list[str]:
    """A program that imports rq and redis, both of them stood in for."""
    code = f"{STAND_IN}sys.path.insert(0, '')\nrunpy.run_path({name!r}, run_name='program')"
    return run(folder, "-c", code)


def test_every_program_is_run_here() -> None:
    titles = set(blocks())
    assert None not in titles, "a code block without a title is not run"
    recipes = {str(title).partition("/")[0] for title in titles}
    assert recipes == {
        "two_minutes", "zero_edit", "settings", "testing", "flask_shop", "django_shop", "cron", "besides",
    }  # fmt: skip


def test_before(tmp_path: Path) -> None:
    write("two_minutes", tmp_path)
    (line,) = unedited(tmp_path, "before.py")
    assert line.endswith("mails.send_mail('ada@example.org')")


def test_after(tmp_path: Path) -> None:
    write("two_minutes", tmp_path)
    assert run(tmp_path, "after.py") == ["sent to ada@example.org"]


def test_install(tmp_path: Path) -> None:
    write("zero_edit", tmp_path)
    assert run(tmp_path, "app.py") == ["1024"]


def test_the_run_command(tmp_path: Path) -> None:
    """The same program without its first two lines, and without redis."""
    (tmp_path / "app.py").write_text(
        "from rq import Queue\nprint(Queue().enqueue(pow, 2, 4).latest_result(10).return_value)\n"
    )
    assert run(tmp_path, "-m", "brokerless", "run", "--", sys.executable, "app.py") == ["16"]


def test_settings(tmp_path: Path) -> None:
    write("settings", tmp_path)
    assert run(tmp_path, "app.py") == ["True ['high', 'low']"]


def test_a_test_suite_of_a_project(tmp_path: Path) -> None:
    write("testing", tmp_path)
    assert "1 passed" in "\n".join(run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_jobs.py"))


def test_flask(tmp_path: Path) -> None:
    pytest.importorskip("flask")
    write("flask_shop", tmp_path)
    (tmp_path / "try_it.py").write_text(
        "import shop\n"
        "client = shop.app.test_client()\n"
        "job_id = client.post('/reports/4').get_json()['id']\n"
        "shop.Job.fetch(job_id, connection=shop.queue.connection).latest_result(timeout=20)\n"
        "print(client.get(f'/reports/{job_id}').get_json())\n"
        "print(client.get('/reports/none').status_code)\n"
    )
    assert unedited(tmp_path, "try_it.py") == ["{'percent': 100, 'status': 'finished', 'value': '4 pages'}", "404"]


def test_django(tmp_path: Path) -> None:
    pytest.importorskip("django")
    write("django_shop", tmp_path)
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "try_it.py").write_text(
        "import os, django\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'shop.settings'\n"
        "django.setup()\n"
        "from django.test import Client\n"
        "print(Client().get('/buy/7').json())\n"
    )
    assert run(tmp_path, "try_it.py") == ["{'sent': 'receipt for 7'}"]


def test_cron(tmp_path: Path) -> None:
    write("cron", tmp_path)
    assert run(tmp_path, "app.py") == ["32"]


def test_what_rq_has_not(tmp_path: Path) -> None:
    write("besides", tmp_path)
    assert run(tmp_path, "main.py") == ["True Two documents: 8 pages", "4", "QueueFull"]
