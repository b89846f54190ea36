"""What came of a run: classes, outcomes, the table, the gate, and regressions.

Does not run tests. ``classes.txt`` says what kind of test each is, ``expected.txt`` which ones the
shim is known to pass, ``not_counted.txt`` which fair ones are left out of the gate, with a reason.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
KINDS = ("F", "S", "K1", "K", "I", "P")
FAIR = ("F", "S")
GATE = 0.97
NOT_COUNTED_AT_MOST = 15


@dataclass(frozen=True)
class Outcome:
    """What one test did, and why when it did not pass."""

    state: str
    why: str = ""


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def classes(path: Path = HERE / "classes.txt") -> dict[str, str]:
    """Return the class of each test by its id."""
    return {test: kind for kind, test in (line.split(" ", 1) for line in _lines(path))}


def not_counted(path: Path = HERE / "not_counted.txt") -> dict[str, str]:
    """Return the reason for each fair test that the gate leaves out."""
    return dict(line.split(" ", 1) for line in _lines(path))


def expected(path: Path = HERE / "expected.txt") -> set[str]:
    """Return the tests that are known to pass."""
    return set(_lines(path))


@dataclass(frozen=True)
class Verdict:
    """The gate's answer."""

    fair: int
    left_out: int
    skipped: int
    passed: int

    @property
    def counted(self) -> int:
        """Return how many tests the share is taken of."""
        return self.fair - self.left_out - self.skipped

    @property
    def share(self) -> float:
        """Return the share of the counted tests that passed."""
        return self.passed / self.counted if self.counted else 0.0

    @property
    def good(self) -> bool:
        """Return whether the gate is open."""
        return self.left_out <= NOT_COUNTED_AT_MOST and self.share >= GATE

    def __str__(self) -> str:
        return (
            f"fair and semi-internal tests: {self.passed} of {self.counted} pass, {self.share:.1%} (gate {GATE:.0%}); "
            f"{self.left_out} not counted (at most {NOT_COUNTED_AT_MOST}), {self.skipped} skipped by upstream itself"
        )


def judge(kinds: dict[str, str], outcomes: dict[str, Outcome], left_out: dict[str, str], skips: set[str]) -> Verdict:
    """Return the gate's answer. ``skips`` are the tests that upstream skips with the real package."""
    fair = {test for test, kind in kinds.items() if kind in FAIR}
    unknown = set(left_out) - fair
    if unknown:
        raise ValueError(f"not_counted.txt names what is no fair test: {sorted(unknown)}")
    aside = fair & skips - set(left_out)
    counted = fair - set(left_out) - aside
    passed = sum(1 for test in counted if test in outcomes and outcomes[test].state == "passed")
    return Verdict(len(fair), len(left_out), len(aside), passed)


def regressions(known: set[str], outcomes: dict[str, Outcome]) -> list[str]:
    """Return the tests that are known to pass and did not."""
    return sorted(test for test in known if outcomes.get(test, Outcome("missing")).state != "passed")


def render(
    title: str, kinds: dict[str, str], outcomes: dict[str, Outcome], left_out: dict[str, str], verdict: Verdict
) -> str:
    """Return the scoreboard as a page of Markdown."""
    cells: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for test, kind in kinds.items():
        cells[test.split("::")[0]][kind][outcomes.get(test, Outcome("missing")).state] += 1
    lines = [f"# {title}", "", str(verdict) + ".", ""]
    lines += ["Each cell: passed/all of that class; F, S … as in `classes.txt`.", ""]
    lines += ["| file | " + " | ".join(KINDS) + " | passed | failed | skipped |", "|---|" + "--:|" * (len(KINDS) + 3)]
    whole: dict[str, Counter[str]] = defaultdict(Counter)
    for name in sorted(cells):
        for kind, counts in cells[name].items():
            whole[kind].update(counts)
        lines.append(_row(name, cells[name]))
    lines += [_row("**all**", whole), ""]
    lines += ["## Fair and semi-internal tests that did not pass", ""]
    for test in sorted(kinds):
        outcome = outcomes.get(test, Outcome("missing", "not collected"))
        if kinds[test] in FAIR and outcome.state != "passed":
            reason = f"not counted: {left_out[test]}" if test in left_out else outcome.why
            lines.append(f"* `{test}` ({kinds[test]}): {outcome.state}: {reason}")
    return "\n".join(lines) + "\n"


def _row(name: str, by_kind: dict[str, Counter[str]]) -> str:
    shares = []
    total: Counter[str] = Counter()
    for kind in KINDS:
        counts = by_kind.get(kind, Counter())
        total.update(counts)
        shares.append(f"{counts['passed']}/{sum(counts.values())}" if counts else "")
    failed = sum(total.values()) - total["passed"] - total["skipped"]
    return f"| {name} | " + " | ".join(shares) + f" | {total['passed']} | {failed} | {total['skipped']} |"
