"""One C file: the instances of one or several functions, their callees, and the entry points Python calls.

An entry point takes the control word, the depth that recursion may reach, and the arguments. It gives the value itself;
one number that is hardly ever a result (``SENTINEL``, nan for a float) says that the call has to be redone in Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .cruntime import header
from .emit import FunctionEmitter
from .errors import Refused
from .names import Guards, Scope
from .recursion import with_quiet_levels
from .source import Source, read, unwrap
from .types import BOOL, FLOAT, INT, NUMBER, Seq, Signature, is_single, signature_name
from .values import ctype

_MAX_INSTANCES = 64
_MAX_WALKS = 64
_STACK_BYTES = 512 * 1024


@dataclass
class Entry:
    """How Python calls one compiled function."""

    name: str
    signature: Signature
    mask: int
    tuple_masks: tuple[int, ...] | None
    guards: Guards
    recursive: bool
    calls_others: bool
    loops: bool
    max_depth: int
    batch: bool

    @property
    def plain(self) -> bool:
        """The value comes back as the C result; otherwise through a record."""
        return self.tuple_masks is None and is_single(self.mask)


@dataclass
class Unit:
    """A finished C file."""

    text: str
    entries: list[Entry] = field(default_factory=list)


class Program:
    """Collects what one root function needs. Several programs can share one file: see ``unit``."""

    def __init__(self, func: object, signature: Signature, prefix: str = "f") -> None:
        self._prefix = prefix
        self._instances: dict[tuple[int, Signature], FunctionEmitter] = {}
        self._sources: dict[int, Source] = {}
        self._calls: dict[str, set[str]] = {}
        self._current: FunctionEmitter | None = None
        self._helpers: dict[str, str] = {}
        self.tuples: set[int] = set()
        self.guards = Guards()
        source = self._source(func)
        if len(source.params) != len(signature):
            raise Refused(f"it takes {len(source.params)} arguments, not {len(signature)}", source.node.lineno)
        self.func = source.func
        self.guards.watch_function(source.func)
        self._root = self._make(source, signature)
        self._settle()

    # -- what the emitters ask for

    def instance(self, func: Any, signature: Signature, line: int) -> FunctionEmitter:
        """The C function for a callee with these argument types."""
        source = self._source(func)
        if len(source.params) != len(signature) or source.func.__kwdefaults__ or source.node.args.kwonlyargs:
            raise Refused(f"{func.__name__}() is called with other than all its arguments by position", line)
        found = self._instances.get((id(source.func), signature)) or self._make(source, signature)
        found.asked = True
        assert self._current is not None
        self._calls.setdefault(self._current.cname, set()).add(found.cname)
        return found

    def helper(self, template: str) -> str:
        """The name of a small function of its own; the same text is written once."""
        if template not in self._helpers:
            self._helpers[template] = f"{self._prefix}_h{len(self._helpers)}"
        return self._helpers[template]

    def need_tuple(self, size: int) -> None:
        self.tuples.add(size)

    # -- inside

    def _source(self, func: object) -> Source:
        func = unwrap(func)
        found = self._sources.get(id(func))
        if found is None:
            found = self._sources[id(func)] = read(func)
        return found

    def _make(self, source: Source, signature: Signature) -> FunctionEmitter:
        if len(self._instances) >= _MAX_INSTANCES:
            raise Refused("its callees are used with too many combinations of types", source.node.lineno)
        name = source.func.__name__
        cname = f"{self._prefix}_{len(self._instances)}" + (
            f"_{name}" if name.isascii() and name.isidentifier() else ""
        )
        made = FunctionEmitter(self, source, Scope(source.func, self.guards), signature, cname)
        self._instances[(id(source.func), signature)] = made
        return made

    def _settle(self) -> None:
        """Walks every instance until no walk learns anything; only then is the text right."""
        for _ in range(_MAX_WALKS):
            changed = False
            self._calls.clear()
            self._helpers.clear()
            for emitter in list(self._instances.values()):
                before = len(self._instances)
                self._current = emitter
                emitter.emit()
                changed |= emitter.changed or len(self._instances) != before
            changed |= self._mark_recursive()
            if not changed:
                return
        raise Refused("its types do not settle", self._root.source.node.lineno)

    def _mark_recursive(self) -> bool:
        changed = False
        for emitter in self._instances.values():
            recursive = emitter.cname in self._reach(emitter.cname)
            changed |= recursive != emitter.recursive
            emitter.recursive = recursive
        return changed

    def _reach(self, name: str) -> set[str]:
        found: set[str] = set()
        todo = list(self._calls.get(name, ()))
        while todo:
            callee = todo.pop()
            if callee not in found:
                found.add(callee)
                todo.extend(self._calls.get(callee, ()))
        return found

    def body(self) -> str:
        """The C functions, callees included, without the runtime before them and the entry after them."""
        names = {self._root.cname} | self._reach(self._root.cname)
        live = [emitter for emitter in self._instances.values() if emitter.cname in names]
        parts = [template.replace("{name}", name) for template, name in self._helpers.items()]
        parts += [emitter.header + ";\n" for emitter in live]
        parts += ["\n" + self._final(emitter) for emitter in live]
        return "".join(parts)

    def _final(self, emitter: FunctionEmitter) -> str:
        if emitter.recursive:
            return with_quiet_levels(emitter.cname, emitter.header, emitter.text)
        return emitter.text

    def entry(self) -> tuple[Entry, str]:
        """The entry point and its C text, the one for batches included where the function can have one."""
        root = self._root
        name = f"brl_entry_{self._prefix}"
        reached = self._reach(root.cname)
        frame = max(emitter.frame_bytes() for emitter in self._instances.values())
        batch = (
            all(isinstance(kind, int) for kind in root.signature)
            and root.tuple_masks is None
            and root.mask
            in (
                BOOL,
                INT,
                FLOAT,
                0,
            )
        )
        entry = Entry(
            name=name,
            signature=root.signature,
            mask=root.mask or INT,
            tuple_masks=root.tuple_masks,
            guards=self.guards,
            recursive=root.recursive or any(one.recursive for one in self._instances.values()),
            calls_others=bool(reached - {root.cname}),
            loops=any("BRL_POLL" in line for one in self._instances.values() for line in one.lines),
            max_depth=max(_STACK_BYTES // frame, 8),
            batch=batch,
        )
        text = _entry_text(entry, root)
        if batch:
            text += _batch_text(entry, root)
        return entry, text


def unit(programs: Sequence[Program]) -> Unit:
    """Several programs as one C file with a table of their entry points."""
    sizes = sorted({size for program in programs for size in program.tuples})
    parts = [header()]
    parts += [f"typedef struct {{ brl_n v[{size}]; }} brl_tuple{size};\n" for size in sizes]
    entries, table = [], []
    for program in programs:
        entry, text = program.entry()
        parts += ["\n", program.body(), "\n", text]
        entries.append(entry)
        table += [f"(void *){entry.name}", f"(void *){entry.name}_batch" if entry.batch else "(void *)0"]
    parts.append("\nextern void *const brl_table[];\n")
    parts.append("void *const brl_table[] = {\n    " + ",\n    ".join(table) + "\n};\n")
    return Unit("".join(parts), entries)


def _entry_text(entry: Entry, root: FunctionEmitter) -> str:
    params, args = ["brl_control *ctl", "i64 depth"], ["&c", "depth"]
    setup: list[str] = []
    for index, kind in enumerate(entry.signature):
        if isinstance(kind, Seq):
            params += [f"const void *a{index}", f"i64 n{index}"]
            if kind.kind == "memoryview" and kind.code not in "?bB":  # it can begin anywhere in what it is a view of
                setup.append(f"    BRL_CHECK((__UINTPTR_TYPE__)a{index} % _Alignof({kind.ctype}) != 0);")
            setup.append(f"    brl_seq s{index} = {{a{index}, n{index}}};")
            args.append(f"s{index}")
        else:
            params.append(f"{ctype(kind)} a{index}")
            args.append(f"a{index}")
    call = f"{root.cname}({', '.join(args)})"
    result = ctype(entry.mask) if entry.plain else "i64"
    failed = '__builtin_nan("")' if entry.plain and entry.mask == FLOAT else "BRL_SENTINEL"
    if not entry.plain:
        params.append("brl_n *out")
    # The function that sets the jump must stay a frame of its own: nothing of it is inlined or live across the jump.
    inner = ["brl_ctx *c", *params[1:]]
    names = ["&c", "depth", *(part.split()[-1].lstrip("*") for part in params[2:])]
    run = call.replace("&c", "c", 1)
    if entry.plain:
        body = f"    return {run};"
    elif entry.tuple_masks is not None:
        size = len(entry.tuple_masks)
        copies = " ".join(f"out[{k}] = r.v[{k}];" for k in range(size))
        body = f"    brl_tuple{size} r = {run};\n    {copies}\n    return 0;"
    else:
        body = f"    out[0] = {run};\n    return 0;"
    lines = [
        f"static __attribute__((noinline)) {result} {entry.name}_run({', '.join(inner)}) {{",
        *setup,
        body,
        "}",
        f"{result} {entry.name}({', '.join(params)});",
        f"{result} {entry.name}({', '.join(params)}) {{",
        "    brl_ctx c;",
        "    c.ctl = ctl;",
        f"    if (__builtin_setjmp(c.jump)) return {failed};",
        f"    return {entry.name}_run({', '.join(names)});",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _batch_text(entry: Entry, root: FunctionEmitter) -> str:
    """One native loop over columns. A row that bails is marked and left to Python; a stop ends the loop early."""
    kinds = [ctype(kind) for kind in entry.signature if isinstance(kind, int)]
    columns = [f"((const {kind} *)s->columns[{index}])[k]" for index, kind in enumerate(kinds)]
    result = ctype(entry.mask)
    name = f"{entry.name}_batch"
    lines = [
        f"typedef struct {{ i64 next, stop, depth; void *const *columns; {result} *out; }} {name}_state;",
        f"static __attribute__((noinline)) void {name}_run(brl_ctx *c, {name}_state *s) {{",
        "    BRL_WORD(c);",
        "    while (s->next < s->stop) {",
        "        i64 k = s->next;",
        "        BRL_POLL(c);",
        f"        s->out[k] = {root.cname}({', '.join(['c', 's->depth', *columns])});",
        "        s->next = k + 1;",
        "    }",
        "}",
        f"i64 {name}(brl_control *ctl, i64 depth, i64 start, i64 stop, void *const *columns, void *out, char *bad);",
        f"i64 {name}(brl_control *ctl, i64 depth, i64 start, i64 stop, void *const *columns, void *out, char *bad) {{",
        "    brl_ctx c;",
        f"    {name}_state s = {{start, stop, depth, columns, ({result} *)out}};",
        f"    volatile {name}_state *kept = &s;",
        "    c.ctl = ctl;",
        "    if (__builtin_setjmp(c.jump)) {",
        "        if (ctl->word == 1) return kept->next;",
        "        bad[kept->next] = 1;",
        "        kept->next = kept->next + 1;",
        "    }",
        f"    {name}_run(&c, &s);",
        "    return kept->next;",
        "}",
    ]
    return "\n".join(lines) + "\n"


def describe_entry(entry: Entry) -> str:
    from .types import mask_name

    if entry.tuple_masks is not None:
        result = "(" + ", ".join(mask_name(mask & NUMBER) for mask in entry.tuple_masks) + ")"
    else:
        result = mask_name(entry.mask)
    return f"{signature_name(entry.signature)} -> {result}"
