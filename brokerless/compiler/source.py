"""From a function object to its syntax tree, and the proof that the text on disk is the code that runs.

A file that was edited after it was imported, a pytest-rewritten assert or a wrapper with a borrowed name must not be
compiled: the tree is compiled again and its byte code compared with the function's.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import linecache
import textwrap
from dataclasses import dataclass
from functools import reduce
from types import CodeType, FunctionType

from .errors import Refused
from .function import CompiledFunction

_FUTURES = reduce(lambda flags, name: flags | getattr(__future__, name).compiler_flag, __future__.all_feature_names, 0)
_MAX_LINES = 400


@dataclass(frozen=True)
class Source:
    """The definition of one function. Line numbers of ``node`` are those of the file."""

    func: FunctionType
    node: ast.FunctionDef
    filename: str
    first_line: int
    lines: tuple[str, ...]
    params: tuple[str, ...]
    locals: frozenset[str]

    def text_at(self, line: int) -> str:
        index = line - self.first_line
        return self.lines[index].strip() if 0 <= index < len(self.lines) else ""


def unwrap(func: object) -> object:
    """The plain function below a compiled one. Not below other people's decorators, which change behaviour, also where they
    carry what `functools.wraps` has copied from a compiled function."""
    return func.__brokerless_function__ if isinstance(func, CompiledFunction) else func


def read(func: object) -> Source:
    """The function's source, or ``Refused``."""
    func = unwrap(func)
    if not isinstance(func, FunctionType):
        raise Refused(f"not a plain Python function but a {type(func).__name__}")
    code = func.__code__
    if func.__name__ == "<lambda>":
        raise Refused("a lambda: its source cannot be told from the rest of its line", code.co_firstlineno)
    _check_kind(code)
    lines, first_line, node = _proved(func)
    params = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return Source(
        func=func,
        node=node,
        filename=code.co_filename,
        first_line=first_line,
        lines=tuple(line.rstrip("\n") for line in lines),
        params=params,
        locals=frozenset(code.co_varnames),
    )


def _proved(func: FunctionType) -> tuple[list[str], int, ast.FunctionDef]:
    """The lines of a function, the number of the first, and their tree, which has been proved to be its code."""
    code = func.__code__
    guess = _likely_block(code)
    if guess is not None:
        try:
            return _tree(guess, code.co_firstlineno, func)
        except Refused:
            pass  # not where it seemed to be; what ``inspect`` finds decides
    try:
        lines, first_line = inspect.getsourcelines(code)
    except (OSError, TypeError, IndentationError, SyntaxError) as error:
        raise Refused(f"the source is not available ({error})", code.co_firstlineno) from None
    return _tree(lines, max(first_line, 1), func)


def _tree(lines: list[str], first_line: int, func: FunctionType) -> tuple[list[str], int, ast.FunctionDef]:
    if len(lines) > _MAX_LINES:
        raise Refused(f"longer than {_MAX_LINES} lines", first_line)
    node = _parse("".join(lines), first_line)
    _check_same_code(node, func)
    return lines, first_line, node


def _likely_block(code: CodeType) -> list[str] | None:
    """The lines from the first to the last that has byte code, and those after it that are indented deeper.

    ``inspect`` reads tokens to find the end, which takes longer than parsing; that this is the function is proved later.
    """
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename)
    first = code.co_firstlineno - 1
    end = max((line for _, _, line in code.co_lines() if line is not None), default=0)
    if not 0 <= first < end <= len(lines):
        return None  # the file is another one, or has become shorter
    indent = _indent(lines[first])
    while end < len(lines) and end - first <= _MAX_LINES and (not lines[end].strip() or _indent(lines[end]) > indent):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    return lines[first:end]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _check_kind(code: CodeType) -> None:
    line = code.co_firstlineno
    if code.co_flags & inspect.CO_GENERATOR:
        raise Refused("a generator", line)
    if code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE):
        raise Refused("an async function", line)
    if code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
        raise Refused("takes *args or **kwargs", line)
    if code.co_cellvars:
        raise Refused(f"an inner function uses its variable {code.co_cellvars[0]!r}", line)


def _parse(text: str, first_line: int) -> ast.FunctionDef:
    try:
        # Empty lines before it are much cheaper than numbering every node anew.
        tree = ast.parse("\n" * (first_line - 1) + textwrap.dedent(text))
    except SyntaxError as error:
        raise Refused(f"the source does not parse alone ({error.msg})", first_line) from None
    node = tree.body[0] if len(tree.body) == 1 else None
    if isinstance(node, ast.AsyncFunctionDef):
        raise Refused("an async function", first_line)
    if not isinstance(node, ast.FunctionDef):
        raise Refused("the source is not one function definition", first_line)
    return node


def _check_same_code(node: ast.FunctionDef, func: FunctionType) -> None:
    # A method call on a name that its module imports compiles to other byte code than one on any other name.
    for imported in (_nothing, _called_on):
        again = _recompile(node, func.__code__, imported(node))
        if again is not None and _same(again, func.__code__):
            return
    raise Refused("the source on disk is not the code that runs (edited, or rewritten at import)", node.lineno)


def _nothing(_node: ast.FunctionDef) -> list[str]:
    return []


def _called_on(node: ast.FunctionDef) -> list[str]:
    calls = [item.func for item in ast.walk(node) if isinstance(item, ast.Call)]
    owners = [func.value for func in calls if isinstance(func, ast.Attribute)]
    return sorted({owner.id for owner in owners if isinstance(owner, ast.Name)})


def _recompile(node: ast.FunctionDef, code: CodeType, imported: list[str]) -> CodeType | None:
    bare = ast.FunctionDef(
        # Another name: inside its owner the function must not become a variable that it sees as free.
        name="_compiled_again",
        args=_without_defaults(node.args),
        body=node.body,
        decorator_list=[],
        returns=None,
    )
    if hasattr(node, "type_params"):
        bare.type_params = []  # type: ignore[attr-defined,unused-ignore]
    ast.copy_location(bare, node)
    # Free variables have to be free again: they become the variables of a function around this one.
    imports = "".join(f"import {name}\n" for name in imported)
    owner = "def _owner():\n" + "".join(f" {name} = None\n" for name in code.co_freevars) + " pass\n"
    tree = ast.parse(imports + owner)
    assert isinstance(tree.body[-1], ast.FunctionDef)
    tree.body[-1].body.append(bare)
    try:
        module = compile(tree, code.co_filename, "exec", flags=code.co_flags & _FUTURES, dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    for outer in module.co_consts:
        if isinstance(outer, CodeType):
            return next((inner for inner in outer.co_consts if isinstance(inner, CodeType)), None)
    return None


def _without_defaults(args: ast.arguments) -> ast.arguments:
    """The same parameters with neither defaults nor annotations, which belong to the code around the function."""

    def plain(arg: ast.arg) -> ast.arg:
        return ast.copy_location(ast.arg(arg=arg.arg, annotation=None), arg)

    none: ast.expr = ast.Constant(value=None, lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)
    return ast.arguments(
        posonlyargs=[plain(arg) for arg in args.posonlyargs],
        args=[plain(arg) for arg in args.args],
        vararg=None,
        kwonlyargs=[plain(arg) for arg in args.kwonlyargs],
        kw_defaults=[none for _ in args.kwonlyargs],
        kwarg=None,
        defaults=[],
    )


def _same(one: CodeType, two: CodeType) -> bool:
    return (
        one.co_code == two.co_code
        and one.co_names == two.co_names
        and one.co_varnames == two.co_varnames
        and one.co_freevars == two.co_freevars
        and _constants(one) == _constants(two)
    )


def _constants(code: CodeType) -> list[str]:
    # repr tells 1 from 1.0 and True, and 0.0 from -0.0; equality does not. Code objects differ by address only.
    return [_shown(value) for value in code.co_consts]


def _shown(value: object) -> str:
    if isinstance(value, CodeType):
        return value.co_name
    # Before 3.11 the qualified name of an inner function is a constant, and holds the name of what is around it.
    inner = isinstance(value, str) and "<locals>" in value
    return "a qualified name" if inner else f"{type(value).__name__} {value!r}"
