"""pytest fixtures under Celery's names: apps and workers for tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NO_WORKER = os.environ.get("NO_WORKER")


def pytest_configure(config: Any) -> None:
    # tests start workers themselves; a worker that starts by itself would outlive them
    os.environ.setdefault("BROKERLESS_AUTOSTART", "0")
    config.addinivalue_line("markers", "celery(**overrides): override celery configuration for a test case")


@contextmanager
def _create_app(
    enable_logging: bool = False, use_trap: bool = False, parameters: Any = None, **config: Any
) -> Iterator[Any]:
    from .testing.app import TestApp, setup_default_app

    app = TestApp(set_as_current=False, enable_logging=enable_logging, config=config, **(parameters or {}))
    with setup_default_app(app, use_trap=use_trap):
        yield app


def _config(request: Any, celery_config: Any) -> dict[str, Any]:
    mark = request.node.get_closest_marker("celery")
    return {**celery_config, **(mark.kwargs if mark else {})}


@contextmanager
def _worker(app: Any, includes: Any, pool: str, parameters: Any) -> Iterator[Any]:
    from .testing import worker

    if NO_WORKER:
        yield None
        return
    for module in includes:
        app.loader.import_task_module(module)
    with worker.start_worker(app, pool=pool, **parameters) as started:
        yield started


@pytest.fixture(scope="session")
def use_celery_app_trap() -> bool:
    """Override to make any use of the current app an error."""
    return False


@pytest.fixture(scope="session")
def celery_enable_logging() -> bool:
    """Override to let the app set up logging."""
    return False


@pytest.fixture(scope="session")
def celery_includes() -> Any:
    """Override to import modules when a worker starts."""
    return ()


@pytest.fixture(scope="session")
def celery_worker_pool() -> str:
    """Override to choose the pool."""
    return "solo"


@pytest.fixture(scope="session")
def celery_config() -> Any:
    """Override to set settings of the test app."""
    return {}


@pytest.fixture(scope="session")
def celery_parameters() -> Any:
    """Override to pass arguments to the test app."""
    return {}


@pytest.fixture(scope="session")
def celery_worker_parameters() -> Any:
    """Override to pass arguments to the worker."""
    return {}


@pytest.fixture(scope="session")
def celery_class_tasks() -> list[Any]:
    """Override to register class tasks with the session's app."""
    return []


@pytest.fixture(scope="session")
def celery_session_app(
    request: Any, celery_config: Any, celery_parameters: Any, celery_enable_logging: Any, use_celery_app_trap: Any
) -> Iterator[Any]:
    """An app for the whole session."""
    with _create_app(
        enable_logging=celery_enable_logging,
        use_trap=use_celery_app_trap,
        parameters=celery_parameters,
        **_config(request, celery_config),
    ) as app:
        if not use_celery_app_trap:
            app.set_default()
            app.set_current()
        yield app


@pytest.fixture(scope="session")
def celery_session_worker(
    request: Any,
    celery_session_app: Any,
    celery_includes: Any,
    celery_class_tasks: Any,
    celery_worker_pool: Any,
    celery_worker_parameters: Any,
) -> Iterator[Any]:
    """A worker for the whole session."""
    for task in celery_class_tasks:
        celery_session_app.register_task(task)
    with _worker(celery_session_app, celery_includes, celery_worker_pool, celery_worker_parameters) as started:
        yield started


@pytest.fixture
def celery_app(
    request: Any, celery_config: Any, celery_parameters: Any, celery_enable_logging: Any, use_celery_app_trap: Any
) -> Iterator[Any]:
    """An app for one test."""
    with _create_app(
        enable_logging=celery_enable_logging,
        use_trap=use_celery_app_trap,
        parameters=celery_parameters,
        **_config(request, celery_config),
    ) as app:
        yield app


@pytest.fixture
def celery_worker(
    request: Any, celery_app: Any, celery_includes: Any, celery_worker_pool: Any, celery_worker_parameters: Any
) -> Iterator[Any]:
    """A worker for one test."""
    with _worker(celery_app, celery_includes, celery_worker_pool, celery_worker_parameters) as started:
        yield started


@pytest.fixture
def depends_on_current_app(celery_app: Any) -> None:
    """Make the test app the current one."""
    celery_app.set_current()
