"""Imports point one way: compat → brokerless → native; the shims never see each other; sizes stay readable.

Reads the sources; imports none of them.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("brokerless", "compat", "native")

MOST_PYTHON_LINES = 400
MOST_C_LINES = 600

LARGE: dict[str, str] = {
    "native/binding/task.c": "one type and the table of its members",
    "brokerless/tasks.py": "the public signatures with their docstrings",
    "brokerless/compiler/cruntime.py": "the C text that opens every compiled file",
    "brokerless/compiler/emit.py": "one visitor over the statements",
    "brokerless/compiler/tier.py": "one state machine",
}
"""Files that may be longer, and why."""

NEEDS_NATIVE = ("brokerless/core/", "brokerless/compiler/")
"""Parts of the package that may import the compiled parts."""

FOREIGN = {"celery", "rq", "kombu", "billiard", "amqp", "redis", "vine"}
"""Distributions that only the shims may know."""


def modules(folder: str) -> list[Path]:
    found = (ROOT / folder).rglob("*.py")
    return sorted(path for path in found if "tests" not in path.parts and "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def package_of(path: Path) -> list[str]:
    """The package that a module's relative imports start from, as installed."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)[:-1]
    return parts if parts[0] == "brokerless" else ["brokerless", *parts]


def imports(path: Path) -> Iterator[tuple[int, str, bool]]:
    """(line, full name as installed, whether it was relative)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, False
        elif isinstance(node, ast.ImportFrom):
            if not node.level:
                yield node.lineno, node.module or "", False
                continue
            package = package_of(path)
            base = package[: len(package) - node.level + 1]
            assert base, f"{name_of(path)}:{node.lineno} leaves the distribution"
            module = ".".join([*base, node.module]) if node.module else ".".join(base)
            if node.module:
                yield node.lineno, module, True
            else:
                for alias in node.names:
                    yield node.lineno, f"{module}.{alias.name}", True


def inside_folder(path: Path, folder: str) -> bool:
    return name_of(path).startswith(folder + "/")


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


STARTUP = ("brokerless/launch/sitecustomize.py",)
"""Put on a path of its own and imported by name at a Python's start: they are in no package."""

ALL = [path for folder in FOLDERS for path in modules(folder) if name_of(path) not in STARTUP]


def test_there_is_something_to_look_at() -> None:
    assert len(modules("brokerless")) > 20
    assert modules("native")


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_imports_of_the_distribution_are_relative(path: Path) -> None:
    wrong = [
        f"line {line}: {name}"
        for line, name, relative in imports(path)
        if not relative and any(inside(name, folder) for folder in FOLDERS)
    ]
    assert not wrong, "absolute imports load a second copy or break editors: " + "; ".join(wrong)


@pytest.mark.parametrize("path", [path for path in ALL if inside_folder(path, "brokerless")], ids=name_of)
def test_the_engine_knows_no_shim_and_no_foreign_package(path: Path) -> None:
    for line, name, _ in imports(path):
        # The command line may start what lies above it; nothing else may.
        if name_of(path) != "brokerless/cli.py" and name_of(path) != "brokerless/__main__.py":
            assert not inside(name, "brokerless.compat"), f"line {line} imports {name}"
        assert name.partition(".")[0] not in FOREIGN, f"line {line} imports {name}"
        if inside(name, "brokerless.native"):
            assert name_of(path).startswith(NEEDS_NATIVE), f"line {line} imports {name}"


@pytest.mark.parametrize("path", modules("native"), ids=name_of)
def test_the_native_part_knows_nothing_above_it(path: Path) -> None:
    for line, name, _ in imports(path):
        if inside(name, "brokerless"):
            assert inside(name, "brokerless.native"), f"line {line} imports {name}"
        assert name.partition(".")[0] not in FOREIGN, f"line {line} imports {name}"


@pytest.mark.parametrize("path", modules("compat") or [pytest.param(None, marks=pytest.mark.skip)], ids=str)
def test_shims_see_neither_the_native_part_nor_each_other(path: Path) -> None:
    other = {"celery_shim": "rq_shim", "rq_shim": "celery_shim"}
    mine = next((part for part in path.parts if part in other), None)
    for line, name, _ in imports(path):
        assert not inside(name, "brokerless.native"), f"line {line} imports {name}"
        if mine is not None:
            assert not inside(name, f"brokerless.compat.{other[mine]}"), f"line {line} imports {name}"


def test_core_modules_of_one_side_do_not_import_the_python_half() -> None:
    for path in modules("brokerless/core"):
        for line, name, _ in imports(path):
            allowed = not inside(name, "brokerless") or inside(name, "brokerless.core")
            assert allowed or inside(name, "brokerless.native"), f"{name_of(path)}:{line} imports {name}"


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_each_file_says_what_it_is_for(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not tree.body:
        return
    assert ast.get_docstring(tree), "no docstring"
    names = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert len(tree.body) == 1 or "annotations" in names, "no `from __future__ import annotations`"


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_modules_stay_readable() -> None:
    long = {name_of(path): lines_of(path) for path in ALL if lines_of(path) > MOST_PYTHON_LINES}
    for name, count in long.items():
        if name.startswith("compat/") and name not in LARGE:
            # Upstream's module names decide how the shims are cut.
            warnings.warn(f"{name} has {count} lines", stacklevel=1)
    unexplained = {name: count for name, count in long.items() if name not in LARGE and not name.startswith("compat/")}
    assert not unexplained, f"split by noun, or say why in LARGE: {unexplained}"
    gone = [name for name in LARGE if not (ROOT / name).exists()]
    assert not gone, f"LARGE names files that are not there: {gone}"


def test_c_files_stay_readable() -> None:
    files = [path for kind in ("*.c", "*.h") for path in (ROOT / "native").rglob(kind)]
    long = {name_of(path): lines_of(path) for path in files if lines_of(path) > MOST_C_LINES}
    assert files
    unexplained = {name: count for name, count in long.items() if name not in LARGE}
    assert not unexplained, f"split by noun, or say why in LARGE: {unexplained}"


def test_the_c_core_includes_no_python() -> None:
    for path in [*(ROOT / "native" / "src").glob("*.[ch]")]:
        assert "Python.h" not in path.read_text(encoding="utf-8"), name_of(path)
