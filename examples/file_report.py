"""Reports on the files of a folder: every file is hashed and counted by a background task, with live progress.

    python examples/file_report.py [FOLDER] [--workers N]

Without a folder it takes the standard library of the Python that runs it. Afterwards a chain finds the most frequent
word, a parallel group sums up, and the engine's own figures are printed. It reads files and writes nothing.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import re
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from brokerless import BackgroundTasks, TaskPriority, TaskResult

BAR = 40  # characters
REDRAW = 0.1  # seconds between two pictures of the bar
SKIPPED = {"__pycache__", "site-packages"}
WORD = re.compile(rb"[A-Za-z_]{3,}")


@dataclass(frozen=True)
class FileFacts:
    """What one task found out about one file."""

    path: Path
    size: int
    lines: int
    words: int
    digest: str
    top: list[tuple[bytes, int]]


def inspect_file(path: Path) -> FileFacts:
    """Reads one file and counts what is in it."""
    data = path.read_bytes()
    words = collections.Counter(WORD.findall(data))
    return FileFacts(
        path, len(data), data.count(b"\n"), sum(words.values()), hashlib.sha256(data).hexdigest(), words.most_common(50)
    )


def files_below(folder: Path) -> list[Path]:
    """All regular files, sorted, without caches and installed packages."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not SKIPPED.intersection(path.parts))


def draw(done: int, total: int, failed: int, begin: float) -> None:
    """One picture of the progress bar, on a terminal over the last one."""
    filled = BAR * done // max(total, 1)
    spent = time.monotonic() - begin
    text = f"[{'#' * filled}{'.' * (BAR - filled)}] {done}/{total} files, {failed} failed, {spent:.1f} s"
    if sys.stdout.isatty():
        print("\r" + text, end="", flush=True)
    elif done == total:
        print(text)


def watch(handles: Sequence[TaskResult], engine: BackgroundTasks) -> None:
    """Redraws the bar until everything is done."""
    begin = time.monotonic()
    finished = False
    while not finished:
        finished = engine.drain(REDRAW)
        draw(
            sum(handle.done() for handle in handles), len(handles), sum(handle.is_failed() for handle in handles), begin
        )
    if sys.stdout.isatty():
        print()


def merge_words(facts: Sequence[FileFacts]) -> collections.Counter[bytes]:
    """First step of the chain: one count for all files."""
    total: collections.Counter[bytes] = collections.Counter()
    for fact in facts:
        total.update(dict(fact.top))
    return total


def most_frequent(words: collections.Counter[bytes]) -> tuple[str, int]:
    """Second step: gets the first step's value."""
    word, count = words.most_common(1)[0] if words else (b"-", 0)
    return word.decode(), count


def describe(found: tuple[str, int]) -> str:
    """Third step."""
    return f"{found[0]!r}, {found[1]:,} times"


def duplicates(facts: Sequence[FileFacts]) -> Iterator[list[FileFacts]]:
    """Groups of files with the same content."""
    by_digest: dict[str, list[FileFacts]] = collections.defaultdict(list)
    for fact in facts:
        if fact.size:
            by_digest[fact.digest].append(fact)
    return (group for group in by_digest.values() if len(group) > 1)


def summarise(facts: Sequence[FileFacts], engine: BackgroundTasks) -> None:
    """A chain and a parallel group over the facts, and the report."""
    chain = engine.chain_tasks([{"func": merge_words, "args": (facts,)}, most_frequent, describe])
    group = engine.parallel_tasks(
        [
            {"func": lambda: sum(fact.size for fact in facts)},
            {"func": lambda: sum(fact.lines for fact in facts)},
            {"func": lambda: sum(fact.words for fact in facts)},
            {"func": lambda: sum(len(same) - 1 for same in duplicates(facts)), "priority": TaskPriority.LOW},
        ]
    )
    size, lines, words, copies = group.result(60)
    print(f"\n{len(facts):,} files, {size / 1e6:,.1f} MB, {lines:,} lines, {words:,} words")
    print(f"{copies:,} copies of other files")
    print(f"most frequent word: {chain.result(60)}")
    print("\nlargest files:")
    for fact in sorted(facts, key=lambda fact: -fact.size)[:5]:
        print(f"  {fact.size / 1e6:8.2f} MB  {fact.lines:8,} lines  {fact.digest[:12]}  {fact.path.name}")


def figures(engine: BackgroundTasks) -> None:
    """What the engine measured meanwhile."""
    stats = engine.get_stats()
    print(f"\nengine, {stats.total_workers} workers:")
    done, failed = stats.completed_tasks, stats.failed_tasks
    print(f"  tasks: {done:,} completed, {failed:,} failed, error rate {stats.error_rate:.1%}")
    print(
        f"  execution: average {stats.average_task_time_ms:.1f} ms, p50 {stats.p50_execution_time_ms:.1f} ms, "
        f"p99 {stats.p99_execution_time_ms:.1f} ms"
    )
    print(f"  workers busy: {stats.worker_utilization:.1%}, memory: {stats.memory_usage_mb:.1f} MB")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the report; 0 when every file could be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(sysconfig.get_paths()["stdlib"]))
    parser.add_argument("--workers", type=int, default=None, help="threads (default: one per core, at least 2)")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder: name one that exists")
    paths = files_below(options.folder)
    print(f"{options.folder}: {len(paths):,} files")
    with BackgroundTasks(workers=options.workers, queue_size=None, result_max=None) as engine:
        handles = engine.add_batch([{"func": inspect_file, "args": (path,)} for path in paths], max_retries=0)
        watch(handles, engine)
        summarise([handle.get_result() for handle in handles if handle.is_successful()], engine)
        unread = [handle for handle in handles if handle.is_failed()]
        for handle in unread[:5]:
            print(f"  not read: {handle.get_error()}")
        figures(engine)
    return 1 if unread else 0


if __name__ == "__main__":
    sys.exit(main())
