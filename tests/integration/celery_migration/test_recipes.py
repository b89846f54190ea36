"""Each recipe of `from_celery.md` as it is printed there, run with `brokerless run` or as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.celery_shim.programs import lines, run, surroundings, zero_edit

from .guide import blocks, write

pytest.importorskip("kombu")

MANAGE = (
    "import os, sys\n"
    "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
    "from django.core.management import execute_from_command_line\n"
    "execute_from_command_line(sys.argv)\n"
)


def test_every_recipe_is_run_here() -> None:
    recipes = {title.partition("/")[0] for title in blocks()}
    assert recipes == {"two_minutes", "zero_edit", "django_shop", "flask_shop", "fastapi_shop", "periodic", "testing"}


def test_changed_import(tmp_path: Path) -> None:
    write("two_minutes", tmp_path)
    assert lines(run(tmp_path, sys.executable, "main.py")) == ["{'order': 7, 'charged': 9.5, 'try': 0}", "8"]


def test_install(tmp_path: Path) -> None:
    write("zero_edit", tmp_path)
    assert lines(run(tmp_path, sys.executable, "main.py")) == ["5"]


@pytest.fixture
def django_shop(tmp_path: Path) -> Path:
    pytest.importorskip("django")
    write("django_shop", tmp_path)
    (tmp_path / "manage.py").write_text(MANAGE)
    (tmp_path / "orders" / "__init__.py").write_text("")
    return tmp_path


def manage(folder: Path, code: str) -> list[str]:
    """What a program in `manage.py shell` printed."""
    return lines(zero_edit(folder, sys.executable, "manage.py", "shell", "--no-imports", "-c", code))


def test_django_view(django_shop: Path) -> None:
    code = "from django.test import Client; print(Client().get('/buy/7').json())"
    assert manage(django_shop, code) == ["{'sent': 'receipt for 7'}"]


def test_django_settings_and_discovered_tasks(django_shop: Path) -> None:
    code = (
        "from shop import celery_app as a; print(a.conf.task_time_limit, a.conf.broker_url)\n"
        "print(a.send_task('orders.tasks.send_receipt', (3,)).get(timeout=30))\n"
        "from celery.contrib.django.task import DjangoTask\n"
        "print(isinstance(a.tasks['orders.tasks.send_receipt'], DjangoTask))"
    )
    assert manage(django_shop, code) == ["60 redis://localhost:6379/0", "receipt for 3", "True"]


def test_django_on_commit(django_shop: Path) -> None:
    code = (
        "from django.db import transaction; from orders.tasks import send_receipt; from celery import signals\n"
        "sent = []\n"
        "def note(sender=None, **kwargs): sent.append(sender)\n"
        "signals.before_task_publish.connect(note)\n"
        "with transaction.atomic():\n"
        "    send_receipt.delay_on_commit(1); print(sent)\n"
        "print(sent)"
    )
    assert manage(django_shop, code) == ["[]", "['orders.tasks.send_receipt']"]


def test_flask(tmp_path: Path) -> None:
    pytest.importorskip("flask")
    write("flask_shop", tmp_path)
    code = (
        "import shop\n"
        "from celery.result import AsyncResult\n"
        "client = shop.create_app().test_client()\n"
        "task_id = client.post('/price/100').get_json()['id']\n"
        "AsyncResult(task_id).get(timeout=30)\n"
        "print(client.get(f'/result/{task_id}').get_json())\n"
        "print(client.get('/result/unknown').get_json())"
    )
    assert lines(zero_edit(tmp_path, sys.executable, "-c", code)) == [
        "{'state': 'SUCCESS', 'value': 125.0}",
        "{'state': 'PENDING', 'value': None}",
    ]


def test_fastapi(tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("httpx")
    write("fastapi_shop", tmp_path)
    code = (
        "import shop\n"
        "from fastapi.testclient import TestClient\n"
        "client = TestClient(shop.app)\n"
        "task_id = client.post('/convert/report').json()['id']\n"
        "shop.tasks.AsyncResult(task_id).get(timeout=30)\n"
        "print(client.get(f'/result/{task_id}').json())\n"
        "print(client.get('/now/letter').json())"
    )
    assert lines(zero_edit(tmp_path, sys.executable, "-c", code)) == [
        "{'state': 'SUCCESS', 'value': 'report.pdf'}",
        "{'value': 'letter.pdf'}",
    ]


def test_periodic_tasks(tmp_path: Path) -> None:
    write("periodic", tmp_path)
    locks = {"BROKERLESS_LOCK_DIR": str(tmp_path / "locks")}
    process = subprocess.Popen(
        [sys.executable, "main.py"],
        cwd=tmp_path,
        env=surroundings(**locks),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert [process.stdout.readline() for _ in range(2)] == ["ok\n", "ok\n"]
    finally:
        process.communicate("", timeout=60)
    assert process.returncode == 0
    assert list(tmp_path.glob("celerybeat-schedule*"))


def test_a_test_suite_of_a_project(tmp_path: Path) -> None:
    write("testing", tmp_path)
    done = run(
        tmp_path,
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "brokerless.compat.pytest_alias",
        "-p",
        "celery.contrib.pytest",
        "-p",
        "no:cacheprovider",
        "test_tasks.py",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
