"""Installs brokerless's aliases at the start of a Python process, then hands on to the next ``sitecustomize``.

Python runs only the first module of that name on the path; a virtual environment or a distribution may have one of
its own, which must still run.
"""

import importlib.machinery
import importlib.util
import os
import sys


def _install():
    try:
        from brokerless.compat.alias import ALIASES, install
    except ImportError as error:
        sys.stderr.write(f"brokerless run: the aliases cannot be installed: {error}\n")
        return
    wanted = os.environ.get("BROKERLESS_ALIASES", "").replace(",", " ").split()
    install(*[name for name in wanted if name in ALIASES])


def _chain():
    here = os.path.dirname(os.path.abspath(__file__))
    others = [path for path in sys.path if os.path.abspath(path or os.curdir) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


_install()
_chain()
