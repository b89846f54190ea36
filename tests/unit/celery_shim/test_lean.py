"""The helpers that stand in for kombu's and for `inspect` give what those give."""

from __future__ import annotations

import inspect
import subprocess
import sys
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import kombu.log
import kombu.utils.encoding as encoding
import kombu.utils.functional as functional
import kombu.utils.objects as objects
import pytest
from brokerless.compat.celery_shim.utils import lean
from brokerless.compat.celery_shim.utils.functional import _head, _plain_head
from brokerless.compat.celery_shim.utils.imports import symbol_by_name


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no text")


VALUES: list[Any] = [None, 0, 1.5, "text", b"bytes", b"\xff", (), [1], {1: 2}, {"a"}, range(2), Decimal("1.5"), object]


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("maybe_list", functional),
        ("is_list", functional),
        ("maybe_evaluate", functional),
        ("safe_repr", encoding),
        ("safe_str", encoding),
        ("bytes_to_str", encoding),
        ("str_to_bytes", encoding),
        ("ensure_bytes", encoding),
    ],
)
def test_a_helper_gives_what_kombus_gives(name: str, owner: Any, value: Any) -> None:
    assert getattr(lean, name)(value) == getattr(owner, name)(value)


def test_what_has_no_text_has_one() -> None:
    assert "Unprintable" in lean.safe_repr(Unprintable())
    assert "Unprintable" in lean.safe_str(Unprintable())


@pytest.mark.parametrize(
    "call", [("f",), ("f", (1, "a")), ("f", (), {"b": 2}), ("f", [1], {"b": "c"}), (None, None, None)]
)
def test_a_call_reads_as_kombus(call: Any) -> None:
    assert lean.reprcall(*call) == functional.reprcall(*call)


@pytest.mark.parametrize("given", [(), (1.0, 3.0), (1, 2.5, 0.5), (0.0, 2.0, 1.0, True), (5.0, 1.0)])
def test_a_range_of_floats_is_kombus(given: Any) -> None:
    assert list(islice(lean.fxrange(*given), 8)) == list(islice(functional.fxrange(*given), 8))


@pytest.mark.parametrize(
    ("given", "more"),
    [(None, {"a": None, "b": 0}), ({"a": 1, "b": None}, {}), ({"a": 1}, {"a": None, "c": 2}), ({}, {})],
)
def test_none_is_left_out_as_by_kombu(given: Any, more: Any) -> None:
    assert lean.dictfilter(given, **more) == functional.dictfilter(given, **more)


def test_a_lazy_value_is_evaluated() -> None:
    assert lean.maybe_evaluate(functional.lazy(lambda: 3)) == 3


def test_levels_are_kombus() -> None:
    assert lean.LOG_LEVELS == kombu.log.LOG_LEVELS


@pytest.mark.parametrize("kind", [lean.cached_property, objects.cached_property])
def test_a_cached_property_is_computed_set_and_deleted(kind: Any) -> None:
    told: list[Any] = []

    class Holder:
        @kind
        def value(self) -> list[Any]:
            told.append("get")
            return ["made"]

        @value.setter  # type: ignore[no-redef]
        def value(self, given: Any) -> Any:
            told.append(("set", given))
            return [given]

        @value.deleter  # type: ignore[no-redef]
        def value(self, left: Any) -> None:
            told.append(("delete", left))

    holder: Any = Holder()
    assert isinstance(Holder.value, kind)
    assert holder.value is holder.value
    holder.value = "given"
    assert holder.value == ["given"]
    del holder.value
    del holder.value
    assert holder.value == ["made"]
    assert told == ["get", ("set", "given"), ("delete", ["given"]), "get"]


def plain(a: Any, b: Any = None, /, c: Any = 3) -> None: ...
def starred(a: Any, *rest: Any, b: Any = 1, **more: Any) -> None: ...
def keyword_only(a: Any = 1, *, b: Any) -> None: ...
async def coroutine(a: Any) -> None: ...


class Methods:
    def method(self, a: Any, b: Any = 2) -> None: ...


@pytest.mark.parametrize(
    "fun", [plain, starred, keyword_only, coroutine, Methods().method, lambda: None, lambda x=1: x]
)
def test_parameters_are_read_as_inspect_reads_them(fun: Any) -> None:
    shown = inspect.signature(getattr(fun, "__func__", fun)).parameters.values()
    assert [part.split("=")[0].lstrip("*") for part in _head(fun).split(", ") if part not in ("", "*")] == [
        parameter.name for parameter in shown
    ]
    assert (_plain_head(fun) is None) == (fun in (starred, keyword_only))
    assert lean.is_coroutine_function(fun) == inspect.iscoroutinefunction(fun)


def test_a_signature_of_its_own_counts() -> None:
    def fun(*args: Any) -> None: ...

    fun.__signature__ = inspect.signature(plain)  # type: ignore[attr-defined]
    assert _head(fun) == "a, b=1, c=2"


@pytest.mark.parametrize("name", ["collections.OrderedDict", "collections:OrderedDict", "json", OSError])
def test_a_symbol_is_the_one_of_kombu(name: Any) -> None:
    from kombu.utils.imports import symbol_by_name as theirs

    assert symbol_by_name(name) is theirs(name)


@pytest.mark.parametrize("name", ["no_such_module.X", "collections.NoSuchName", ""])
def test_a_symbol_that_is_not_there_fails_as_in_kombu(name: str) -> None:
    from kombu.utils.imports import symbol_by_name as theirs

    with pytest.raises(Exception) as expected:
        theirs(name)
    with pytest.raises(expected.type):
        symbol_by_name(name)
    assert symbol_by_name("no_such_module.X", default=5) == 5


def test_a_distribution_that_offers_a_store_is_found(tmp_path: Path) -> None:
    offered = tmp_path / "store_of_mine-1.0.dist-info"
    offered.mkdir()
    (offered / "METADATA").write_text("Metadata-Version: 2.1\nName: store-of-mine\nVersion: 1.0\n")
    (offered / "entry_points.txt").write_text("[celery.result_backends]\nmine = collections:OrderedDict\n")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from brokerless.compat.celery_shim.utils.imports import load_extension_class_names as offered\n"
        "assert offered('celery.nobody_has_this') == ()\n"
        "assert 'importlib.metadata' not in sys.modules\n"
        "assert ('mine', 'collections:OrderedDict') in offered('celery.result_backends')\n"
    )
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, timeout=120)
