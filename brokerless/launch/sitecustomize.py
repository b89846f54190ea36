"""Every Python process below ``brokerless run`` runs this: the shims' names first, then the sitecustomize it hides.

It is on PYTHONPATH, not part of a package, so imports are absolute. A Python without brokerless (another environment
that the command starts) is told so and left alone.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))


def _install() -> None:
    try:
        from brokerless.compat.alias import AlreadyImported, install
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("brokerless"):
            raise
        print(
            f"brokerless run: not installed for {sys.executable}, its celery and rq stay as they are", file=sys.stderr
        )
        return
    names = [name for name in os.environ.get("BROKERLESS_ALIASES", "").split(",") if name]
    try:
        install(*names)
    except AlreadyImported as refusal:
        # the site module turns an exception here into a note and goes on with the real package
        print(f"brokerless run: {refusal}", file=sys.stderr, flush=True)
        os._exit(1)


def _chain() -> None:
    """Run the sitecustomize that this one hides."""
    others = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != _FOLDER]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is None or spec.loader is None:
        return
    hidden = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = hidden
    spec.loader.exec_module(hidden)


_install()
_chain()
