"""What stands in the way of a task before it runs ends the task, and is logged: nobody waits for ever."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from brokerless.compat.celery_shim import Celery


def test_an_app_that_cannot_be_finalized_fails_its_tasks(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Celery):
        def finalize(self, auto: bool = False) -> None:
            raise ImportError("no module named settings")

    app: Any = Broken("broken", set_as_current=False)
    with caplog.at_level(logging.CRITICAL, "celery.worker"):
        result = app.send_task("anything")
        with pytest.raises(ImportError, match="no module named settings"):
            result.get(timeout=20)
    assert "could not be run" in caplog.text
    app.close()
