"""Django: settings, models and database connections around the app and its workers.

Installed when ``DJANGO_SETTINGS_MODULE`` is set. Tasks run on threads, so each worker thread has connections of its
own, which are closed around every task as in Celery.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from datetime import datetime, timezone
from importlib import import_module
from typing import Any
from uuid import uuid4

from .. import _state, signals
from ..exceptions import FixupWarning, ImproperlyConfigured
from ..local import Proxy
from ..utils.imports import symbol_by_name
from ..utils.lean import cached_property
from ..utils.log import get_logger

__all__ = ("DjangoFixup", "fixup")

logger = get_logger("celery.fixups.django")

ERR_NOT_INSTALLED = """\
Environment variable DJANGO_SETTINGS_MODULE is defined
but Django isn't installed.  Won't apply Django fix-ups!
"""


def _maybe_close_fd(fh: Any) -> None:
    try:
        os.close(fh.fileno())
    except (AttributeError, OSError, TypeError):
        pass  # not a socket, or closed already


def _unwrap_app(app: Any) -> Any:
    return app._get_current_object() if isinstance(app, Proxy) else app


def _verify_django_version(django: Any) -> None:
    if django.VERSION < (1, 11):
        raise ImproperlyConfigured("Celery 5.x requires Django 1.11 or later.")


def fixup(app: Any, env: str = "DJANGO_SETTINGS_MODULE") -> Any:
    """The fixup, installed; None outside Django."""
    if not os.environ.get(env) or "django" in app.loader_cls.lower():
        return None
    try:
        import django
    except ImportError:
        warnings.warn(FixupWarning(ERR_NOT_INSTALLED), stacklevel=2)
        return None
    _verify_django_version(django)
    return DjangoFixup(app).install()


class DjangoFixup:
    """The app's side."""

    def __init__(self, app: Any) -> None:
        self.app = app
        if _state.default_app is None:
            self.app.set_default()
        self._worker_fixup: Any = None
        self._worker_init_uid = ("celery.fixups.django.DjangoFixup.on_worker_init", uuid4().hex)

    def install(self) -> DjangoFixup:
        # manage.py puts the project's folder there, the worker's command line does not
        sys.path.insert(0, os.getcwd())
        self._settings = symbol_by_name("django.conf:settings")
        self.app.loader.now = self.now
        if not self.app._custom_task_cls_used:
            self.app.task_cls = "celery.contrib.django.task:DjangoTask"
        signals.import_modules.connect(self.on_import_modules, sender=self.app)
        signals.worker_init.connect(self.on_worker_init, dispatch_uid=self._worker_init_uid)
        return self

    @property
    def worker_fixup(self) -> Any:
        if self._worker_fixup is None:
            self._worker_fixup = DjangoWorkerFixup(self.app)
        return self._worker_fixup

    @worker_fixup.setter
    def worker_fixup(self, value: Any) -> None:
        self._worker_fixup = value

    def on_import_modules(self, **kwargs: Any) -> None:
        self.worker_fixup.validate_models()

    def on_worker_init(self, **kwargs: Any) -> None:
        worker = kwargs.get("sender")
        if worker:
            owner = _unwrap_app(getattr(worker, "app", None))
            if owner is not None and owner is not _unwrap_app(self.app):
                logger.debug(
                    "Django fixup of app %r ignores worker_init of %r: the worker belongs to app %r, whose own "
                    "fixup handles it.",
                    self.app,
                    worker,
                    owner,
                )
                return
            self.worker_fixup.worker = worker
        else:
            warnings.warn(
                "DjangoFixup.on_worker_init called without a sender (worker instance). This may indicate a "
                "misconfiguration or an internal error.",
                FixupWarning,
                stacklevel=2,
            )
        self.worker_fixup.install()

    def now(self, utc: bool = False) -> datetime:
        return datetime.now(timezone.utc) if utc else self._now()

    @cached_property
    def _now(self) -> Any:
        return symbol_by_name("django.utils.timezone:now")

    def autodiscover_tasks(self) -> list[str]:
        from django.apps import apps

        return [config.name for config in apps.get_app_configs()]


class DjangoWorkerFixup:
    """The worker's side: connections."""

    _db_recycles = 0
    worker: Any = None

    def __init__(self, app: Any) -> None:
        self.app = app
        self.db_reuse_max = app.conf.get("CELERY_DB_REUSE_MAX", None)
        self._db = import_module("django.db")
        self._cache = import_module("django.core.cache")
        self._settings = symbol_by_name("django.conf:settings")
        self.interface_errors = (symbol_by_name("django.db.utils.InterfaceError"),)
        self.DatabaseError = symbol_by_name("django.db:DatabaseError")

    def django_setup(self) -> None:
        import django

        django.setup()

    def validate_models(self) -> None:
        from django.core.checks import run_checks

        self.django_setup()
        if not os.environ.get("CELERY_SKIP_CHECKS"):
            run_checks()

    def install(self) -> DjangoWorkerFixup:
        signals.beat_embedded_init.connect(self.close_database)
        signals.task_prerun.connect(self.on_task_prerun)
        signals.task_postrun.connect(self.on_task_postrun)
        signals.worker_process_init.connect(self.on_worker_process_init)
        self.close_database()
        self.close_cache()
        return self

    def on_worker_process_init(self, **kwargs: Any) -> None:
        # a spawned child has not set Django up yet
        if os.environ.get("FORKED_BY_MULTIPROCESSING"):
            self.validate_models()
        for connection in self._db.connections.all():
            if connection and connection.connection:
                self._maybe_close_db_fd(connection)
        self._close_database()
        self.close_cache()

    def _maybe_close_db_fd(self, c: Any) -> None:
        try:
            with c.wrap_database_errors:
                _maybe_close_fd(c.connection)
        except self.interface_errors:
            pass

    def on_task_prerun(self, sender: Any, **kwargs: Any) -> None:
        # an eager task runs inside its caller's transaction
        if not getattr(sender.request, "is_eager", False):
            self.close_database()

    def on_task_postrun(self, sender: Any, **kwargs: Any) -> None:
        if not getattr(sender.request, "is_eager", False):
            self.close_database()
            self.close_cache()

    def close_database(self, **kwargs: Any) -> None:
        if not self.db_reuse_max:
            self._close_database()
            return
        if self._db_recycles >= self.db_reuse_max * 2:
            self._db_recycles = 0
            self._close_database()
        self._db_recycles += 1

    def _is_prefork(self) -> bool:
        if self.worker is None:
            return False
        pool = self.worker.pool_cls
        return "prefork" in (pool if isinstance(pool, str) else pool.__module__)

    def _close_database(self) -> None:
        try:
            connections = self._db.connections.all(initialized_only=True)
        except TypeError:  # Django before 4.1
            connections = self._db.connections.all()
        prefork = self._is_prefork()
        for connection in connections:
            try:
                connection.close()
                options = self._settings.DATABASES.get(connection.alias, {}).get("OPTIONS", {})
                if options.get("pool") and prefork and hasattr(connection, "close_pool"):
                    with contextlib.suppress(KeyError):
                        connection.close_pool()
            except self.interface_errors:
                pass
            except self.DatabaseError as exc:
                if not any(word in str(exc) for word in ("closed", "not connected")):
                    raise

    def close_cache(self) -> None:
        try:
            self._cache.close_caches()
        except (TypeError, AttributeError):
            pass
