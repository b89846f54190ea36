"""Runs random programs twice, compiled and in CPython, and says where they differ. Shared by the test tiers.

Most of a proof's time is the C compiler's, so a part of the files can be built without optimising: that finds what is
wrong in the emitted C at a third of the cost, and the others find what optimising does with it. The report counts how
many functions were built with the very flags that ship.

As a program: ``python -m tests.stress.compiler_differences COUNT SEED [ubsan]``.
"""

from __future__ import annotations

import array
import importlib.util
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FunctionType, ModuleType
from typing import Any

from brokerless.compiler import types
from brokerless.compiler.batch import run_packed
from brokerless.compiler.bridge import bridge
from brokerless.compiler.build import Builder
from brokerless.compiler.cache import Cache
from brokerless.compiler.errors import Refused
from brokerless.compiler.program import Program as CProgram
from brokerless.compiler.toolchain import WARNINGS, Toolchain, find
from brokerless.compiler.variant import Variant

from .compiler_arguments import argument
from .compiler_programs import Writer

PER_FILE = 50
CALLS = 12
ROUND = 10


@dataclass
class Report:
    functions: int = 0
    shipped: int = 0
    refused: list[str] = field(default_factory=list)
    calls: int = 0
    native: int = 0
    values: int = 0
    batched: int = 0
    differences: list[str] = field(default_factory=list)


def outcome(call: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """Value and type, or exception class and message, as text; a nan is a nan."""
    try:
        result = call(*args)
    except Exception as error:
        return f"raises {type(error).__name__}: {error}"
    return f"gives {_typed(result)}"


def _typed(value: Any) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_typed, value)) + ")"
    return f"{type(value).__name__} {value!r}"


def _load(text: str, path: Path) -> ModuleType:
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(
    count: int,
    seed: int,
    *,
    toolchain: Toolchain | None = None,
    shipped: int = ROUND,
    ubsan: bool = False,
    calls: int = CALLS,
) -> Report:
    """``count`` functions from ``seed``; the report holds the text of each difference.

    ``toolchain`` (default: the one that brokerless would use) builds ``shipped`` of each ten files with its own flags
    and the others with -O0, all with the warnings as errors.
    """
    toolchain = toolchain or find()
    assert toolchain is not None, "no C compiler"
    toolchain = toolchain.with_flags(*WARNINGS)
    if ubsan:
        toolchain = toolchain.with_flags("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder) / "cache")
        as_shipped, quick = Builder(cache, toolchain), Builder(cache, toolchain.with_flags("-O0"))
        bridge.load(lambda text: as_shipped.object_for(text)[0])
        number = 0
        while report.functions < count:
            size = min(PER_FILE, count - report.functions)
            builder = as_shipped if number % ROUND < shipped else quick
            _one_file(builder, Path(folder), seed * 1_000_003 + number, size, calls, report)
            report.shipped += size if builder is as_shipped else 0
            number += 1
    return report


def _one_file(builder: Builder, folder: Path, seed: int, size: int, calls: int, report: Report) -> None:
    rnd = Random(seed)
    writer = Writer(seed)
    module = _load(writer.module(size, "f"), folder / f"programs_{seed}.py")
    jobs, chosen = [], []
    for program in writer.programs:
        report.functions += 1
        func: FunctionType = getattr(module, program.name)
        rows = [tuple(argument(rnd, kind) for kind in program.kinds) for _ in range(calls)]
        # An empty list has no element type; the variant is made for a row that shows all types.
        sample = next((row for row in rows if all(len(one) > 0 for one in row if hasattr(one, "__len__"))), None)
        if sample is None:
            continue
        signature = tuple(types.of_value(one) for one in sample)
        assert None not in signature, program.kinds
        try:
            made = CProgram(func, signature, f"f{len(jobs)}")  # type: ignore[arg-type]
        except Refused as refused:
            report.refused.append(f"seed {seed} {program.name} line {refused.line}: {refused.reason}")
            continue
        jobs.append(made)
        chosen.append((program, rows))
    variants = builder.load(jobs)
    for (program, rows), variant in zip(chosen, variants, strict=True):
        with_value = []
        for row in rows:
            expected, got = outcome(variant.func, row), outcome(variant.call, row)
            report.calls += 1
            if expected.startswith("gives"):
                report.values += 1
                with_value.append((row, expected))
            if expected != got:
                report.differences.append(
                    f"seed {seed} {program.name}{row!r}\n  Python {expected}\n  C      {got}\n{program.text}"
                )
        report.native += variant.native_calls
        _as_batch(variant, with_value, f"seed {seed} {program.name} as a batch:\n{program.text}", report)


def _as_batch(variant: Variant, rows: list[tuple[tuple[Any, ...], str]], name: str, report: Report) -> None:
    """The rows that have a value once more, in one native loop, if they fit into its columns."""
    if not variant.entry.batch or not all(kind in (types.INT, types.FLOAT) for kind in variant.signature):
        return
    rows = [(row, text) for row, text in rows if all(type(one) is float or -(2**63) <= one < 2**63 for one in row)]
    if not rows:
        return
    codes = ["d" if kind == types.FLOAT else "q" for kind in variant.signature]
    columns = [array.array(code, column) for code, column in zip(codes, zip(*(row for row, _ in rows)))]
    report.batched += 1
    expected = [text for _, text in rows]
    got = [f"gives {_typed(value)}" for value in run_packed(variant, columns)]
    if got != expected:
        report.differences.append(f"{name}\n  rows   {rows}\n  Python {expected}\n  C      {got}")


def main() -> None:
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    report = run(count, seed, shipped=ROUND if "ubsan" in sys.argv else 6, ubsan="ubsan" in sys.argv)
    print(
        f"{report.functions} functions ({report.shipped} with the flags that ship), {len(report.refused)} refused, "
        f"{report.calls} calls, {report.values} with a value, {report.native} native, {report.batched} functions as a batch, "
        f"{len(report.differences)} differences"
    )
    for text in report.refused[:5] + report.differences[:5]:
        print(text)
    sys.exit(bool(report.differences))


if __name__ == "__main__":
    main()
