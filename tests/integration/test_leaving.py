"""The program of `migration_guides/leaving.md`: on the shim as it is printed, on the real Celery after the edit that it names.

``CONFORMANCE_SIDE=oracle`` makes the edit and runs it with redis-server and a worker process, the default runs it alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.recording import SIDE
from tests.processes import end
from tests.redis_server import executable, redis_server

GUIDE = Path(__file__).resolve().parents[2] / "migration_guides" / "leaving.md"
_BLOCK = re.compile(r'^```python title="leaving/(?P<title>[^"]+)"\n(?P<code>.*?)^```$', re.MULTILINE | re.DOTALL)
_EDIT = re.compile(r"^from brokerless\.compat\.celery_shim (import .*?)  # back: from celery$", re.MULTILINE)


def written(folder: Path) -> None:
    """Write the program; on the oracle's side with the edit."""
    found = {block["title"]: block["code"] for block in _BLOCK.finditer(GUIDE.read_text())}
    assert set(found) == {"tasks.py", "settings.py", "main.py"}
    assert _EDIT.search(found["tasks.py"])
    for title, code in found.items():
        (folder / title).write_text(_EDIT.sub(r"from celery \1", code) if SIDE == "oracle" else code)


def test_the_program_gives_the_same_on_both_sides(tmp_path: Path) -> None:
    written(tmp_path)
    variables = {**os.environ, "C_FORCE_ROOT": "1"}
    variables.pop("BROKERLESS_AUTOSTART", None)
    with ExitStack() as stack:
        if SIDE == "oracle":
            if executable() is None:
                (pytest.fail if os.environ.get("CI") else pytest.skip)("redis-server is missing")
            variables["REDIS_URL"] = f"redis://127.0.0.1:{stack.enter_context(redis_server())}/0"
            command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-c", "2"]
            stack.callback(end, subprocess.Popen(command, cwd=tmp_path, env=variables, text=True))
        done = subprocess.run(
            [sys.executable, "main.py"], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=50
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "60"


def test_the_links_of_the_guide() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", GUIDE.read_text())
    assert len(links) >= 4
    assert [link for link in links if not (GUIDE.parent / link).exists()] == []


@pytest.mark.parametrize(
    "example", ["celery_django/shop/engine.py", "celery_flask/gallery/engine.py", "rq_app/engine.py"]
)
def test_only_one_file_of_an_example_knows_of_the_shim(example: str) -> None:
    folder = GUIDE.parents[1] / "examples" / example.partition("/")[0]
    shim = re.compile(r"^\s*(from|import) brokerless", re.MULTILINE)
    knowing = {path.name for path in folder.rglob("*.py") if shim.search(path.read_text())}
    assert knowing == {"engine.py"}
