"""The README's Python code runs as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_there_is_code_in_the_readme() -> None:
    assert BLOCKS


@pytest.mark.parametrize("code", BLOCKS, ids=[f"block{number}" for number in range(len(BLOCKS))])
def test_a_block_runs(code: str, tmp_path: Path) -> None:
    program = tmp_path / "block.py"
    program.write_text(code)
    done = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr


def test_the_first_example_prints_what_it_says(tmp_path: Path) -> None:
    program = tmp_path / "first.py"
    program.write_text(BLOCKS[0])
    printed = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=30).stdout
    assert "done: report.pdf" in printed
    assert "[256, 1024]" in printed
    # Two threads print: a line of one may end in a line of the other.
    assert printed.count("first") == 1
    assert printed.count("later") == 1
