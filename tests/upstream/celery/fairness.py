"""Which of Celery's own test functions can be asked of a shim: an AST classifier.

A function is "mock" when it, or the set-up of its class, replaces parts of Celery (mocks, patches), "private"
when it reads attributes with one leading underscore, otherwise "clean". Only clean ones are fair; selection.py
lists what is taken out or put in by hand, each with its reason. Does not run anything.
"""

from __future__ import annotations

import ast
from pathlib import Path

MOCKS = {"Mock", "MagicMock", "patch", "monkeypatch", "PropertyMock", "mock", "sentinel"}
SETUPS = {"setup_method", "setup", "setup_class", "teardown_method", "setUp"}
OWN_HELPERS = {"_testIsClean"}
"""Underscored helpers of the test classes themselves."""

Kinds = dict[str, str]


def kind_of(node: ast.AST) -> str:
    """Return clean, private or mock for one function."""
    kind = "clean"
    for inner in ast.walk(node):
        names = []
        if isinstance(inner, ast.Name):
            names.append(inner.id)
        elif isinstance(inner, ast.arg):
            names.append(inner.arg)
        elif isinstance(inner, ast.Attribute):
            names.append(inner.attr)
            if inner.attr.startswith("_") and not inner.attr.startswith("__") and inner.attr not in OWN_HELPERS:
                kind = "private"
        if MOCKS.intersection(names):
            return "mock"
    return kind


def worst(kinds: list[str]) -> str:
    """Return the kind that weighs most."""
    return next((kind for kind in ("mock", "private") if kind in kinds), "clean")


def _is_setup(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if node.name in SETUPS:
        return True
    return any("fixture" in ast.dump(mark) and "autouse" in ast.dump(mark) for mark in node.decorator_list)


def _functions(body: list[ast.stmt]) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    return {node.name: node for node in body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def classify(path: Path) -> Kinds:
    """Return the kind of each test function of a file: `Class::test` or `test` → kind.

    Methods and set-ups that a class inherits from another class of the same file count as its own.
    """
    tree = ast.parse(path.read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    top = _functions(tree.body)
    common = [kind_of(node) for node in top.values() if _is_setup(node)]
    kinds = {name: worst([kind_of(node), *common]) for name, node in top.items() if name.startswith("test")}

    def methods(name: str, seen: tuple[str, ...] = ()) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
        found: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
        for base in reversed(classes[name].bases):
            if isinstance(base, ast.Name) and base.id in classes and base.id not in seen:
                found.update(methods(base.id, (*seen, name)))
        found.update(_functions(classes[name].body))
        return found

    for name in classes:
        own = methods(name)
        setup = [kind_of(node) for node in own.values() if _is_setup(node)]
        for method, node in own.items():
            if method.startswith("test"):
                kinds[f"{name}::{method}"] = worst([kind_of(node), *setup, *common])
    return kinds
