"""The flows of the web examples on the real Catzilla, whose own task methods `enable_background_tasks` replaces."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import web
from tests.integration.servers.served import free_port

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("catzilla") is None, reason="catzilla is not installed: pip install '.[catzilla]'"
)

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def server() -> Iterator[web.Server]:
    port = free_port()
    with web.serving([HERE / "catzilla_app.py", str(port)], port, HERE) as made:
        yield made


def test_a_report_from_its_start_to_its_result(server: web.Server) -> None:
    web.report(server)


def test_progress_and_cancel(server: web.Server) -> None:
    web.progress_and_cancel(server)


def test_a_batch_a_chain_and_callbacks(server: web.Server) -> None:
    web.chain_batch_and_callbacks(server)


def test_figures(server: web.Server) -> None:
    web.figures(server, workers=2)
