"""The finder behind ``install()``: the modules of a shim under the names of the package that it stands for.

A module has one object under both names, so classes stay identical however they were imported. The finder only
answers for its own package, and not once the real one has been imported.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

__all__ = ["ALIASES", "ON_REQUEST", "AlreadyImported", "ShimFinder", "install", "installed", "uninstall"]

ALIASES = {
    "celery": f"{__package__}.celery_shim",
    "rq": f"{__package__}.rq_shim",
    "redis": f"{__package__}.rq_shim.redis",
}
"""Public package → shim."""

ON_REQUEST = frozenset({"redis"})
"""Never among the defaults: a program may use the real redis-py for something else than RQ."""


class AlreadyImported(RuntimeError):
    """The real package is in use; two of them in one process would not know each other's tasks."""


class ShimFinder:
    """Finds ``public`` and everything below it in ``shim``. Finder and loader by shape: importlib.abc loads slowly."""

    def __init__(self, public: str, shim: str) -> None:
        self.public = public
        self.shim = shim

    def target(self, name: str) -> str | None:
        """The shim's name of a public module; None if it is not ours."""
        if name != self.public and not name.startswith(self.public + "."):
            return None
        return self.shim + name[len(self.public) :]

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        own = self.target(name)
        if own is None:
            return None
        try:
            found = importlib.util.find_spec(own)
        except ModuleNotFoundError:
            found = None
        if found is None:
            return None
        loader: Any = self
        spec = importlib.machinery.ModuleSpec(
            name, loader, origin=found.origin, is_package=found.submodule_search_locations is not None
        )
        spec.submodule_search_locations = found.submodule_search_locations
        return spec

    def get_code(self, fullname: str) -> Any:
        """Asked by ``python -m celery``, which runs a module instead of importing it."""
        own = self.target(fullname)
        spec = None if own is None else importlib.util.find_spec(own)
        return None if spec is None or spec.loader is None else spec.loader.get_code(spec.name)  # type: ignore[attr-defined]

    def find_distributions(self, context: Any = None) -> Iterable[Any]:
        """Asked by importlib.metadata, which is loaded then."""
        from importlib.metadata import DistributionFinder

        from .distributions import answers

        return answers(self.public, DistributionFinder.Context() if context is None else context)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        own = self.target(spec.name)
        assert own is not None
        module = importlib.import_module(own)
        # the import system stamps the public spec on the module; exec_module puts the shim's own back
        module.__dict__["__alias_keep__"] = (module.__spec__, module.__loader__, module.__package__)
        return module

    def exec_module(self, module: ModuleType) -> None:
        kept = module.__dict__.pop("__alias_keep__", None)
        if kept is not None:
            module.__spec__, module.__loader__, module.__package__ = kept


def _finders() -> list[ShimFinder]:
    return [finder for finder in sys.meta_path if isinstance(finder, ShimFinder)]


def installed() -> list[str]:
    """The packages that resolve to shims now."""
    return [finder.public for finder in _finders()]


def install(*names: str, redis: bool = False) -> None:
    """Make ``import celery`` / ``import rq`` (or those named) resolve to the shims; nothing happens the second time.

    ``redis=True`` also serves ``import redis`` where redis-py is not installed; a real connection is accepted by the
    shim anyway. Naming ``"redis"`` puts the stand-in before an installed redis-py.

    Raises AlreadyImported if the real package is loaded already: call this first, or use ``python -m brokerless run``.
    """
    wanted = names or tuple(
        name for name in ALIASES if name not in ON_REQUEST and importlib.util.find_spec(ALIASES[name]) is not None
    )
    if redis and "redis" not in wanted and not _is_there("redis"):
        wanted += ("redis",)
    for name in wanted:
        if name not in ALIASES:
            raise ValueError(f"{name!r} has no shim; known are {', '.join(ALIASES)}")
        if name in installed():
            continue
        _refuse_real(name)
    for name in wanted:
        if name not in installed():
            sys.meta_path.insert(0, ShimFinder(name, ALIASES[name]))


def _is_there(name: str) -> bool:
    """Whether a package is loaded or installed; a module without a spec, as tests put there, counts as loaded."""
    return name in sys.modules or importlib.util.find_spec(name) is not None


def _refuse_real(name: str) -> None:
    loaded = sys.modules.get(name)
    if loaded is None or loaded.__name__.startswith(f"{__package__}."):
        return
    where = getattr(loaded, "__file__", None) or "an unknown place"
    raise AlreadyImported(
        f"{name} has already been imported from {where}. Call brokerless.compat.install() before anything imports "
        f"{name}, or start the program with: python -m brokerless run -- <command>"
    )


def uninstall(*names: str) -> None:
    """Undo ``install``: the names resolve to the real packages again, where they are installed."""
    for finder in _finders():
        if names and finder.public not in names:
            continue
        sys.meta_path.remove(finder)
        for name in list(sys.modules):
            if finder.target(name) is not None:
                del sys.modules[name]
