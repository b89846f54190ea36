"""The Flask application and its Celery app: tasks run inside the application's context."""

from __future__ import annotations

import os

from celery import Celery, Task
from flask import Flask


def make_celery(app):
    """Return the Celery app of a Flask application, configured by its ``CELERY`` mapping."""

    class ContextTask(Task):
        def __call__(self, *args, **kwargs):
            with app.app_context():
                return self.run(*args, **kwargs)

    celery = Celery(app.import_name, task_cls=ContextTask)
    celery.config_from_object(app.config["CELERY"])
    celery.set_default()
    app.extensions["celery"] = celery
    return celery


def make_app():
    """Return the Flask application."""
    app = Flask("gallery")
    redis = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
    app.config.update(
        SOURCE="https://pictures.example.org",
        CELERY={
            "broker_url": redis,
            "result_backend": redis,
            "task_track_started": True,
            "imports": ["gallery.tasks"],
        },
    )
    make_celery(app)
    return app
