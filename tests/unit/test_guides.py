"""The Python code of the guides in docs/ runs as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from brokerless import core

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ("recurring.md", "web-apps.md")
BLOCKS = [
    pytest.param(code, id=f"{page}-{number}")
    for page in PAGES
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))
]


def test_there_is_code() -> None:
    assert len(BLOCKS) >= len(PAGES)


@pytest.mark.parametrize("code", BLOCKS)
def test_a_block_runs(code: str, tmp_path: Path) -> None:
    if "flask" in code:
        pytest.importorskip("flask")
    program = tmp_path / "block.py"
    program.write_text(code)
    environment = {**os.environ, "BROKERLESS_CORE": core.CORE, "BROKERLESS_LOCK_DIR": str(tmp_path / "locks")}
    done = subprocess.run(
        [sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=30, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert done.stdout
