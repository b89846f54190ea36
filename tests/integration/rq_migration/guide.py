"""Reads `migration_guides/from_rq.md`: its titled code blocks, and the rows of its table of names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
GUIDE = ROOT / "migration_guides" / "from_rq.md"

_BLOCK = re.compile(r'^```python(?: title="(?P<title>[^"]+)")?\n(?P<code>.*?)^```$', re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^]]+\]\((?P<path>[^)]+)\) `(?P<test>test_\w+)`")


class Row(NamedTuple):
    """One row of the table."""

    name: str
    state: str
    path: str
    test: str


def blocks() -> dict[str | None, str]:
    """Code by title; a title is a path below the folder of its recipe."""
    return {found["title"]: found["code"] for found in _BLOCK.finditer(GUIDE.read_text())}


def write(recipe: str, folder: Path) -> None:
    """The files of one recipe."""
    chosen = {title: code for title, code in blocks().items() if title and title.startswith(recipe + "/")}
    assert chosen, f"the guide has no code titled {recipe}/…"
    for title, code in chosen.items():
        file = folder / title.partition("/")[2]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)


def rows() -> list[Row]:
    """The rows under "Every name"."""
    found = []
    for line in GUIDE.read_text().partition("## Every name")[2].splitlines():
        if not line.startswith("|") or line.startswith(("| name", "|---")):
            continue
        name, state, link = (cell.strip() for cell in line.strip("|").split("|"))
        parts = _LINK.fullmatch(link)
        found.append(Row(name, state, parts["path"] if parts else "", parts["test"] if parts else ""))
    return found
