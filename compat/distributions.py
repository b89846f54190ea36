"""What ``importlib.metadata`` answers for a package that resolves to a shim: its name and the version it stands for.

Add-ons check the distribution (``version("celery")``), not the module. There are no files and no entry points.
"""

from __future__ import annotations

import importlib.metadata
from importlib.metadata import Distribution, DistributionFinder
from os import PathLike
from pathlib import Path

__all__ = ["VERSIONS", "ShimDistribution", "answers"]

VERSIONS = {"celery": "5.7.0", "rq": "3.0.0", "redis": "5.0.0"}
"""Kept here as well as in the shims, so that listing distributions loads neither."""


class ShimDistribution(Distribution):
    """The metadata of one shim under its public name."""

    def __init__(self, public: str) -> None:
        self._public = public

    def read_text(self, filename: str) -> str | None:
        if filename in ("METADATA", "PKG-INFO"):
            version = VERSIONS[self._public]
            return (
                f"Metadata-Version: 2.1\nName: {self._public}\nVersion: {version}\n"
                f"Summary: {self._public} {version} as brokerless stands for it\n"
            )
        if filename == "top_level.txt":
            return f"{self._public}\n"
        return None

    def locate_file(self, path: str | PathLike[str]) -> Path:
        return Path(__file__).resolve().parent / f"{self._public}_shim" / path


def answers(public: str, context: DistributionFinder.Context) -> list[importlib.metadata.Distribution]:
    """Our part of a search: the shim's distribution, if the search is for it or for all."""
    if context.name is None or context.name.lower() == public:
        return [ShimDistribution(public)]
    return []
