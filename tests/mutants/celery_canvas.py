"""The breaks of canvas in the Celery shim: arguments, upgrades, links, chords, replacements, stamps."""

from __future__ import annotations

from .celery import _mutant
from .mutation import Mutant

MUTANTS = (
    _mutant(
        "canvas-further-arguments-go-last",
        "canvas/base.py",
        "            (*args, *own_args) if args else own_args,",
        "            (*own_args, *args) if args else own_args,",
        "test_canvas_signatures.py::test_clone_merges[args go first-mutable]",
    ),
    _mutant(
        "canvas-immutable-takes-arguments",
        "canvas/base.py",
        '        if self.get("immutable") and not force:',
        '        if self.get("immutable") and force:',
        "test_canvas_signatures.py::test_sending[immutable]",
    ),
    _mutant(
        "canvas-clones-share-their-options",
        "canvas/base.py",
        "                options=copy_options(options),",
        "                options=options,",
        "test_canvas_signatures.py::test_clones_share_nothing",
    ),
    _mutant(
        "canvas-group-of-one-stays-a-group",
        "canvas/joining.py",
        "    return members[0] if size == 1 else group",
        "    return group",
        "test_canvas_operators.py::test_chain_forms[group of one between]",
    ),
    _mutant(
        "canvas-group-and-task-are-no-chord",
        "canvas/joining.py",
        '    return Signature.TYPES["chord"](left, body=right, app=left._app)',
        "    return _join_task(left, right)",
        "test_canvas_operators.py::test_pair[group-task]",
    ),
    _mutant(
        "canvas-task-after-a-chord-is-not-its-body",
        "canvas/joining.py",
        '    elif steps and steps[-1]._kind == "chord" and kind != "chord":\n'
        "        steps[-1].body = steps[-1].body | other\n"
        "        return steps\n",
        "",
        "test_canvas_operators.py::test_chain_forms[chord between]",
    ),
    _mutant(
        "canvas-later-steps-do-not-fail",
        "backends/unsent.py",
        "        for step in chain if isinstance(chain, (list, tuple)) else ():",
        "        for step in ():",
        "test_canvas_failures.py::test_ending[middle of a chain-failure]",
    ),
    _mutant(
        "canvas-chain-links-its-first-step",
        "canvas/chains.py",
        "            steps[-1].link(callback)",
        "            steps[0].link(callback)",
        "test_canvas_operators.py::test_unchain_tasks",
    ),
    _mutant(
        "canvas-errbacks-of-the-last-step-only",
        "canvas/chains.py",
        "            for step in steps:\n                step.link_error(errback)",
        "            steps[-1].link_error(errback)",
        "test_canvas_operators.py::test_unchain_tasks",
    ),
    _mutant(
        "canvas-chain-forgets-parents",
        "canvas/chains.py",
        "                    tail.parent = result",
        "                    tail.parent = None",
        "test_canvas_ids.py::test_tree[chain]",
    ),
    _mutant(
        "canvas-results-in-order-of-arrival",
        "runtime/countdown.py",
        "        return sorted(self._parts.values(), key=_place)",
        "        return list(self._parts.values())",
        "test_canvas_failures.py::test_ending[in a header-retry then success]",
    ),
    _mutant(
        "canvas-body-starts-one-early",
        "runtime/countdown.py",
        "len(self._parts) < self.size + self.extra",
        "len(self._parts) < self.size + self.extra - 1",
        "test_canvas_operators.py::test_chord_forms[list]",
    ),
    _mutant(
        "canvas-added-members-are-not-awaited",
        "runtime/countdown.py",
        "            self.extra += 1",
        "            self.extra += 0",
        "test_canvas_replace.py::test_add_to_chord[at once]",
    ),
    _mutant(
        "canvas-body-runs-after-a-failure",
        "backends/countdowns.py",
        "            if part.state in states.PROPAGATE_STATES:",
        "            if part.state in ():",
        "test_canvas_failures.py::test_ending[in a header-failure]",
    ),
    _mutant(
        "canvas-replace-has-a-new-id",
        "app/running.py",
        "        sig.freeze(request.id)",
        "        sig.freeze()",
        "test_canvas_replace.py::test_the_id_stays",
    ),
    _mutant(
        "canvas-replace-drops-the-next-steps",
        "app/running.py",
        "        for following in reversed(request.chain or []):",
        "        for following in ():",
        "test_canvas_replace.py::test_replacing[task-first of a chain]",
    ),
    _mutant(
        "canvas-replace-drops-links",
        "app/running.py",
        "        for callback in maybe_list(request.callbacks) or []:",
        "        for callback in ():",
        "test_canvas_replace.py::test_links_move_to_the_replacement",
    ),
    _mutant(
        "canvas-group-link-gets-the-value",
        "canvas/groups.py",
        "        return self.tasks[0].link(sig.clone().set(immutable=True))",
        "        return self.tasks[0].link(sig.clone())",
        "test_canvas_links.py::test_link[group]",
    ),
    _mutant(
        "canvas-chord-errback-not-on-the-body",
        "canvas/chords.py",
        "        self.body.link_error(errback)\n        return errback",
        "        return errback",
        "test_canvas_links.py::test_errback_is_put[chord]",
    ),
    _mutant(
        "canvas-callbacks-are-not-stamped",
        "canvas/stamps.py",
        '        for option, hook in (("link", "on_callback"), ("link_error", "on_errback")):',
        '        for option, hook in (("link_error", "on_errback"),):',
        "test_canvas_stamps.py::test_stamps_by_keyword[linked task]",
    ),
    Mutant(
        "canvas-retry-is-noted-last",
        "compat/celery_shim/app/running.py",
        "                if throw and request.id:\n                    self._note_retry(request, result)\n",
        "",
        ("tests/unit/celery_shim/test_retry_order.py::test_the_last_attempt_has_the_last_word",),
    ),
    Mutant(
        "canvas-stopped-members-are-not-counted",
        "compat/celery_shim/backends/unsent.py",
        "            if member and not counted:",
        "            if member and not counted and store_result:",
        (
            "tests/conformance/celery/test_canvas_failures.py::test_ending[start of a chain in a header-expired]",
            "tests/unit/celery_shim/test_random_canvases.py",
        ),
    ),
)
