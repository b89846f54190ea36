"""docs/deployment.md: every test that it names exists, every cell of the servers' table says something, the code runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "deployment.md"
TEXT = PAGE.read_text()
LINKS = sorted(set(re.findall(r"\]\(([^)#]+)#(\w+)\)", TEXT)))
SAID = ("there is none", "there are none", "lost", "")
"""What a cell may say without a test; "lost" is tested in its row."""


def test_there_are_links() -> None:
    assert len(LINKS) >= 20
    assert len(re.findall(r"\]\((?!http)[^)]*\)", TEXT)) == len(re.findall(r"\]\([^)#]+#\w+\)", TEXT))


@pytest.mark.parametrize(("path", "test"), LINKS, ids=[f"{Path(path).stem}-{test}" for path, test in LINKS])
def test_link(path: str, test: str) -> None:
    file = PAGE.parent / path
    assert file.is_file(), f"{path} does not exist"
    assert re.search(rf"^def {test}\(", file.read_text(), re.MULTILINE), f"{test} is not in {path}"


def test_cells() -> None:
    rows = [line for line in TEXT.split("## Servers")[1].splitlines() if line.startswith("|")][2:]
    assert len(rows) == 6
    for row in rows:
        first, *cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert first and len(cells) == 4
        assert all("#test_" in cell or cell in SAID for cell in cells), row
        assert any("#test_" in cell for cell in cells)


def test_code(tmp_path: Path) -> None:
    [code] = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    program = tmp_path / "program.py"
    program.write_text(code)
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=30, cwd=tmp_path, check=True
    )
    assert (done.stdout, done.stderr) == ("done before the process ends\n", "")
