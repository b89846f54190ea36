"""What a wheel holds, and that one built without a compiler installs and works."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MINUTES = 10

pytestmark = pytest.mark.timeout(MINUTES * 60)


def run(*command: str | Path, **environment: str) -> str:
    """Run a command away from the sources and return its output; its failure shows it."""
    result = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **environment},
        cwd=Path(sys.prefix),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=MINUTES * 60,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def build(folder: Path, **environment: str) -> Path:
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, **environment)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def wheel_without_compiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"), CC="/bin/false")


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_a_wheel_installs_the_package_and_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"brokerless"}


def test_a_wheel_holds_the_extension_and_no_sources_of_it(wheel: Path) -> None:
    files = names(wheel)
    assert [name for name in files if name.startswith("brokerless/native/_engine.")]
    assert not [name for name in files if name.endswith((".c", ".h", ".cdef.txt", ".sh"))]
    assert "brokerless/py.typed" in files


def test_a_wheel_holds_every_module(wheel: Path) -> None:
    expected = {f"brokerless/{path.relative_to(ROOT / 'brokerless')}" for path in (ROOT / "brokerless").rglob("*.py")}
    expected |= {f"brokerless/compat/{path.relative_to(ROOT / 'compat')}" for path in (ROOT / "compat").rglob("*.py")}
    assert expected <= set(names(wheel))


def test_without_a_compiler_the_wheel_has_no_extension(wheel_without_compiler: Path) -> None:
    assert not [name for name in names(wheel_without_compiler) if name.endswith(".so")]


def test_without_a_compiler_the_pure_core_serves_and_says_so_once(wheel_without_compiler: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel_without_compiler)
    program = (
        "import logging; logging.basicConfig(); import brokerless, brokerless.core\n"
        "with brokerless.BackgroundTasks(workers=2) as tasks:\n"
        "    print(brokerless.CORE, tasks.add_task(pow, 2, 10).result(10))\n"
    )
    printed = run(python, "-c", program).splitlines()
    assert printed[-1] == "pure 1024"
    assert len([line for line in printed if "pure Python core serves instead" in line]) == 1
