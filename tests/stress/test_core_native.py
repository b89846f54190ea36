"""The C tests of the core again and again: other schedules each time, as shipped and under the thread sanitizer."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REPEAT = {"plain": "4", "asan": "4", "tsan": "2"}


@pytest.mark.stress
@pytest.mark.timeout(400)
@pytest.mark.parametrize("variant", sorted(REPEAT))
def test_c_tests_repeated(variant: str, tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("no cmake")
    environment = {**os.environ, "BL_REPEAT": REPEAT[variant], "BL_TIMEOUT": "300", "BL_BUILD_DIR": str(tmp_path)}
    done = subprocess.run(
        [ROOT / "native" / "tests" / "run.sh", variant],
        env=environment,
        capture_output=True,
        text=True,
        timeout=390,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "100% tests passed" in done.stdout
