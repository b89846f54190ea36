"""Compiled objects on disk, shared by every process of one user.

An object's file name holds its key and the digest of its bytes, so one rename publishes both. Before a file is used
its owner, mode and digest are checked; whatever does not fit is treated as absent, and built again. When no folder that
only this user can write is to be had, a private temporary one takes its place for the life of the process.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

_SUFFIX = ".so"
_DEFAULT_MEGABYTES = 64.0
_KEY_DIGITS = 40


def default_folder() -> Path:
    """``BROKERLESS_CACHE_DIR``, or a folder below the user's cache folder."""
    chosen = os.environ.get("BROKERLESS_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "brokerless" / "compiled"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "brokerless" / "compiled"


def _default_limit() -> int:
    try:
        return int(float(os.environ.get("BROKERLESS_CACHE_MB", _DEFAULT_MEGABYTES)) * 2**20)
    except ValueError:
        return int(_DEFAULT_MEGABYTES * 2**20)


def key_of(*parts: str) -> str:
    """The key for what an object depends on."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.hexdigest()[:_KEY_DIGITS]


class Cache:
    """A folder of objects. Safe with any number of threads and processes: files only ever appear whole or go."""

    def __init__(self, folder: Path | None = None, limit_bytes: int | None = None) -> None:
        self._wanted = folder
        self._limit = limit_bytes
        self._folder: Path | None = None
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    def new_lock(self) -> None:
        """In a forked child."""
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        with self._lock:
            if self._folder is None or not self._folder.is_dir():
                self._folder = _private(self._wanted or default_folder()) or _temporary()
            return self._folder

    def get(self, key: str) -> Path | None:
        """The object for a key if a sound one is there."""
        for path in self._candidates(key):
            if _sound(path):
                with contextlib.suppress(OSError):
                    os.utime(path)
                self.hits += 1
                return path
            with contextlib.suppress(OSError):
                path.unlink()
        self.misses += 1
        return None

    def put(self, key: str, build: Callable[[Path], None]) -> Path:
        """Builds an object and publishes it; ``build`` writes the file it is given."""
        folder = self.folder
        handle, name = tempfile.mkstemp(prefix="build-", suffix=".tmp", dir=folder)
        os.close(handle)
        made = Path(name)
        try:
            build(made)
            made.chmod(0o700)
            final = folder / f"{key}-{_digest(made.read_bytes())}{_SUFFIX}"
            os.replace(made, final)
        finally:
            with contextlib.suppress(OSError):
                made.unlink()
        self.prune(keep=final)
        return final

    def get_or_build(self, key: str, build: Callable[[Path], None]) -> tuple[Path, bool]:
        """The object, and whether it was there already."""
        found = self.get(key)
        return (found, True) if found is not None else (self.put(key, build), False)

    def prune(self, keep: Path | None = None) -> None:
        """Removes the objects used longest ago until the folder is below its limit, and builds left behind."""
        limit = _default_limit() if self._limit is None else self._limit
        files: list[tuple[float, int, Path]] = []
        for path in self._listing():
            with contextlib.suppress(OSError):
                seen = path.lstat()
                files.append((seen.st_mtime, seen.st_size, path))
        total = sum(size for _, size, _ in files)
        newest = max((when for when, _, _ in files), default=0.0)
        for when, size, path in sorted(files):
            abandoned = path.suffix == ".tmp" and when < newest - 3600.0
            if not abandoned and (total <= limit or path.suffix == ".tmp" or path == keep):
                continue
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size

    def size(self) -> int:
        total = 0
        for path in self._listing():
            with contextlib.suppress(OSError):
                total += path.lstat().st_size
        return total

    def _listing(self) -> list[Path]:
        try:
            return [path for path in self.folder.iterdir() if path.suffix in (_SUFFIX, ".tmp")]
        except OSError:
            return []

    def _candidates(self, key: str) -> list[Path]:
        try:
            names = os.listdir(self.folder)
        except OSError:
            return []
        return [self.folder / name for name in names if name.startswith(f"{key}-") and name.endswith(_SUFFIX)]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_KEY_DIGITS]


def _sound(path: Path) -> bool:
    """Ours, a plain file that nobody else can write or has a second name for, and with the digest in its name."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    with open(handle, "rb") as file:
        seen = os.fstat(file.fileno())
        if not stat.S_ISREG(seen.st_mode) or seen.st_uid != os.geteuid() or seen.st_nlink != 1:
            return False
        if seen.st_mode & 0o022:
            return False
        expected = path.name[: -len(_SUFFIX)].rpartition("-")[2]
        return _digest(file.read()) == expected


def _private(folder: Path) -> Path | None:
    """The folder, made if need be, when it belongs to this user alone."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = folder.lstat()
    except (OSError, RuntimeError):
        return None
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or stat.S_IMODE(seen.st_mode) & 0o077:
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def _temporary() -> Path:
    folder = tempfile.mkdtemp(prefix="brokerless-compiled-")
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return Path(folder)
