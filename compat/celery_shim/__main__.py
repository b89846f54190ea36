"""``python -m celery`` under the alias, ``python -m brokerless celery``: the ``celery`` command."""

from __future__ import annotations

import sys

__all__ = ("main",)


def main() -> int:
    """Run the command line of the program; ends the program."""
    try:
        import click  # noqa: F401
    except ImportError:
        print("brokerless celery: the celery command needs the package 'click': pip install click", file=sys.stderr)
        return 2
    from .bin.celery import main as run

    return run() or 0


if __name__ == "__main__":
    raise SystemExit(main())
