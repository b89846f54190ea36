"""Fetches the source distribution of an rq release with pip and lays out its tests, unchanged.

Only the tests and the pytest settings are laid out: the package's own folder would shadow whatever
``rq`` is meant to be. Does not run anything.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

CACHE = Path(__file__).parent.parent / ".cache"
SETTINGS = ("pyproject.toml", "tox.ini")


def fetch(version: str) -> Path:
    """Return the path of the sdist, downloaded once."""
    CACHE.mkdir(exist_ok=True)
    archive = CACHE / f"rq-{version}.tar.gz"
    if not archive.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*command, "--dest", str(CACHE), f"rq=={version}"], check=True)
    return archive


def lay_out(version: str, into: Path) -> Path:
    """Unpack the release's tests below ``into``, afresh, and return that folder."""
    archive = fetch(version)
    if into.exists():
        shutil.rmtree(into)
    into.mkdir(parents=True)
    prefix = f"rq-{version}/"
    with tarfile.open(archive) as content:
        for member in content.getmembers():
            name = member.name.removeprefix(prefix)
            if not member.isfile() or not (name.startswith("tests/") or name in SETTINGS):
                continue
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            source = content.extractfile(member)
            assert source is not None
            target.write_bytes(source.read())
    return into
