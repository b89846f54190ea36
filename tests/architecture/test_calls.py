"""Calls that one place makes for all others, because they need care that is easy to forget.

Reads the sources; imports none of them.
"""

from __future__ import annotations

import ast

from .test_imports import ALL, name_of

ONLY_IN = {"_current_frames": "brokerless/core/pure/frames.py"}
"""Name to the file that may use it; all others go through what that file offers."""


def test_each_has_one_place() -> None:
    for path in ALL:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ONLY_IN:
                assert name_of(path) == ONLY_IN[node.attr], f"{name_of(path)}:{node.lineno} uses {node.attr}"


def test_the_places_are_there() -> None:
    assert set(ONLY_IN.values()) <= set(map(name_of, ALL))
