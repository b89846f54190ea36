"""The cffi definition says what the headers say: layouts and functions. And the histogram, whose model is one line."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.native.library import BINDING, CDEF, SOURCE, load


@pytest.fixture(params=["normal", "tiny"])
def library(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return load(request.param)


@pytest.mark.parametrize("name", ["bl_slot", "bl_config", "bl_take", "bl_totals"])
def test_structures_have_the_compilers_layout(library: tuple[Any, Any], name: str) -> None:
    ffi, lib = library
    assert lib.bl_access_layout(name.encode()) == ffi.sizeof(name)
    fields = ffi.typeof(name).fields
    assert fields
    for field, _ in fields:
        assert lib.bl_access_layout(f"{name}.{field}".encode()) == ffi.offsetof(name, field), field


def declarations(text: str) -> dict[str, str]:
    """Function name -> its declaration, without comments and spaces."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = re.findall(r"^[a-z][^;{}#=]*?\b(bl_\w+)\(([^;{}]*?)\)\s*[;{]", text, flags=re.MULTILINE)
    return {name: re.sub(r"\s+", "", arguments) for name, arguments in found}


def test_functions_are_declared_as_in_the_headers(library: tuple[Any, Any]) -> None:
    _, lib = library
    real: dict[str, str] = {}
    for path in [*SOURCE.glob("*.h"), BINDING / "access.c"]:
        real.update(declarations(path.read_text()))
    ours = declarations(CDEF.read_text())
    assert len(ours) > 80
    for name, arguments in ours.items():
        assert real[name] == arguments, name
        assert getattr(lib, name) is not None


@given(samples=st.lists(st.integers(-5, 2**42), max_size=60), q=st.floats(0, 1))
def test_histogram_quantile(samples: list[int], q: float) -> None:
    ffi, lib = load("normal")
    hist = lib.bl_access_new_hist()
    try:
        totals = ffi.new("uint64_t[]", 37 * 16)
        for sample in samples:
            lib.bl_hist_add(hist, sample)
        lib.bl_hist_sum(hist, totals)
        got = lib.bl_hist_quantile(totals, q)
    finally:
        lib.bl_access_free_hist(hist)
    if not samples:
        assert got == -1
        return
    known = sorted(min(max(sample, 0), 2**40 - 1) for sample in samples)
    wanted = next(value for i, value in enumerate(known, 1) if i >= q * len(known))
    assert abs(got - wanted) * 16 <= wanted
