"""Recursion that looks at the control word and at its depth once in several levels.

A short function that calls itself spends most of its time on those two. Copies of it that do neither are inlined into
it: the first level looks for all of them, and the last calls the function again. Works on finished C text; it does not
know what the function computes.
"""

from __future__ import annotations

_LEVELS = 4
_MOST_LINES = 400
_DEPTH = "    BRL_CHECK(d <= 0);"
_LOOKS = ("    BRL_WORD(c);", "    BRL_POLL(c);", _DEPTH)
_COPY = "static inline __attribute__((always_inline, unused))"


def with_quiet_levels(cname: str, header: str, text: str) -> str:
    """The text of a recursive function with its copies before it, or as it is when that would be too much code.

    A function with a loop stays as it is too: between two looks there is only a bounded number of steps.
    """
    lines = text.splitlines()
    call = f"{cname}(c, d - 1"
    sites = text.count(call)
    levels = _affordable(sites, sum(not line.lstrip().startswith("/*") for line in lines))
    # Numbers of several types are kept in memory, and many of those at once would take more stack than is counted.
    if not levels or text.count("BRL_POLL") > 1 or "brl_n " in text or "brl_tuple" in text:
        return text
    names = [cname, *(f"{cname}_quiet{level}" for level in range(1, levels + 1))]
    copies = []
    for level in range(levels, 0, -1):
        own = header.replace("BRL_HELPER", _COPY, 1).replace(f"{cname}(", f"{names[level]}(", 1)
        body = [line for line in lines[1:] if line not in _LOOKS and not line.lstrip().startswith("/*")]
        following = names[(level + 1) % len(names)]
        copies.append("\n".join([own + " {", *body]).replace(call, f"{following}(c, d - 1") + "\n")
    first = text.replace(_DEPTH, f"    BRL_CHECK(d <= {levels});", 1).replace(call, f"{names[1]}(c, d - 1")
    return "\n".join([*copies, first])


def _affordable(sites: int, lines: int) -> int:
    """How many levels of copies stay within the limit on lines after inlining."""
    levels, total, copies = 0, lines, 1
    while sites and levels < _LEVELS:
        copies *= sites
        total += copies * lines
        if total > _MOST_LINES:
            break
        levels += 1
    return levels
