"""The place in which upstream's tests run: the sdist's `t/` folder, a virtual environment, a Redis of our own.

The environment for the shim has no celery in it; the one for the real package proves that the fair tests can
pass. Both live in tests/upstream/.cache, which git ignores.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Iterator
from pathlib import Path

from tests.redis_server import executable, redis_server

VERSION = "5.7.0"
CACHE = Path(__file__).resolve().parent.parent / ".cache" / "celery"
NEEDS = (
    "pytest>=9,<10 pytest-subtests pytest-timeout pytest-click pytest-order redis pydantic msgpack pyyaml "
    "cryptography sqlalchemy ephem tblib freezegun==1.5.5 kombu==5.7.0 billiard==4.3.2 vine==5.1.0 click "
    "click-didyoumean click-repl click-plugins python-dateutil tzlocal cffi croniter"
).split()
DJANGO = "django<6"


def sources() -> Path:
    """Return the folder with upstream's `t/` and pyproject.toml; download it the first time."""
    folder = CACHE / f"suite-{VERSION}"
    if not (folder / "t").is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            "celery",
            f"celery=={VERSION}",
            "-d",
            str(CACHE),
        ]
        subprocess.run(command, check=True)
        with tarfile.open(CACHE / f"celery-{VERSION}.tar.gz") as archive:
            archive.extractall(CACHE / "sdist", filter="data")
        unpacked = CACHE / "sdist" / f"celery-{VERSION}"
        folder.mkdir(exist_ok=True)
        shutil.copytree(unpacked / "t", folder / "t", dirs_exist_ok=True)
        shutil.copy(unpacked / "pyproject.toml", folder)
        shutil.rmtree(CACHE / "sdist")
    return folder


def python(real: bool, package: str | None) -> Path:
    """Return the interpreter of the environment with the real celery, or with `package` (a wheel or a path)."""
    folder = CACHE / ("venv-real" if real else "venv-shim")
    program = folder / "bin" / "python"
    pip = [str(program), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([*pip, *NEEDS, DJANGO, *([f"celery=={VERSION}"] if real else [])], check=True)
        (folder / "ready").touch()
    if not real and package is not None:
        subprocess.run([*pip, "--force-reinstall", "--no-deps", package], check=True)
    if not real:
        probe = [
            str(program),
            "-c",
            "import importlib.util, sys; sys.exit(importlib.util.find_spec('celery') is not None)",
        ]
        if subprocess.run(probe, cwd=CACHE, check=False).returncode:
            raise SystemExit(f"{folder} has the real celery in it: remove the folder")
    return program


@contextlib.contextmanager
def redis() -> Iterator[int | None]:
    """Run a Redis on a free loopback port: the side channel of some integration tests; None without the program."""
    if executable() is None:
        yield None
        return
    with redis_server() as port:
        yield port
