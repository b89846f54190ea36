"""mypy on programs that use the package: the types it reveals and the errors it finds, line by line.

A line of a sample says `# R: type` (what `reveal_type` shows ends with it) or `# E: code`; all other lines are clean.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import brokerless

pytest.importorskip("mypy", reason="needs mypy (the extra `lint`)")

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.py"))
REVEALED = re.compile(r'Revealed type is "(.*)"')
CODE = re.compile(r"\[([a-z-]+)\]$")
SHORT = re.compile(r"builtins\.|(?:brokerless|sample)\.(?:\w+\.)*")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


def said_by_mypy(sample: Path, folder: Path, cache: Path) -> dict[int, list[str]]:
    """What mypy says of a copy of the sample, by line: `R: type` and `E: code`."""
    (folder / "sample.py").write_text(sample.read_text())
    home = Path(brokerless.__file__).parent.parent
    # mypy finds installed packages by itself, and refuses to be shown their folder
    shown = {} if home.name == "site-packages" else {"MYPYPATH": str(home)}
    command = [sys.executable, "-m", "mypy", "--strict", "--no-color-output", "--no-error-summary"]
    command += ["--cache-dir", str(cache), "--follow-imports", "silent", "sample.py"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **shown, "PYTHONPATH": ""}, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[int, list[str]] = {}
    for line in done.stdout.splitlines():
        name, number, kind, text = line.split(":", 3)
        assert name == "sample.py", line
        revealed, code = REVEALED.search(text), CODE.search(text)
        if revealed:
            found.setdefault(int(number), []).append("R: " + SHORT.sub("", revealed.group(1)))
        elif kind.strip() == "error":
            assert code is not None, line
            found.setdefault(int(number), []).append(f"E: {code.group(1)}")
    return found


@pytest.mark.timeout(180)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample(sample: Path, tmp_path: Path, cache: Path) -> None:
    expected = {
        number: [line.partition("  # ")[2]]
        for number, line in enumerate(sample.read_text().splitlines(), 1)
        if re.search(r"  # [RE]: ", line)
    }
    assert len(expected) > 5
    assert said_by_mypy(sample, tmp_path, cache) == expected
