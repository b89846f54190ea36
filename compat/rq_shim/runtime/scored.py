"""`ScoredSet`: members with a score, as registries need them. Members that are due are found through buckets of
seconds, without a look at the others; an ordered listing sorts on demand."""

from __future__ import annotations

from .expiry import Expiry

__all__ = ["ScoredSet"]

INFINITE = float("inf")


class ScoredSet:
    """Guarded by the store's lock. Negative and infinite scores are never due."""

    __slots__ = ("due_index", "scores")

    def __init__(self) -> None:
        self.scores: dict[str, float] = {}
        self.due_index = Expiry()

    def __len__(self) -> int:
        return len(self.scores)

    def __contains__(self, member: str) -> bool:
        return member in self.scores

    def set(self, member: str, score: float) -> bool:
        """Gives a member its score; True when it is new."""
        old = self.scores.get(member)
        if old is not None:
            if old == score:
                return False
            if 0 <= old < INFINITE:
                self.due_index.discard(member, old)
        self.scores[member] = score
        if 0 <= score < INFINITE:
            self.due_index.add(member, score)
        return old is None

    def discard(self, member: str) -> bool:
        """Takes a member out; False when it is not in."""
        old = self.scores.pop(member, None)
        if old is None:
            return False
        if 0 <= old < INFINITE:
            self.due_index.discard(member, old)
        return True

    def due(self, limit: float) -> list[str]:
        """Members with a score from 0 to `limit`, lowest first; they stay."""
        found = [
            (self.scores[member], member) for member in self.due_index.peek_due(limit) if self.scores[member] <= limit
        ]
        return [member for _, member in sorted(found)]

    def remove_due(self, limit: float) -> int:
        """Takes those members out and returns how many there were."""
        seconds = self.due_index.seconds
        if not seconds or seconds[0] > limit:
            return 0
        later = []
        removed = 0
        for member in self.due_index.pop_due(limit):
            if self.scores[member] <= limit:
                del self.scores[member]
                removed += 1
            else:
                later.append(member)
        for member in later:
            self.due_index.add(member, self.scores[member])
        return removed

    def ordered(self) -> list[str]:
        """All members by score, equal ones by name."""
        scores = self.scores
        return sorted(scores, key=lambda member: (scores[member], member))

    def clear(self) -> None:
        self.scores.clear()
        self.due_index.clear()
