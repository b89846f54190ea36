"""Applications that come and go in some threads while another one looks through them all, as the worker does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from brokerless.compat.celery_shim import Celery, _state

from ..rig import beside


@pytest.fixture
def app() -> Iterator[Any]:
    app: Any = Celery("stays", set_as_current=False)
    yield app
    app.close()


def test_looking_through_the_apps_while_others_are_made(app: Any) -> None:
    kept = [Celery(f"app {number}", set_as_current=False) for number in range(100)]
    with beside(lambda: Celery("fleeting", set_as_current=False)):
        for _ in range(500):
            assert app in list(_state._get_active_apps())
    for one in kept:
        one.close()
    assert app in _state._get_active_apps()
    assert not set(kept) & set(_state._get_active_apps())
