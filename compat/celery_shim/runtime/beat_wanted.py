"""Whether an app has anything to schedule, and by which scheduler; asked before anything of beat is loaded."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ("DEFAULT_SCHEDULER", "has_schedule", "scheduler_of")

DEFAULT_SCHEDULER = "celery.beat:PersistentScheduler"
_DATABASE = "django_celery_beat.schedulers:DatabaseScheduler"


def scheduler_of(app: Any) -> Any:
    """The scheduler's class or name: the setting, or django-celery-beat's where that is an installed Django app."""
    said = app.conf.beat_scheduler
    django = sys.modules.get("django.apps")
    if (
        said == DEFAULT_SCHEDULER
        and django is not None
        and django.apps.ready
        and django.apps.is_installed("django_celery_beat")
    ):
        return _DATABASE
    return said


def has_schedule(app: Any) -> bool:
    """Whether there is anything to schedule, as far as the settings know."""
    return bool(app.conf.beat_schedule) or scheduler_of(app) != DEFAULT_SCHEDULER
