"""Mappings that look through several others, sets and buffers with a limit.

The classes are in ``mappings``, ``layers``, ``limitedset`` and ``buffers``; this is where they are imported from.
"""

from __future__ import annotations

from .buffers import BufferMap, Evictable, Messagebuffer
from .layers import ChainMap, ConfigurationView
from .limitedset import LimitedSet
from .mappings import AttributeDict, AttributeDictMixin, DictAttribute, OrderedDict, force_mapping, lpmerge

__all__ = (
    "AttributeDict",
    "AttributeDictMixin",
    "BufferMap",
    "ChainMap",
    "ConfigurationView",
    "DictAttribute",
    "Evictable",
    "LimitedSet",
    "Messagebuffer",
    "OrderedDict",
    "force_mapping",
    "lpmerge",
)
