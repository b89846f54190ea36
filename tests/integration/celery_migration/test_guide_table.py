"""The table of `from_celery.md`: each state is one of three, and each test that it names exists."""

from __future__ import annotations

import re

import pytest

from .guide import GUIDE, Feature, features

ROWS = features()


def test_there_is_a_table() -> None:
    assert len(ROWS) >= 40
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(row: Feature) -> None:
    assert row.state in ("works", "differs", "not yet")
    if row.state == "not yet":
        assert not row.test, "a test of a feature that is not there yet"
        return
    file = GUIDE.parent / row.path
    assert file.is_file(), f"{row.path} does not exist"
    assert re.search(rf"^\s*(async )?def {row.test}\(", file.read_text(), re.MULTILINE), (
        f"{row.test} is not in {file.name}"
    )
