"""``chain``: tasks one after the other, each called with the result of the one before.

The ids of all steps are known before the first is sent. A message carries the steps that follow it, the next one last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from .. import states
from .._state import current_app
from ..result import EagerResult, allow_join_result
from ..utils import abstract
from ..utils.collections import ChainMap
from ..utils.functional import is_list, regen
from ..utils.lean import maybe_list
from ..utils.objects import getitem_property
from ..utils.text import remove_repeating_from_task
from .base import Signature, maybe_signature
from .chords import clear_header_links, unroll_body
from .joining import _fold_chain, is_empty_group, led_by_task, maybe_unroll_group

__all__ = ("chain",)


def _with_steps(options: Mapping[str, Any], steps: list[Any], use_link: Any) -> Any:
    """Options of the first step, with those that follow it."""
    if use_link:
        return ChainMap({"chain": None}, options)
    outer = options.get("chain") if "chain" in options else None
    return ChainMap({"chain": steps if outer is None else outer + steps}, options)


def _root_of(result: Any) -> Any:
    """The handle that has no parent yet: the header of the first chord in it."""
    while result.parent:
        result = result.parent
    return result


@Signature.register_type(name="chain")
class _chain(Signature):
    """Steps as they are; ``chain`` applies the rules of ``|`` to them first."""

    _kind = "chain"
    _use_link: Any = None

    tasks = getitem_property("kwargs.tasks", "The steps.")

    @classmethod
    def from_dict(cls, d: Any, app: Any = None) -> Any:
        steps = [maybe_signature(step, app=app) for step in d["kwargs"]["tasks"]]
        return cls(steps, app=app, **d["options"])

    def __init__(self, *tasks: Any, **options: Any) -> None:
        steps: Any = regen(tasks[0]) if len(tasks) == 1 and is_list(tasks[0]) else tasks
        super().__init__("celery.chain", (), {"tasks": steps}, **options)
        self._use_link = options.pop("use_link", None)
        self.subtask_type = "chain"
        self._frozen: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.apply_async(args, kwargs) if self.tasks else None

    def clone(self, *args: Any, **kwargs: Any) -> Any:
        copied = super().clone(*args, **kwargs)
        copied.kwargs["tasks"] = [maybe_signature(step, app=self._app, clone=True) for step in copied.kwargs["tasks"]]
        return copied

    def unchain_tasks(self) -> list[Any]:
        """Copies of the steps; links of the chain go to the last one, errbacks to all."""
        steps = [step.clone() for step in self.tasks]
        for callback in maybe_list(self.options.get("link")) or []:
            steps[-1].link(callback)
        for errback in maybe_list(self.options.get("link_error")) or []:
            for step in steps:
                step.link_error(errback)
        return steps

    def _links_steps(self, app: Any) -> bool:
        """Old workers (protocol 1) get the next step as a link."""
        return bool(self._use_link) or (self._use_link is None and app.conf.task_protocol == 1)

    def _unroll_chords(self, app: Any = None) -> None:
        """Let what follows the first task of a chord's body be steps of the chain, in place."""
        app = app or self.app
        if self._links_steps(app):
            return
        waiting, steps = deque(self.tasks), []
        while waiting:
            step = waiting.popleft()
            kind = getattr(step, "_kind", None)
            if kind == "chain":
                step = step.clone()
                step._unroll_chords(app)
            if kind == "chord" and led_by_task(step.body):
                waiting.extendleft(reversed(unroll_body(step)))
            else:
                steps.append(step)
        self.tasks = steps

    # -- calling ----------------------------------------------------------------------------------------------------

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        """Send the first step; gives the handle of the last one, ``None`` for an empty chain."""
        app = self.app
        if app.conf.task_always_eager:
            with allow_join_result():
                return self.apply(args, kwargs, **options)
        return self.run(args, kwargs, app=app, **{**self.options, **options})

    def run(
        self,
        args: Any = None,
        kwargs: Any = None,
        group_id: Any = None,
        chord: Any = None,
        task_id: Any = None,
        link: Any = None,
        link_error: Any = None,
        publisher: Any = None,
        producer: Any = None,
        root_id: Any = None,
        parent_id: Any = None,
        app: Any = None,
        group_index: Any = None,
        **options: Any,
    ) -> Any:
        """Prepare copies of the steps and send the first."""
        app = app or self.app
        args = self.args if self.immutable or not args else (*args, *self.args)
        steps, results = self.prepare_steps(
            args, kwargs or {}, self.tasks, root_id, parent_id, link_error, app, task_id, group_id, chord,
            group_index=group_index,
        )  # fmt: skip
        if not results:
            return None
        if link:
            steps[0].extend_list_option("link", link)
        first = steps.pop()
        sent = first.apply_async(**_with_steps(options, steps, self._links_steps(app)))
        # a single chord knows more of its result than what was prepared
        return results[0] if steps else sent

    def freeze(
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> Any:
        """Fix the ids of all steps; gives the handle of the last one."""
        _, results = self._frozen = self.prepare_steps(
            self.args, self.kwargs, self.tasks, root_id, parent_id, None, self.app, _id, group_id, chord,
            clone=False, group_index=group_index,
        )  # fmt: skip
        return results[0]

    def prepare_steps(
        self,
        args: Any,
        kwargs: Any,
        tasks: Iterable[Any],
        root_id: str | None = None,
        parent_id: str | None = None,
        link_error: Any = None,
        app: Any = None,
        last_task_id: str | None = None,
        group_id: str | None = None,
        chord_body: Any = None,
        clone: bool = True,
        from_dict: Any = Signature.from_dict,
        group_index: int | None = None,
    ) -> tuple[list[Any], list[Any]]:
        """The steps and their handles, the last step first; handles know their parents.

        ``clone=False`` writes the ids into the steps themselves.
        """
        app = app or self.app
        use_link = self._links_steps(app)
        errbacks = maybe_list(link_error) or []
        steps = self._expand(args, kwargs, tasks, app, clone, from_dict)
        done: list[Any] = []
        results: list[Any] = []
        following: Any = None
        tail: Any = None
        for step in reversed(_upgrade(steps, app, root_id)):
            if following is None:
                result = step.freeze(
                    last_task_id, root_id=root_id, group_id=group_id, chord=chord_body, group_index=group_index
                )
            else:
                result = step.freeze(root_id=root_id)
                if use_link:
                    step.link(following)
                if tail is not None and not tail.parent:
                    tail.parent = result
            for errback in errbacks:
                step.link_error(errback)
                if step._kind == "chord" and step.body:
                    step.body.link_error(errback)
            done.append(step)
            results.append(result)
            following, tail = step, result
            if step._kind == "chord":
                app.backend.ensure_chords_allowed()
                tail = _root_of(result)
        self.id = results[0].id if results else last_task_id
        if clone:
            for step in done:
                clear_header_links(step)
        return done, results

    def _expand(self, args: Any, kwargs: Any, tasks: Iterable[Any], app: Any, clone: bool, from_dict: Any) -> list[Any]:
        """The steps without nested chains, empty groups and groups of one, in order."""
        waiting = deque(tasks)
        steps: list[Any] = []
        left_out: Any = None
        while waiting:
            step = waiting.popleft()
            if not isinstance(step, abstract.CallableSignature):
                step = from_dict(step, app=app)
            kind = getattr(step, "_kind", None)
            if kind == "group":
                step = maybe_unroll_group(step)
                kind = getattr(step, "_kind", None)
                if kind == "group" and is_empty_group(step):
                    left_out = step
                    continue
            if kind == "chain":
                waiting.extendleft(reversed(step.clone().tasks if clone else step.tasks))
                continue
            if clone:
                if kind == "chord" and led_by_task(step.body):
                    waiting.extendleft(reversed(unroll_body(step)))
                    continue
                step = step.clone() if steps else step.clone(args, kwargs)
            elif not steps:
                step.args = (*args, *step.args)
            steps.append(step)
        if not steps and left_out is not None:
            steps.append(left_out.clone(args, kwargs) if clone else left_out)
        return steps

    # -- eager ------------------------------------------------------------------------------------------------------

    def apply(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Run all steps here and now; gives the result of the last one."""
        last: Any = None
        given: tuple[Any, Any] = (args or (), kwargs or {})
        steps = list(self.tasks)
        options = {**self.options, **options}
        link = options.pop("link", None)
        ends = [place for place, step in enumerate(steps) if not is_empty_group(step)]
        end = ends[-1] if ends else len(steps) - 1
        for place, step in enumerate(steps):
            if is_empty_group(step) and (place < len(steps) - 1 or last is not None):
                continue
            step = step.clone()
            if link and place == end:
                (step.body if getattr(step, "_kind", None) == "chord" else step).extend_list_option("link", link)
            result = step.apply((last.get(),) if last else given[0], given[1], **options)
            result.parent, last, given = last, result, (None, None)
            if isinstance(result, EagerResult) and result.state in (states.IGNORED, states.REJECTED):
                break  # a worker would not send the next step
        return last

    # -- stamps -----------------------------------------------------------------------------------------------------

    def stamp(self, visitor: Any = None, append_stamps: bool = False, **headers: Any) -> None:
        """Put stamps on all steps."""
        found = None if visitor is None else visitor.on_chain_start(self, **headers) or {}
        headers = self._stamp_headers(found, append_stamps, **headers)
        self.stamp_links(visitor, **headers)
        for step in self.tasks:
            step.stamp(visitor, append_stamps, **headers)
        if visitor is not None:
            visitor.on_chain_end(self, **headers)

    # -- as a value -------------------------------------------------------------------------------------------------

    @property
    def app(self) -> Any:
        app = self._app
        if app is None:
            try:
                app = self.tasks[0].app
            except (LookupError, AttributeError):
                pass
        return app or current_app

    def __repr__(self) -> str:
        if not self.tasks:
            return f"<{type(self).__name__}@{id(self):#x}: empty>"
        return str(remove_repeating_from_task(self.tasks[0]["task"], " | ".join(repr(step) for step in self.tasks)))


def _upgrade(steps: list[Any], app: Any, root_id: str | None) -> list[Any]:
    """A group with a step after it becomes a chord with that step as the body."""
    upgraded: list[Any] = []
    for step in reversed(steps):
        if getattr(step, "_kind", None) == "group" and upgraded:
            step = Signature.TYPES["chord"](step, body=upgraded.pop(), root_id=root_id, app=app)
        upgraded.append(step)
    upgraded.reverse()
    return upgraded


class chain(_chain):
    """Tasks one after the other. ``chain(a, b, c)`` is ``a | b | c``, and may so be a group or a chord."""

    def __new__(cls, *tasks: Any, **kwargs: Any) -> Any:
        if kwargs or not tasks or (len(tasks) == 1 and not is_list(tasks[0])):
            return super().__new__(cls, *tasks, **kwargs)
        made = _fold_chain(tasks[0] if len(tasks) == 1 else tasks)
        if cls is not chain and isinstance(made, _chain) and not isinstance(made, cls):
            return super().__new__(cls, made.tasks, **kwargs)
        return made
