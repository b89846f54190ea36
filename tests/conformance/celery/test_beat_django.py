"""The real django-celery-beat: its models, its scheduler as a service, changes in the database while it runs.

Each test is a process of its own with a database in a file; on the shim side `import celery` is the shim there.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.recording import SIDE

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("django_celery_beat") is None, reason="django-celery-beat is not installed"
)

OPENING = "" if SIDE == "oracle" else 'import brokerless.compat\nbrokerless.compat.install("celery")\n'
COMMON = """
import datetime, json, os, threading, time
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django_celery_beat"], USE_TZ=True, SECRET_KEY="x",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField", DJANGO_CELERY_BEAT_TZ_AWARE=True,
    MIGRATION_MODULES={"django_celery_beat": None, "contenttypes": None},
)
django.setup()
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
from celery import Celery, schedules
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks, SolarSchedule
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

app = Celery("addon", broker="memory://", backend="cache+memory://")
app.conf.broker_transport_options = {"polling_interval": 0.01}
app.conf.worker_hijack_root_logger = False
ran = []

@app.task(name="note")
def note(*args, **kwargs):
    ran.append([list(args), kwargs])

def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.005)

def every(seconds):
    unit = IntervalSchedule.SECONDS if seconds >= 1 else IntervalSchedule.MICROSECONDS
    number = seconds if seconds >= 1 else int(seconds * 10 ** 6)
    return IntervalSchedule.objects.get_or_create(every=number, period=unit)[0]

def periodic(name, **fields):
    return PeriodicTask.objects.create(**{"name": name, "task": "note", "interval": every(0.05), **fields})
"""


@pytest.fixture
def said(tmp_path: Path) -> Any:
    """Runs a script after the common part; the last line that it prints, as JSON."""

    def run(script: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", OPENING + COMMON + textwrap.dedent(script)],
            cwd=tmp_path,
            env={**os.environ, "BROKERLESS_AUTOSTART": "0", "DATABASE": str(tmp_path / "db.sqlite3")},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_a_service_with_the_database(said: Any, observed: Any) -> None:
    script = """
    from celery.beat import Service
    from celery.contrib.testing.worker import start_worker
    periodic("often", args='["a", 1]', kwargs='{"k": [2]}')
    periodic("off", args='["off"]', enabled=False)
    service = Service(app, max_interval=0.1, scheduler_cls="django_celery_beat.schedulers:DatabaseScheduler")
    thread = threading.Thread(target=lambda: (app.set_current(), service.start()))
    with start_worker(app, pool="threads", concurrency=1, perform_ping_check=False, loglevel="error"):
        thread.start()
        until(lambda: len(ran) >= 2)
        model = PeriodicTask.objects.get(name="often")
        model.args = '["changed"]'
        model.save()
        until(lambda: ran[-1][0] == ["changed"])
        service.stop(wait=True)
        thread.join()
    model.refresh_from_db()
    off = PeriodicTask.objects.get(name="off")
    print(json.dumps([
        sorted({json.dumps(call) for call in ran}), model.total_run_count >= 3, model.last_run_at is not None,
        off.total_run_count, type(service.scheduler).__name__,
    ]))
    """
    observed("said", said(script))


def test_entries_of_the_settings_go_into_the_database(said: Any, observed: Any) -> None:
    script = """
    app.conf.beat_schedule = {
        "cron": {"task": "note", "schedule": schedules.crontab(minute="*/5", hour="1-3"), "args": (1,)},
        "interval": {"task": "note", "schedule": 30.0, "kwargs": {"a": 1}, "options": {"queue": "q", "priority": 3}},
        "delta": {"task": "note", "schedule": datetime.timedelta(days=2)},
        "expires": {"task": "note", "schedule": 30.0, "options": {"expires": 5, "expire_seconds": 7}},
    }
    scheduler = DatabaseScheduler(app=app)
    models = {
        model.name: [model.task, str(model.schedule), model.args, model.kwargs, model.queue, model.priority,
                     model.expire_seconds, model.enabled]
        for model in PeriodicTask.objects.order_by("name")
    }
    entries = {name: [repr(entry), entry.options] for name, entry in sorted(scheduler._schedule.items())}
    print(json.dumps([models, entries, scheduler.max_interval]))
    """
    observed("said", said(script))


def test_what_is_due(said: Any, observed: Any) -> None:
    script = """
    now = datetime.datetime.now(datetime.timezone.utc)
    hour = datetime.timedelta(hours=1)
    long = every(3600)
    rows = {
        "due": dict(interval=long, last_run_at=now - 2 * hour),
        "not due": dict(interval=long, last_run_at=now),
        "starts later": dict(interval=long, last_run_at=now - 2 * hour, start_time=now + hour),
        "has started": dict(interval=long, start_time=now - hour),
        "expired": dict(interval=long, last_run_at=now - 2 * hour, expires=now - hour),
        "one off, new": dict(interval=long, last_run_at=now - 2 * hour, one_off=True),
        "one off, run": dict(interval=long, last_run_at=now - 2 * hour, one_off=True, total_run_count=1),
        "crontab": dict(
            interval=None, last_run_at=now - 48 * hour,
            crontab=CrontabSchedule.objects.create(minute="0", hour="4", timezone="Asia/Tokyo"),
        ),
    }
    found = {}
    for name, fields in rows.items():
        model = periodic(name, **fields)
        due, following = ModelEntry(model, app=app).is_due()
        model.refresh_from_db()
        found[name] = [due, following > 0, model.enabled]
    print(json.dumps(found))
    """
    observed("said", said(script))


def test_ticks(said: Any, observed: Any) -> None:
    script = """
    sent = []
    class Noting(DatabaseScheduler):
        def apply_async(self, entry, producer=None, advance=True, **kwargs):
            sent.append(entry.name)
    long = every(3600)
    past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=2)
    periodic("a", interval=long, last_run_at=past)
    periodic("b", interval=long)
    scheduler = Noting(app=app)
    answers = [round(scheduler.tick(), 1) for _ in range(3)]
    periodic("c", interval=long, last_run_at=past)
    answers += [scheduler.schedule_changed(), scheduler.tick() >= 0]
    scheduler.tick()
    scheduler.sync()
    counts = dict(PeriodicTask.objects.exclude(name="celery.backend_cleanup").values_list("name", "total_run_count"))
    print(json.dumps([sorted(sent), answers[:3], counts, sorted(scheduler.schedule)]))
    """
    observed("said", said(script))


def test_models_from_schedules(said: Any, observed: Any) -> None:
    script = """
    cron = schedules.crontab(minute=1, hour="2,3", day_of_week="mon", day_of_month="4", month_of_year="5")
    model, field = ModelEntry.to_model_schedule(cron)
    back = model.schedule
    interval, of = ModelEntry.to_model_schedule(schedules.schedule(90))
    try:
        ModelEntry.to_model_schedule(schedules.BaseSchedule())
        refused = None
    except Exception as exc:
        refused = type(exc).__name__
    print(json.dumps([
        [field, str(model), type(back).__name__, isinstance(back, schedules.crontab), sorted(back.hour)],
        [of, interval.every, interval.period, repr(interval.schedule)], refused,
    ]))
    """
    observed("said", said(script))
