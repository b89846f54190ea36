"""Django: the fixup, DjangoTask, settings with a namespace; each in a process of its own with a small project.

Needs Django; the project's database is SQLite in memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import pytest

from .namespace import ROOT

pytest.importorskip("django")

SETTINGS = """
SECRET_KEY = "x"
USE_TZ = True
TIME_ZONE = "Europe/Oslo"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = ["shop"]
CELERY_BROKER_URL = "memory://"
CELERY_RESULT_BACKEND = "cache+memory://"
CELERY_TASK_ALWAYS_EAGER = False
CELERY_TASK_DEFAULT_QUEUE = "django"
CELERY_BROKER_TRANSPORT_OPTIONS = {"polling_interval": 0.01}
"""
PROJECT = f"""
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
from {ROOT} import Celery
app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
"""
TASKS = f"""
from {ROOT} import shared_task

@shared_task
def add(x, y):
    return x + y
"""


@pytest.fixture
def project(tmp_path: Path) -> Any:
    """Return a function that runs a script inside a Django project and answers with its last line as JSON."""
    (tmp_path / "site_settings.py").write_text(SETTINGS)
    (tmp_path / "project_celery.py").write_text(PROJECT)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "tasks.py").write_text(TASKS)

    def run(script: str, setup: bool = True) -> Any:
        opening = f"ROOT = {ROOT!r}\nimport importlib, json\nfrom project_celery import app\n"
        if setup:
            opening += "import django\ndjango.setup()\n"
        path = os.pathsep.join(part for part in (str(tmp_path), os.environ.get("PYTHONPATH")) if part)
        environment = {
            **os.environ,
            "PYTHONPATH": path,
            "DJANGO_SETTINGS_MODULE": "site_settings",
            "BROKERLESS_AUTOSTART": "0",
        }
        code = opening + textwrap.dedent(script)
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tempfile.gettempdir(),
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_settings(project: Any) -> None:
    assert project("print(json.dumps([app.conf.task_default_queue, app.conf.timezone, app.conf.broker_url]))") == [
        "django",
        "Europe/Oslo",
        "memory://",
    ]


def test_tasks_of_applications_are_found(project: Any) -> None:
    assert project("app.loader.import_default_modules()\nprint(json.dumps('shop.tasks.add' in app.tasks))") is True


def test_base_class_of_tasks(project: Any) -> None:
    script = """
    task = importlib.import_module(ROOT + ".contrib.django.task").DjangoTask
    app.loader.import_default_modules()
    print(json.dumps([isinstance(app.tasks["shop.tasks.add"], task), issubclass(app.Task, task)]))
    """
    assert project(script) == [True, True]


def test_delay_on_commit(project: Any) -> None:
    script = """
    from django.db import transaction
    import importlib
    signals = importlib.import_module(ROOT + ".signals")
    sent = []
    def note(headers=None, **kwargs):
        sent.append(headers["id"])
    signals.before_task_publish.connect(note)
    from shop.tasks import add
    counts = []
    with transaction.atomic():
        answer = add.delay_on_commit(1, 2)
        counts.append(len(sent))
    counts.append(len(sent))
    with transaction.atomic():
        add.apply_async_on_commit((1, 2), countdown=3)
        counts.append(len(sent))
    counts.append(len(sent))
    try:
        with transaction.atomic():
            add.delay_on_commit(1, 2)
            raise KeyError
    except KeyError:
        pass
    counts.append(len(sent))
    print(json.dumps([answer, counts]))
    """
    assert project(script) == [None, [0, 1, 1, 2, 2]]


def test_on_commit_outside_a_transaction(project: Any) -> None:
    script = """
    signals = importlib.import_module(ROOT + ".signals")
    sent = []
    def note(**kwargs):
        sent.append(1)
    signals.before_task_publish.connect(note)
    from shop.tasks import add
    add.delay_on_commit(1, 2)
    print(json.dumps(len(sent)))
    """
    assert project(script) == 1


def test_worker(project: Any) -> None:
    script = """
    testing = importlib.import_module(ROOT + ".contrib.testing.worker")
    from shop.tasks import add
    app.loader.import_default_modules()
    with testing.start_worker(app, pool="threads", perform_ping_check=False, loglevel="error", shutdown_timeout=30):
        print(json.dumps(add.delay(1, 2).get(timeout=20, interval=0.01)))
    """
    assert project(script) == 3


def test_the_clock_of_django(project: Any) -> None:
    script = """
    from django.utils import timezone
    now = app.now()
    print(json.dumps([now.tzinfo is not None, abs((timezone.now() - now).total_seconds()) < 5, str(app.timezone)]))
    """
    assert project(script) == [True, True, "Europe/Oslo"]


def test_no_fixup_without_the_variable(tmp_path: Path) -> None:
    code = f"from {ROOT} import Celery; app = Celery('x'); print([type(f).__name__ for f in app._fixups if f])"
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tempfile.gettempdir(),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert json.loads(done.stdout) == [], done.stderr


def test_settings_are_read_without_setup(project: Any, observed: Any) -> None:
    said = project(
        """
        from project_celery import app
        print(json.dumps([app.conf.task_default_queue, app.conf.broker_url, app.conf.result_backend]))
        """,
        setup=False,
    )
    observed("settings", said)


def test_overridden_settings_are_seen(project: Any, observed: Any) -> None:
    said = project(
        """
        from django.test import override_settings
        from project_celery import app
        seen = [app.conf.task_default_queue]
        with override_settings(CELERY_TASK_DEFAULT_QUEUE="other", CELERY_TASK_ALWAYS_EAGER=True):
            seen += [app.conf.task_default_queue, app.conf.task_always_eager]
        print(json.dumps(seen + [app.conf.task_default_queue, app.conf.task_always_eager]))
        """
    )
    observed("settings", said)
