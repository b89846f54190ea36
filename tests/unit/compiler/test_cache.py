"""The cache on disk: hits, attacks on its files and folder, several processes at once, the size cap."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from brokerless.compiler.build import Builder
from brokerless.compiler.cache import Cache, default_folder, key_of
from brokerless.compiler.types import INT

from . import samples


def objects(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.so"))


def writer(data: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "cache"


def compiled(folder: Path) -> tuple[int, bool]:
    """A builder of its own, so nothing is known from memory: the result of a call, and whether the object was there."""
    variant = Builder(Cache(folder)).variant(samples.add, (INT, INT))
    return variant.call(2, 3), variant.cached


def test_the_second_builder_finds_what_the_first_made(folder: Path) -> None:
    assert compiled(folder) == (5, False)
    assert compiled(folder) == (5, True)
    assert len(objects(folder)) == 1
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not list(folder.glob("*.tmp"))


@pytest.mark.parametrize("damage", [b"", b"\x7fELF rubbish", None])
def test_a_damaged_object_is_never_loaded(folder: Path, damage: bytes | None) -> None:
    compiled(folder)
    (path,) = objects(folder)
    data = path.read_bytes()
    # A new file: the old one is mapped into this process. None: one bit in the middle.
    path.unlink()
    path.write_bytes(damage if damage is not None else data[:2000] + bytes([data[2000] ^ 1]) + data[2001:])
    assert compiled(folder) == (5, False)
    assert objects(folder)[0].read_bytes() == data


def test_a_file_with_a_digest_that_is_not_its_own(folder: Path) -> None:
    cache = Cache(folder)
    path = cache.put("k" * 40, writer(b"one"))
    assert cache.get("k" * 40) == path
    wrong = path.with_name(path.name.replace(path.name[-8:-3], "00000"))
    path.rename(wrong)
    assert cache.get("k" * 40) is None
    assert not wrong.exists()


def test_a_sound_file_that_is_no_object_is_built_again(folder: Path) -> None:
    """Right digest, wrong content: made by a program that knows the naming. Loading fails and it is replaced."""
    compiled(folder)
    (path,) = objects(folder)
    key = path.name.split("-")[0]
    path.unlink()
    data = b"not an object"
    fake = folder / f"{key}-{hashlib.sha256(data).hexdigest()[:40]}.so"
    fake.write_bytes(data)
    fake.chmod(0o700)
    assert compiled(folder) == (5, False)
    assert not fake.exists()


@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702])
def test_a_file_that_others_can_write(folder: Path, mode: int) -> None:
    compiled(folder)
    objects(folder)[0].chmod(mode)
    assert compiled(folder) == (5, False)


def test_a_link_in_place_of_a_file(folder: Path, tmp_path: Path) -> None:
    compiled(folder)
    (path,) = objects(folder)
    elsewhere = tmp_path / "elsewhere.so"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert compiled(folder) == (5, False)
    path = objects(folder)[0]
    os.link(path, tmp_path / "second-name.so")
    assert compiled(folder) == (5, False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_owner(folder: Path) -> None:
    compiled(folder)
    os.chown(objects(folder)[0], 12345, 12345)
    assert compiled(folder) == (5, False)
    os.chown(folder, 12345, 12345)
    cache = Cache(folder)
    assert cache.folder != folder


def test_a_folder_that_others_can_read_is_not_used(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    cache = Cache(folder)
    assert cache.folder != folder
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert Builder(cache).variant(samples.add, (INT, INT)).call(1, 1) == 2
    assert not objects(folder)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "cache")
    assert cache.folder.is_dir()


def test_a_folder_that_is_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    folder.parent.mkdir(parents=True)
    folder.symlink_to(tmp_path / "real")
    assert Cache(folder).folder != folder


def test_the_folder_vanishes(folder: Path) -> None:
    cache = Cache(folder)
    cache.put("a" * 40, writer(b"x"))
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert cache.get("a" * 40) is None
    assert cache.put("a" * 40, writer(b"x")).exists()


def test_the_size_cap_drops_what_was_used_longest_ago(folder: Path) -> None:
    cache = Cache(folder, limit_bytes=3000)
    paths = []
    for index in range(3):
        paths.append(cache.put(str(index) * 40, writer(bytes([index]) * 1000)))
        os.utime(paths[-1], (1000 + index, 1000 + index))
    assert cache.get("0" * 40) == paths[0]  # now the newest
    last = cache.put("9" * 40, writer(b"z" * 1000))
    assert [path.exists() for path in (*paths, last)] == [True, False, True, True]
    assert cache.size() <= 3000


def test_a_failed_build_leaves_nothing(folder: Path) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    cache = Cache(folder)
    with pytest.raises(OSError, match="disk full"):
        cache.put("a" * 40, fail)
    assert not list(folder.iterdir())


PROCESS = """
import sys
from pathlib import Path
sys.path.append(sys.argv[2])
from brokerless.compiler.build import Builder
from brokerless.compiler.cache import Cache
from brokerless.compiler.types import INT
from tests.unit.compiler import samples
sys.stdin.readline()
print(Builder(Cache(Path(sys.argv[1]))).variant(samples.collatz, (INT,)).call(30))
"""


def test_several_processes_at_once(folder: Path) -> None:
    command = [sys.executable, "-c", PROCESS, str(folder), str(Path(__file__).parents[3])]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = [subprocess.Popen(command, cwd=folder.parents[1], text=True, **pipes) for _ in range(4)]  # type: ignore[call-overload]
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        out, err = process.communicate(timeout=50)
        assert (out.strip(), process.returncode) == (str(samples.collatz(30)), 0), err
    assert len(objects(folder)) == 1
    assert not list(folder.glob("*.tmp"))


def test_keys_tell_their_parts_apart() -> None:
    assert key_of("a", "bc") != key_of("ab", "c")
    assert key_of("a") == key_of("a")


def test_the_key_holds_compiler_and_flags(folder: Path) -> None:
    builder = Builder(Cache(folder))
    toolchain = builder.toolchain()
    keys = {
        builder.key("text", toolchain),
        builder.key("text", toolchain.with_flags("-O1")),
        builder.key("more", toolchain),
    }
    assert len(keys) == 3


def test_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BROKERLESS_CACHE_DIR", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.delenv("BROKERLESS_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform != "darwin":
        assert default_folder() == tmp_path / "brokerless" / "compiled"
