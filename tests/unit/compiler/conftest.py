"""A builder and a TaskCompiler with a cache folder of their own; without a compiler these tests are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("cffi")

from brokerless.compiler import TaskCompiler
from brokerless.compiler.build import Builder
from brokerless.compiler.cache import Cache
from brokerless.compiler.toolchain import find

if find() is None:
    pytest.skip("no C compiler", allow_module_level=True)


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(Cache(tmp_path_factory.mktemp("objects") / "cache"))


@pytest.fixture
def compiler(tmp_path: Path) -> Iterator[TaskCompiler]:
    made = TaskCompiler(cache_dir=tmp_path / "cache")
    yield made
    assert made.wait(30)
