"""Each compiler that brokerless looks for: found by the real look-up, and right about a sample of random functions.

A compiler that is not on this machine is skipped. `make compilers` names in BROKERLESS_COMPILERS those that it put there:
these fail instead, and the sample is larger. The order of the look-up is not tested here.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from brokerless.compiler.bridge import Bridge
from brokerless.compiler.build import Builder
from brokerless.compiler.cache import Cache
from brokerless.compiler.toolchain import WARNINGS, Toolchain, find
from tests.stress.compiler_differences import run

REQUIRED = os.environ.get("BROKERLESS_COMPILERS", "").split()
FUNCTIONS = 400 if REQUIRED else 50
# What compilers start in their turn and look for on PATH.
TOOLS = ["as", "ld", "ld.bfd"]


def missing(name: str) -> NoReturn:
    reason = f"{name} is not on this machine"
    if name in REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


def only(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Toolchain:
    """What the look-up finds on a machine where ``name`` is the one compiler."""
    if name == "ziglang":
        if importlib.util.find_spec("ziglang") is None:
            missing(name)
    else:
        place = shutil.which(name)
        if place is None:
            missing(name)
        (folder / name).symlink_to(place)
        for tool in TOOLS:
            found = shutil.which(tool)
            if found is not None:
                (folder / tool).symlink_to(found)
    monkeypatch.delenv("BROKERLESS_CC", raising=False)
    monkeypatch.setenv("PATH", str(folder))
    toolchain = find()
    assert toolchain is not None
    expected = [sys.executable, "-m", "ziglang"] if name == "ziglang" else [str(folder / name)]
    assert list(toolchain.command[: len(expected)]) == expected
    return toolchain


@pytest.fixture(params=["cc", "gcc", "clang", "ziglang"])
def compiler_found(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolchain:
    folder = tmp_path / "bin"
    folder.mkdir()
    return only(request.param, folder, monkeypatch)


@pytest.mark.timeout(600)
def test_random_functions_with_the_only_compiler(compiler_found: Toolchain) -> None:
    report = run(FUNCTIONS, 5000)
    assert not report.differences, "\n\n".join(report.differences[:3])
    assert report.shipped == report.functions == FUNCTIONS
    assert report.native > report.values / 2


@pytest.mark.timeout(120)
def test_the_helper_that_copies_lists(compiler_found: Toolchain, tmp_path: Path) -> None:
    builder = Builder(Cache(tmp_path / "cache"), compiler_found.with_flags(*WARNINGS))
    helper = Bridge()
    helper.load(lambda text: builder.object_for(text)[0])
    if not helper.compiled:
        pytest.skip("this interpreter's objects are not where the helper looks for them")
    for values, code in ([*range(100)], "q"), ([0.5] * 100, "d"):
        copied = helper.copy(values, code)
        assert copied is not None
        assert copied.tolist() == values
    assert helper.copy([*range(99), True], "q") is None
    assert helper.copy([*range(99), 2**63], "q") is None


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["gcc", "clang"])
def test_the_one_in_brokerless_cc(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = shutil.which(name)
    if place is None:
        missing(name)
    monkeypatch.setenv("BROKERLESS_CC", f"{place} -g0")
    toolchain = find()
    assert toolchain is not None
    assert toolchain.command == (place, "-g0")
    toolchain.with_flags(*WARNINGS).compile("int one(void); int one(void) { return 1; }", tmp_path / "one.so")
    assert (tmp_path / "one.so").stat().st_size > 0


def test_another_zig_is_another_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What one version built is not taken from the cache for the next."""
    wheel, nothing = tmp_path / "ziglang", tmp_path / "bin"
    wheel.mkdir()
    nothing.mkdir()
    (wheel / "__init__.py").touch()
    (wheel / "zig").write_text("one")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("BROKERLESS_CC", raising=False)
    monkeypatch.setenv("PATH", str(nothing))
    before = find()
    assert before is not None
    assert before.identity == getattr(find(), "identity", None)
    (wheel / "zig").write_text("another")
    after = find()
    assert after is not None
    assert after.command == before.command
    assert after.identity != before.identity
