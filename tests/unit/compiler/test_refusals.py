"""Every reason for which a function stays in Python, with the line it is given."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import linecache
import math
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from brokerless.compiler import TaskCompiler, analyse
from brokerless.compiler.build import Builder
from brokerless.compiler.errors import Refused
from brokerless.compiler.types import INT, LIST_INT, Seq

from . import samples

HEADER = """
import math
import time
import os
values = [1, 2]
names = {}
big = 2 ** 70
text = "x"
class Thing:
    pass
def prints(x):
    print(x)
    return x
"""

# body (line 2 on), fragment of the reason, line within the function that it names
REFUSED = [
    ("print(a)", "print() is not compiled: it does I/O", 2),
    ("b = a\n    return str(b)", "str() is not compiled", 3),
    ("return open(a)", "it does I/O", 2),
    ("x = {}\n    return a", "it builds a dict", 2),
    ("x = {k: 1 for k in range(a)}\n    return a", "it builds a dict", 2),
    ("x = [1]\n    return a", "it builds a list", 2),
    ("x = [k for k in range(a)]\n    return a", "it builds a list", 2),
    ("x = {1, 2}\n    return a", "it builds a set", 2),
    ("return sum(k for k in range(a))", "a generator expression", 2),
    ("return f'{a}'", "it builds a string", 2),
    ("return 'text'", "a str is used as a value", 2),
    ("x = None\n    return a", "a NoneType is used as a value|a None is used as a value", 2),
    ("return lambda: a", "it's variable|uses its variable 'a'", 1),
    ("f = lambda: 1\n    return a", "a lambda", 2),
    ("try:\n        return a\n    except ValueError:\n        return 0", "an exception is caught", 2),
    ("with a:\n        return 1", "a with statement", 2),
    ("import math\n    return a", "an import", 2),
    ("from math import pi\n    return a", "an import", 2),
    ("global text\n    text = a", "it writes to a global variable", 2),
    ("del a", "a del statement", 2),
    ("def inner():\n        return 1\n    return a", "a function inside the function", 2),
    ("class Inner:\n        pass\n    return a", "a class inside the function", 2),
    ("match a:\n        case 1:\n            return 1", "a match statement", 2),
    ("if (b := a):\n        return b", "an assignment inside an expression", 2),
    ("return max(*a)", "a starred expression|a call with [*]arguments", 2),
    ("return a[1:2]", "a slice", 2),
    ("a[0] = 1\n    return 1", "it assigns to an element", 2),
    ("a.x = 1\n    return 1", "it assigns to an attribute", 2),
    ("(b, c), d = a, 1\n    return 1", "unpacking into something other than plain names", 2),
    ("return a @ a", "the operator @", 2),
    ("return a is 1", "a comparison with is", 2),
    ("return a in (1, 2)", "a comparison with is, is not, in or not in", 2),
    ("return time.time()", "of the modules only math is compiled", 2),
    ("return os.getpid() + a", "of the modules only math is compiled", 2),
    ("return values[a]", "indexing something other than a parameter", 2),
    ("return len(values)", "values is a list outside the function: it can change", 2),
    ("return names", "names is a dict outside the function: it can change", 2),
    ("return big", "the constant big needs more than 64 bits", 2),
    ("return text", "text is a str: only int, float and bool constants", 2),
    ("return Thing()", "Thing is a class", 2),
    ("return a + math", "math is used as a value", 2),
    ("return math.comb(a, 2)", "not among the compiled functions of math", 2),
    ("return math.nothing", "math has no 'nothing'", 2),
    ("return missing + a", "the name 'missing' is not defined", 2),
    ("return a.real", "a.real", 2),
    ("return a.bit_length()", "the method a.bit_length", 2),
    ("return a(1)", "a is a local variable that is called", 2),
    ("return prints(a)", r"it calls prints\(\), which stays in Python: print\(\) is not compiled.*its line 12", 2),
    ("return round(a, ndigits=1)", "a call with keyword arguments", 2),
    ("x = range(a)\n    return 1", "range() outside a for statement", 2),
    ("for x in zip(a, a):\n        pass", "zip() is not compiled", 2),
    ("for x in values:\n        pass", "a for loop over something other than", 2),
    ("return 2 ** 3 + 99999999999999999999", "a number of more than 64 bits", 2),
    ("return 1j * a", "a complex is used as a value", 2),
    ("return ((1, 2), a)", "a tuple is used as a value", 2),
    ("yield a", "a generator", 1),
    (
        "for k in range(a):\n"
        + "".join("    " * n + "    for k in range(a):\n" for n in range(1, 9))
        + "    " * 10
        + "pass",
        "more than 8 loops inside each other",
        10,
    ),
]


def load(folder: Path, text: str, name: str) -> ModuleType:
    path = folder / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    text = HEADER
    for index, (body, _, _) in enumerate(REFUSED):
        text += f"\ndef case_{index}(a):\n    {body}\n"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # "is" with a number is one of the cases
        return load(tmp_path_factory.mktemp("refused"), text, "refused_cases")


@pytest.mark.parametrize("index", range(len(REFUSED)), ids=[body.split("\n")[0][:40] for body, _, _ in REFUSED])
def test_refused_with_reason_and_line(written: ModuleType, index: int) -> None:
    _, reason, line = REFUSED[index]
    func = getattr(written, f"case_{index}")
    verdict = analyse(func)
    assert not verdict.can_compile
    assert verdict.reason is not None
    plain = reason.replace("()", r"\(\)") if r"\(" not in reason else reason
    assert re.search(plain, verdict.reason), verdict.reason
    assert verdict.line == func.__code__.co_firstlineno + line - 1


async def coroutine(a):
    return a


def star(*args):
    return 1


class Callable_:
    def __call__(self, a):
        return a


@pytest.mark.parametrize(
    ("func", "reason"),
    [
        (coroutine, "an async function"),
        (star, r"takes \*args or \*\*kwargs"),
        (lambda a: a, "a lambda"),
        (len, "not a plain Python function but a builtin_function_or_method"),
        (Callable_(), "not a plain Python function but a Callable_"),
        (functools.partial(star, 1), "not a plain Python function but a partial"),
        (samples.send_notification, "it builds a string|it does I/O"),
        (samples.slow_task, "of the modules only math is compiled"),
        (samples.build_report, "it builds a dict"),
    ],
)
def test_refused_kinds(func: Any, reason: str) -> None:
    verdict = analyse(func)
    assert not verdict.can_compile
    assert re.search(reason, verdict.reason or ""), verdict.reason


def test_the_line_is_the_one_in_the_file() -> None:
    verdict = analyse(samples.slow_task)
    lines = inspect.getsource(samples).splitlines()
    assert verdict.line is not None
    assert lines[verdict.line - 1].strip() == "time.sleep(seconds)"


def test_source_that_is_not_available() -> None:
    space: dict[str, Any] = {}
    # a name that no file has: from 3.13 on "<string>" may be what `python -c` was given
    exec(compile("def made(a):\n    return a", "<made while it runs>", "exec"), space)
    verdict = analyse(space["made"])
    assert not verdict.can_compile
    assert "the source is not available" in (verdict.reason or "")


def test_source_that_was_edited_after_import(tmp_path: Path) -> None:
    module = load(tmp_path, "def made(a):\n    return a + 1\n", "edited")
    (tmp_path / "edited.py").write_text("def made(a):\n    return a + 2\n")
    linecache.checkcache()
    verdict = analyse(module.made)
    assert not verdict.can_compile
    assert "not the code that runs" in (verdict.reason or "")


def test_source_that_became_shorter_after_import(tmp_path: Path) -> None:
    module = load(tmp_path, "def made(a):\n    b = a + 1\n    return b\n", "shorter")
    (tmp_path / "shorter.py").write_text("def made(a):\n    return a\n")
    linecache.checkcache()
    verdict = analyse(module.made)
    assert not verdict.can_compile
    assert "not the code that runs" in (verdict.reason or "")


def counter() -> Callable[[int], int]:
    total = 0

    def count(a: int) -> int:
        nonlocal total
        total += a
        return total

    return count


def over(mutable: list[int]) -> Callable[[int], int]:
    def look(a: int) -> int:
        return mutable[a]

    return look


def test_closures_over_mutables() -> None:
    assert "writes to a variable of an enclosing function" in (analyse(counter()).reason or "")
    assert "indexing something other than a parameter" in (analyse(over([1])).reason or "")


TYPED = [
    (samples.numpy_plain, (Seq("numpy", "d"),), "an element of a NumPy array is a NumPy scalar"),
    (samples.total_of, (INT,), "sum[(][)] of something other than a sequence parameter"),
    (samples.index_of, (INT, INT), "indexing something other than a sequence parameter"),
    (samples.fast_computation, (INT,), "a for loop over something that is not a sequence"),
    (samples.add, (LIST_INT, INT), "a is a sequence and is used as a value"),
    (samples.add, (INT,), "it takes 2 arguments, not 1"),
]


@pytest.mark.parametrize(("func", "signature", "reason"), TYPED)
def test_refused_for_the_types(builder: Builder, func: Any, signature: Any, reason: str) -> None:
    assert analyse(func).can_compile
    with pytest.raises(Refused, match=reason):
        builder.variant(func, signature)


def test_functions_that_qualify() -> None:
    for func in (samples.fast_computation, samples.fib, samples.collatz, samples.pair, samples.norm, samples.checked):
        assert analyse(func).can_compile, analyse(func)


def test_a_refused_task_still_runs(compiler: TaskCompiler, capsys: pytest.CaptureFixture[str]) -> None:
    send = compiler.compile(samples.send_notification, True)
    assert send(7, "hello") is True
    assert capsys.readouterr().out == "to 7: hello\n"
    assert compiler.compile(samples.build_report, True)([1, 2]) == {1: 2, 2: 4}
    assert compiler.compile(samples.fast_computation, True)([1, -2, 3]) == 8
    assert math.isclose(compiler.compile(samples.slow_task, True)(0), 0)
