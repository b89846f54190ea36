"""Settings of the project."""

from __future__ import annotations

import os
from pathlib import Path

from .engine import APPS

BASE_DIR = Path(__file__).resolve().parent.parent
REDIS = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")

SECRET_KEY = "for the example only"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INSTALLED_APPS = ["orders", *APPS]
ROOT_URLCONF = "shop.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", BASE_DIR / "shop.sqlite3"),
        "OPTIONS": {"timeout": 20},  # seconds: several processes write
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

CELERY_BROKER_URL = REDIS
CELERY_RESULT_BACKEND = REDIS
CELERY_TASK_TRACK_STARTED = True
CELERY_TASK_TIME_LIMIT = 60
CELERY_BEAT_SCHEDULE_FILENAME = os.environ.get("SHOP_SCHEDULE", str(BASE_DIR / "celerybeat-schedule"))
CELERY_BEAT_SCHEDULE = {
    "count-open-orders": {"task": "orders.tasks.count_open", "schedule": 1.0},
}
