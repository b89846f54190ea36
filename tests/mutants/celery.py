"""The breaks of the Celery shim: one per semantic that applications lean on."""

from __future__ import annotations

from .mutation import Mutant

_SHIM = "compat/celery_shim/"
_TESTS = "tests/conformance/celery/"


def _mutant(name: str, path: str, before: str, after: str, *tests: str) -> Mutant:
    return Mutant(name, _SHIM + path, before, after, tuple(_TESTS + test for test in tests))


MUTANTS = (
    _mutant(
        "tuples-stay-tuples",
        "runtime/isolation.py",
        "        return [_copy(item, depth - 1) for item in value]",
        "        return kind(_copy(item, depth - 1) for item in value)",
        "test_serialization.py::test_argument[nested]",
        "test_serialization.py::test_argument[tuple]",
    ),
    _mutant(
        "arguments-are-shared",
        "runtime/isolation.py",
        "                return [_copy(item, _DEPTH) for item in args], _copy(kwargs, _DEPTH) if kwargs else {}",
        "                return list(args), kwargs",
        "test_serialization.py::test_the_callee_has_a_copy",
    ),
    _mutant(
        "keys-stay-numbers",
        "runtime/isolation.py",
        '            if type(key) is not str or key == "__type__":',
        '            if key == "__type__":',
        "test_serialization.py::test_argument[int keys]",
    ),
    _mutant(
        "success-is-replaced",
        "backends/local.py",
        '            if type(before) is tuple or before["status"] == _SUCCESS:',
        "            if before is False:",
        "test_ignore_reject.py::test_success_set_early_stays",
        "test_ignore_reject.py::test_success_is_not_overwritten",
    ),
    _mutant(
        "result-is-shared",
        "backends/local.py",
        "    return isolate(value, serializer) if kind is list or kind is dict else value",
        "    return value",
        "test_serialization.py::test_the_caller_has_a_copy_of_the_result",
        "test_serialization.py::test_two_readers_of_a_result",
    ),
    _mutant(
        "default-delay-of-a-retry",
        "app/task.py",
        "    default_retry_delay: Any = 3 * 60",
        "    default_retry_delay: Any = 60",
        "test_retry.py::test_default_delay",
    ),
    _mutant(
        "one-retry-too-many",
        "app/running.py",
        "        if limit is not None and retries > limit:",
        "        if limit is not None and retries > limit + 1:",
        "test_retry.py::test_runs[1]",
    ),
    _mutant(
        "exhausted-retries-forget-exc",
        "app/running.py",
        "            if exc:\n                raise_with_context(exc)\n",
        "",
        "test_retry.py::test_exhausted_with_an_exception",
    ),
    _mutant(
        "retry-without-throw-raises",
        "app/running.py",
        "        if throw:\n            raise result\n",
        "        raise result\n",
        "test_retry.py::test_throw_false",
    ),
    _mutant(
        "after-return-of-a-retry",
        "app/trace.py",
        "IGNORE_STATES = frozenset({IGNORED, RETRY, REJECTED})",
        "IGNORE_STATES = frozenset({IGNORED, REJECTED})",
        "test_tracing_order.py::test_retry",
    ),
    _mutant(
        "prerun-after-before-start",
        "app/trace.py",
        "            _task_stack.push(task)\n"
        "            request_stack.push(task_request)\n"
        "            try:\n"
        "                if signals.task_prerun.receivers:",
        "            _task_stack.push(task)\n            request_stack.push(task_request)\n            try:\n"
        "                if before_start:\n"
        "                    before_start(uuid, args, kwargs)\n"
        "                if signals.task_prerun.receivers:",
        "test_tracing_order.py::test_success",
    ),
    _mutant(
        "success-hook-before-the-result",
        "app/trace.py",
        "                        task.backend.mark_as_done(uuid, retval, task_request, publish_result)\n",
        "                        if on_success:\n                            on_success(retval, uuid, args, kwargs)\n"
        "                        task.backend.mark_as_done(uuid, retval, task_request, publish_result)\n",
        "test_tracing_order.py::test_success",
    ),
    _mutant(
        "links-after-the-result",
        "app/trace.py",
        "                        sent = True\n"
        "                        task.backend.mark_as_done(uuid, retval, task_request, publish_result)\n",
        "                        sent = True\n",
        "test_apply_async.py::test_delay_is_apply_async",
    ),
    _mutant(
        "errors-of-ignored-results-are-stored",
        "app/trace.py",
        "            store_errors = task.store_errors_even_if_ignored",
        "            store_errors = True",
        "test_ignore_reject.py::test_errors_of_ignored_results",
    ),
    _mutant(
        "ignore-is-a-failure",
        "app/trace.py",
        "                except Ignore as exc:\n",
        "                except ZeroDivisionError as exc:\n",
        "test_ignore_reject.py::test_ignore",
    ),
    _mutant(
        "started-is-not-stored",
        "app/trace.py",
        "                if task.track_started and not eager and not ignore_result:",
        "                if task.track_started and eager:",
        "test_tracing_order.py::test_track_started",
    ),
    _mutant(
        "failing-hooks-fail-the-task",
        "app/trace.py",
        "        except Exception as exc:\n"
        "            if eager:\n"
        "                raise\n"
        "            logger.exception(\n"
        '                "Task %s[%s] %s handler raised: %r"',
        "        except Exception as exc:\n"
        "            if not eager:\n"
        "                task.backend._forget(task_id)\n"
        "                task.backend.mark_as_failure(task_id, exc)\n"
        '            logger.exception(\n                "Task %s[%s] %s handler raised: %r"',
        "test_tracing_order.py::test_error_in_a_hook[on_success]",
    ),
    _mutant(
        "autoretry-of-what-is-excluded",
        "app/autoretry.py",
        '    never = (Ignore, Retry, *option("dont_autoretry_for", ()))',
        "    never = (Ignore, Retry)",
        "test_autoretry.py::test_runs",
    ),
    _mutant(
        "backoff-does-not-grow",
        "app/autoretry.py",
        "retries=task.request.retries, maximum=backoff_max",
        "retries=0, maximum=backoff_max",
        "test_autoretry.py::test_delays",
    ),
    _mutant(
        "backoff-without-a-maximum",
        "app/autoretry.py",
        "maximum=backoff_max",
        "maximum=10**9",
        "test_autoretry.py::test_delays",
    ),
    _mutant(
        "expired-tasks-run",
        "runtime/consumer.py",
        "        if message.expires is not None and time.time() >= message.expires:",
        "        if message.expires == 0:",
        "test_expires_eta.py::test_already_expired",
    ),
    _mutant(
        "revoked-tasks-run",
        "runtime/consumer.py",
        "        if worker_state.revoked and message.id in worker_state.revoked:",
        "        if message.id is None:",
        "test_ignore_reject.py::test_revoked_before_it_runs",
    ),
    _mutant(
        "revoke-leaves-pending",
        "worker/control.py",
        "            if backend.get_state(id) in (states.PENDING, states.RECEIVED, states.RETRY, states.REJECTED):",
        "            if backend.get_state(id) == states.REJECTED:",
        "test_control_inspect.py::test_revoke_marks_what_has_not_started",
    ),
    _mutant(
        "revoke-overwrites",
        "worker/control.py",
        "            if backend.get_state(id) in (states.PENDING, states.RECEIVED, states.RETRY, states.REJECTED):",
        "            if id:",
        "test_control_inspect.py::test_revoke_marks_what_has_not_started",
    ),
    _mutant(
        "rate-limit-is-ignored",
        "runtime/consumer.py",
        "        limited = task.rate_limit and not self.disable_rate_limits and not message.passed",
        "        limited = False",
        "test_rate_limit.py::test_spacing[5/s-0.2]",
    ),
    _mutant(
        "rejected-requeue-fails",
        "runtime/consumer.py",
        "        if exc.requeue:\n",
        "        if exc is None:\n",
        "test_ignore_reject.py::test_reject_and_requeue",
    ),
    _mutant(
        "unknown-tasks-wait-for-ever",
        "runtime/consumer.py",
        "            self.app.backend.mark_as_failure(message.id, exc, request=context)",
        "            context = None",
        "test_task_decorator.py::test_send_task_unknown",
    ),
    _mutant(
        "guard-against-waiting-is-off",
        "result_guard.py",
        "    if task_join_will_block():\n",
        "    if False:\n",
        "test_results_async.py::test_get_inside_a_task",
    ),
    _mutant(
        "parents-failures-are-ignored",
        "result_handle.py",
        "            self._maybe_reraise_parent_error()\n",
        "            pass\n",
        "test_results_async.py::test_failures_of_parents_come_first",
    ),
    _mutant(
        "results-are-not-parents-children",
        "app/sending.py",
        "            if parent:\n                parent.add_trail(result)",
        "            if parent and parent is task_type:\n                parent.add_trail(result)",
        "test_apply_async.py::test_parent_and_root",
    ),
    _mutant(
        "no-root-for-subtasks",
        "app/sending.py",
        "                root_id = root_id or request.root_id or request.id",
        "                root_id = root_id",
        "test_apply_async.py::test_parent_and_root",
    ),
    _mutant(
        "priorities-upside-down",
        "runtime/broker.py",
        'return level if app.conf.get("task_priority_zero_first") else _LOWEST - level',
        'return _LOWEST - level if app.conf.get("task_priority_zero_first") else level',
        "test_priorities.py::test_order",
    ),
    _mutant(
        "eager-arguments-are-not-serialized",
        "app/calling.py",
        "            args, kwargs = round_trip((args, kwargs), serializer)\n",
        "",
        "test_eager.py::test_arguments_pass_the_serializer",
    ),
    _mutant(
        "arguments-are-not-checked",
        "app/calling.py",
        "                check(*(args or ()), **(kwargs or {}))\n",
        "                pass\n",
        "test_eager.py::test_typing_is_checked",
    ),
    _mutant(
        "settings-reach-bound-tasks",
        "app/task.py",
        "            if getattr(cls, name, None) is None:\n                setattr(cls, name, conf[setting])",
        "            pass",
        "test_task_attributes.py::test_filled_from_the_settings_when_bound",
    ),
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
        '            "options": copy_options(options),',
        '            "options": options,',
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
)
