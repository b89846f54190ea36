"""Random canvases: what they consist of, and how they are written with chain, group, chord, `|` and `map`.

A canvas is a sequence of steps; a step is one task or several sequences side by side, after which comes a barrier. The
same sequence can be written in many ways, and `Writer` chooses among them by chance. What must come out says
celery_canvas_outcome.py; nothing here knows how a canvas is run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["Errback", "Leaf", "Side", "Writer", "leaves", "random_canvas"]

ENDINGS = (
    ("ok", 60),
    ("fail", 8),
    ("retry", 6),
    ("give up", 3),
    ("revoked", 3),
    ("expired", 3),
    ("ignore", 2),
    ("reject", 2),
    ("unknown", 2),
    ("silent", 3),
    ("map", 4),
    ("replaced", 2),
    ("limit", 1),
)


@dataclass
class Errback:
    """Called when its task fails; the new style is called in place, the old one is sent as a task.

    ``whole``: written as an errback of the whole canvas, which makes it one of each of its tasks.
    """

    tag: str
    new_style: bool
    whole: bool = False


@dataclass
class Leaf:
    """One task: how it ends, whether it takes what comes before it, what is linked to it."""

    tag: str
    ending: str = "ok"
    immutable: bool = False
    retries: int = 0
    links: list[Leaf] = field(default_factory=list)
    errbacks: list[Errback] = field(default_factory=list)


@dataclass
class Side:
    """Sequences that run side by side.

    ``chord`` forces the chord form, which one sequence alone needs; ``chunks``: the members are the pieces of a list.
    """

    members: list[list[Any]]
    chord: bool = False
    chunks: bool = False


def leaves(steps: list[Any]) -> Iterator[Leaf]:
    """Yield every task of a sequence, without those that are linked to it."""
    for step in steps:
        if isinstance(step, Leaf):
            yield step
        else:
            for member in step.members:
                yield from leaves(member)


class _Maker:
    """Makes one canvas."""

    def __init__(self, chance: random.Random, endings: tuple[tuple[str, int], ...], size: int) -> None:
        self.chance, self.size = chance, size
        self.names, self.weights = zip(*endings, strict=True)
        self.count = 0

    def leaf(self, plain: bool = False) -> Leaf:
        """Return a task, with links and errbacks unless ``plain``."""
        chance = self.chance
        self.count += 1
        ending = "ok" if plain and chance.random() < 0.8 else chance.choices(self.names, self.weights)[0]
        made = Leaf(f"t{self.count}", ending, immutable=chance.random() < 0.12)
        if ending == "retry":
            made.retries = chance.randint(1, 3)
        if not plain and ending != "map":
            if chance.random() < 0.15:
                made.links = [self.leaf(plain=True) for _ in range(chance.randint(1, 2))]
            if chance.random() < 0.3:
                made.errbacks = [
                    Errback(f"e{self.count}-{place}", chance.random() < 0.5) for place in range(chance.randint(1, 2))
                ]
        return made

    def piece(self) -> Leaf:
        """Return one piece of a list that is worked on in chunks."""
        self.count += 1
        return Leaf(f"t{self.count}", "map")

    def side(self, depth: int, alone: bool) -> Side:
        """Return sequences side by side; one alone only where a barrier follows."""
        if self.chance.random() < 0.12:
            return Side([[self.piece()] for _ in range(self.chance.randint(2, 3))], chunks=True)
        width = self.chance.randint(1 if alone else 2, 3)
        members = [self.steps(depth + 1, self.chance.randint(1, 2)) for _ in range(width)]
        return Side(members, chord=width == 1)

    def steps(self, depth: int, length: int) -> list[Any]:
        """Return a sequence that ends with one task, so that it has one result."""
        made: list[Any] = []
        for place in range(length):
            last = place == length - 1
            if depth < 3 and self.count < self.size and self.chance.random() < (0.25 if last else 0.3):
                made.append(self.side(depth, alone=True))
                if last:
                    made.append(self.leaf())
            else:
                made.append(self.leaf())
        return made

    def canvas(self) -> list[Any]:
        """Return a whole canvas, which may end with sequences side by side."""
        made = self.steps(0, self.chance.randint(1, 4))
        if self.chance.random() < 0.35:
            made.append(self.side(0, alone=False))
        return made


def random_canvas(seed: int, without: tuple[str, ...] = (), size: int = 14) -> list[Any]:
    """Return the canvas of a seed; ``without`` names endings that must not occur."""
    endings = tuple((name, weight) for name, weight in ENDINGS if name not in without)
    made = _Maker(random.Random(seed), endings, size).canvas()
    chance = random.Random(f"errbacks of the whole canvas {seed}")
    if has_tasks_alone(made) and chance.random() < 0.6:
        errback = Errback("whole", chance.random() < 0.5, whole=True)
        for leaf in leaves(made):
            leaf.errbacks.append(errback)
    return made


def has_tasks_alone(steps: list[Any]) -> bool:
    """True for a chain of tasks, and for a group of tasks and of such chains.

    Only there an errback of the whole is one of each task however the canvas is written. That of a chord belongs to its
    body, and it depends on the form whether a header hears of it.
    """
    if all(isinstance(step, Leaf) for step in steps):
        return True
    return (
        len(steps) == 1 and not steps[0].chunks and not steps[0].chord and all(map(has_tasks_alone, steps[0].members))
    )


class Writer:
    """Writes canvases as signatures.

    ``sig`` gives the signature of one task with links and errbacks, ``errback`` that of an errback, ``chunks`` the group
    of the pieces of a list.
    """

    def __init__(self, api: Any, sig: Any, errback: Any, chunks: Any, seed: int) -> None:
        self.api, self.sig, self.errback, self.chunks = api, sig, errback, chunks
        self.chance = random.Random(seed)

    def whole(self, steps: list[Any]) -> Any:
        """Return a signature for a canvas, with the errbacks of the whole."""
        made = self._linked(steps)
        for errback in next(leaves(steps)).errbacks:
            if errback.whole:
                made.link_error(self.errback(errback))
        return made

    def _linked(self, steps: list[Any]) -> Any:
        """Return it without those; links of its last task may be linked to all of it instead."""
        last = steps[-1]
        if len(steps) == 1 or not isinstance(last, Leaf) or not last.links or self.chance.random() < 0.5:
            return self.write(steps)
        made = self.write([*steps[:-1], replace(last, links=[])])
        for link in last.links:
            made.link(self.sig(link))
        return made

    def write(self, steps: list[Any]) -> Any:
        """Return a signature for a sequence."""
        if len(steps) == 1:
            return self._step(steps[0], last=True)
        barriers = [at for at, step in enumerate(steps[:-1]) if isinstance(step, Side)]
        forced = [at for at in barriers if steps[at].chord]
        if forced or (barriers and self.chance.random() < 0.5):
            return self._around_a_chord(steps, (forced or barriers)[0])
        parts = [self._step(step, last=at == len(steps) - 1) for at, step in enumerate(steps)]
        return self._joined(parts)

    def _around_a_chord(self, steps: list[Any], place: int) -> Any:
        side = steps[place]
        header: Any = self._pieces(side) if side.chunks else [self.write(member) for member in side.members]
        rest = steps[place + 1 :]
        # How many of the next steps are written inside of the chord; a group has to have all that follows with it.
        taken = len(rest)
        if isinstance(rest[0], Leaf) and self.chance.random() < 0.5:
            taken = 1
        group = self.api.group(header) if not side.chunks and self.chance.random() < 0.5 else header
        chord = self.api.chord(group, self.write(rest[:taken]))
        parts = [self._step(step, last=False) for step in steps[:place]]
        if taken == len(rest):
            return self._joined([*parts, chord])
        return self._joined([*parts, chord, self.write(rest[taken:])])

    def _step(self, step: Any, last: bool) -> Any:
        if isinstance(step, Leaf):
            return self.sig(step)
        if step.chunks:
            return self._pieces(step)
        members = [self.write(member) for member in step.members]
        form = self.chance.randrange(3)
        if form == 0:
            return self.api.group(members)
        if form == 1:
            return self.api.group(*members)
        return self.api.group(member for member in members) if last else self.api.group(tuple(members))

    def _pieces(self, side: Side) -> Any:
        return self.chunks([member[0] for member in side.members])

    def _joined(self, parts: list[Any]) -> Any:
        if len(parts) == 1:
            return parts[0]
        form = self.chance.randrange(4)
        if form == 0:
            return self.api.chain(parts)
        if form == 1 and len(parts) > 2:
            return self.api.chain(self.api.chain(parts[:2]), *parts[2:])
        if form == 2:
            made = parts[0]
            for part in parts[1:]:
                made = made | part
            return made
        return self.api.chain(*parts)
