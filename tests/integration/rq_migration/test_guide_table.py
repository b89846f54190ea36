"""The table of `from_rq.md`: it names everything that RQ's users import, and each test that it links exists."""

from __future__ import annotations

import re

import pytest

from tests.conformance.recording import difference_rows
from tests.conformance.rq.names import _PUBLIC

from .guide import GUIDE, ROOT, Row, rows

ROWS = rows()


def test_there_is_a_table() -> None:
    assert len(ROWS) >= 70
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(row: Row) -> None:
    assert re.match(r"works|differs: `|not yet", row.state), row.state
    if row.state == "not yet":
        assert not row.test, "a test of what is not there yet"
        return
    file = GUIDE.parent / row.path
    assert file.is_file(), f"{row.path} does not exist"
    assert re.search(rf"^(async )?def {row.test}\(", file.read_text(), re.MULTILINE), f"{row.test} is not in {row.path}"


def test_differences_that_the_table_names_are_rows() -> None:
    known = difference_rows(ROOT)
    named = {name for row in ROWS for name in re.findall(r"differs: `([^`]+)`", row.state)}
    assert named <= known
    without_row = {name for name in known if name.startswith("rq-")} - named
    assert not without_row, f"differences that the table does not name: {sorted(without_row)}"


@pytest.mark.parametrize("name", sorted({name for names in _PUBLIC.values() for name in names}))
def test_every_public_name_is_in_the_table(name: str) -> None:
    words = set(re.findall(r"\w+", " ".join(row.name for row in ROWS)))
    assert name in words
