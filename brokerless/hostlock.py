"""`HostLock`: of all processes of one user on this host, one at a time holds the lock of a name.

What must happen once per host and not once per process stands on it: N web workers have N engines, and one fires the
schedules. The lock is `flock` on a file in a folder that only this user can enter; the kernel lets go of it when the
holder dies, in whichever way. It is no lock between hosts, and none between threads.

| moment | what happens |
|---|---|
| the holder is killed | the lock is free at once; a standby has it within `RETRY` seconds |
| the holder forks | the child closes its copy of the descriptor and holds nothing, so it can outlive its parent |
| the holder starts a program | the descriptor is closed on exec |
| the file is removed | the next who wants the lock makes a new one; a holder's `refresh()` notices and says so |
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["RETRY", "HostLock", "lock_folder"]

RETRY = 1.0
"""Seconds between two tries of somebody who waits. A wait inside `flock` could not be called off."""

FOLDER_VARIABLE = "BROKERLESS_LOCK_DIR"

_guard = threading.RLock()
"""Held while a descriptor is opened and noted, and around a fork: a child knows every descriptor that it has."""
_locks: weakref.WeakSet[HostLock] = weakref.WeakSet()


def lock_folder() -> Path:
    """The folder of this user's locks, made if it is missing: `BROKERLESS_LOCK_DIR`, or one in the system's folder for
    temporary files.

    Raises PermissionError when the folder belongs to somebody else or others may enter it, OSError where the system has
    no such locks.
    """
    if fcntl is None:
        raise OSError("this system has no flock, which HostLock stands on")
    given = os.environ.get(FOLDER_VARIABLE)
    # Not XDG_RUNTIME_DIR: a service of the same user often runs without it, and would have locks of its own.
    folder = Path(given) if given else Path(tempfile.gettempdir()) / f"brokerless-{os.getuid()}"
    if given:
        folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise PermissionError(
            f"{folder} must be a folder of user {os.getuid()} that nobody else can enter (mode 0700); it is "
            f"{stat.filemode(found.st_mode)} of user {found.st_uid}. Remove it, or name another in {FOLDER_VARIABLE}"
        )
    return folder


class HostLock:
    """The lock of `key`: some strings, such as an application and a purpose. The user is always part of it.

    Any thread may call any method. Two objects with the same key exclude each other, also within one process.
    """

    def __init__(self, *key: str, folder: str | os.PathLike[str] | None = None) -> None:
        """`folder`: where the file is, instead of `lock_folder()`; it must exist.

        Raises TypeError without a key or for a part that is not a string.
        """
        if not key or not all(isinstance(part, str) for part in key):
            raise TypeError(f"HostLock{key!r}: expected one or more strings that name what is locked")
        self.key = key
        self._folder = None if folder is None else Path(folder)
        self._reset()
        _locks.add(self)

    def _reset(self) -> None:
        self._fd: int | None = None
        self._held = False
        self._mutex = threading.Lock()
        self._waiting = threading.Event()
        self._standby: threading.Thread | None = None

    @property
    def path(self) -> Path:
        """The file. Its name shows the key's letters and digits, and a digest of the whole key."""
        readable = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(self.key)).strip("-")[:60]
        digest = hashlib.sha256(_encoded("\0".join(self.key))).hexdigest()[:16]
        return (self._folder or lock_folder()) / f"{readable}-{digest}.lock"

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._held

    def holder(self) -> int | None:
        """The process that says it has the lock, for messages: it may have ended since. None: nobody says so."""
        try:
            return int(self.path.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def acquire(self, timeout: float | None = None) -> bool:
        """Takes the lock; waits for it at most `timeout` seconds (None: without limit, 0: not at all).

        Returns whether it is held now, by this call or an earlier one. `release()` ends the wait with False.
        Raises PermissionError for an unsafe folder, OSError where the system has no such locks.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        waiting = self._waiting
        while not self._try():
            left = RETRY if deadline is None else min(RETRY, deadline - time.monotonic())
            if left <= 0 or waiting.wait(left):
                return False
        return True

    def standby(self, on_held: Callable[[], object]) -> None:
        """Waits for the lock in a thread of its own and calls `on_held()` there once it is held; `release()` ends it.

        Where the lock is free, it is taken before this returns, and `on_held()` is called by this thread. A forked
        child has no such thread: call it again there. Raises as `acquire()` does; RuntimeError if it stands by already.
        """
        if self._standby is not None and self._standby.is_alive():
            raise RuntimeError(f"{self!r} stands by already: release() it first")
        if self.acquire(0):
            on_held()
            return
        waiting = self._waiting

        def wait() -> None:
            while not waiting.wait(RETRY):
                if self._try(waiting):
                    on_held()
                    return

        self._standby = threading.Thread(target=wait, daemon=True, name="brokerless-standby")
        self._standby.start()

    def release(self) -> None:
        """Lets go of the lock, and ends whatever waits for it through this object. May be called at any time."""
        with self._mutex:
            self._waiting.set()
            self._waiting = threading.Event()
            self._close()
        standby = self._standby
        if standby is not None and standby is not threading.current_thread():
            standby.join(RETRY)

    def refresh(self) -> bool:
        """Marks the file as used, so that what cleans folders of temporary files leaves it there.

        False: the lock is not held, or its file was removed, so that another process could have it too.
        """
        with self._mutex:
            if self._fd is None:
                return False
            os.utime(self._fd)
            return _is_at(self._fd, self.path)

    def write_note(self, text: str) -> None:
        """Leaves one line for whoever holds the lock next; it outlives this process. Does nothing unless held.

        Raises ValueError for a text of several lines.
        """
        if "\n" in text:
            raise ValueError(f"write_note({text!r}): expected one line")
        with self._mutex:
            if self._fd is not None:
                self._write(self._fd, _encoded(text))

    def read_note(self) -> str | None:
        """The line that the present or an earlier holder left; None without one."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            return _note(fd).decode("utf-8", "surrogateescape") or None
        finally:
            os.close(fd)

    def _write(self, fd: int, note: bytes) -> None:
        content = b"%d %s\n%s\n" % (os.getpid(), _encoded(" ".join(self.key)).replace(b"\n", b" "), note)
        os.pwrite(fd, content, 0)
        os.ftruncate(fd, len(content))

    def __enter__(self) -> HostLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<HostLock {' '.join(self.key)} {'held' if self.held else 'not held'}>"

    def _try(self, waiting: threading.Event | None = None) -> bool:
        path = self.path
        with self._mutex:
            if self._held or (waiting is not None and waiting.is_set()):
                return self._held
            with _guard:
                self._fd = fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever cleaned the folder may have removed the file between our opening and our locking it.
                if _is_at(fd, path):
                    self._write(fd, _note(fd))
                    self._held = True
            except BlockingIOError:
                pass
            finally:
                if not self._held:
                    self._close()
            return self._held

    def _close(self) -> None:
        with _guard:
            fd, self._fd, self._held = self._fd, None, False
            if fd is not None:
                os.close(fd)

    def __del__(self) -> None:
        if getattr(self, "_fd", None) is not None:
            self._close()

    def _forked(self) -> None:
        # Closing does not unlock: the parent has the same lock through its own descriptor.
        if self._fd is not None:
            os.close(self._fd)
        self._reset()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _note(fd: int) -> bytes:
    lines = os.pread(fd, 1 << 16, 0).split(b"\n")
    return lines[1] if len(lines) > 1 else b""


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def _after_fork_in_child() -> None:
    global _guard
    _guard = threading.RLock()
    for lock in list(_locks):
        lock._forked()


def _before_fork() -> None:
    _guard.acquire()


def _after_fork_in_parent() -> None:
    _guard.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
