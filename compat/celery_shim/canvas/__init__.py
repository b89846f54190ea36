"""Canvas: signatures and what is composed of them, under the names of ``celery.canvas``.

One noun per module: ``base`` (a single call), ``chains``, ``groups``, ``chords``, ``maps``; ``joining`` has the rules of
``|``, ``stamps`` the headers that are put on a whole tree.
"""

from __future__ import annotations

from .base import Signature, maybe_signature, signature, task_name_from
from .chains import _chain, chain
from .chords import _chord, _clear_chord_option, _strip_chord_header_links, chord
from .groups import _maybe_group, group
from .joining import _fold_chain, _merge_chain_step, maybe_unroll_group
from .maps import chunks, xmap, xstarmap
from .stamps import StampingVisitor, _merge_dictionaries

__all__ = (
    "Signature",
    "StampingVisitor",
    "_chain",
    "_chord",
    "_clear_chord_option",
    "_fold_chain",
    "_maybe_group",
    "_merge_chain_step",
    "_merge_dictionaries",
    "_strip_chord_header_links",
    "chain",
    "chord",
    "chunks",
    "group",
    "maybe_signature",
    "maybe_subtask",
    "maybe_unroll_group",
    "signature",
    "subtask",
    "task_name_from",
    "xmap",
    "xstarmap",
)

subtask = signature
maybe_subtask = maybe_signature
