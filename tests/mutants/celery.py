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
        "given, named = copy_plain(args), copy_plain(kwargs)",
        "given, named = list(args), copy_plain(kwargs)",
        "test_serialization.py::test_argument[nested]",
        "test_serialization.py::test_argument[tuple]",
    ),
    _mutant(
        "arguments-are-shared",
        "runtime/fast.py",
        "copied = copy_arguments(() if args is None else args, {} if kwargs is None else kwargs)",
        "copied = list(args or ()), dict(kwargs or {})",
        "test_serialization.py::test_the_callee_has_a_copy",
    ),
    _mutant(
        "keys-stay-numbers",
        "runtime/isolation.py",
        "given, named = copy_plain(args), copy_plain(kwargs)",
        "given, named = [x if type(x) is dict else copy_plain(x) for x in args], copy_plain(kwargs)",
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
        "                        backend.mark_as_done(uuid",
        "                        on_success and on_success(retval, uuid, args, kwargs)\n"
        "                        backend.mark_as_done(uuid",
        "test_tracing_order.py::test_success",
    ),
    _mutant(
        "links-after-the-result",
        "app/trace.py",
        "backend.mark_as_done(uuid, retval, task_request, publish_result)",
        "None",
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
        'logger.exception("Task %s[%s] %s handler raised',
        "task.backend._forget(task_id)\n"
        "            task.backend.mark_as_failure(task_id, exc)\n"
        '            logger.exception("Task %s[%s] %s handler raised',
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
        "retries=task.request.retries,",
        "retries=0,",
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
        "worker/commands.py",
        "            if backend.get_state(id) in (states.PENDING, states.RECEIVED, states.RETRY, states.REJECTED):",
        "            if backend.get_state(id) == states.REJECTED:",
        "test_control_inspect.py::test_revoke_marks_what_has_not_started",
    ),
    _mutant(
        "revoke-overwrites",
        "worker/commands.py",
        "            if backend.get_state(id) in (states.PENDING, states.RECEIVED, states.RETRY, states.REJECTED):",
        "            if id:",
        "test_control_inspect.py::test_revoke_marks_what_has_not_started",
    ),
    _mutant(
        "rate-limit-is-ignored",
        "runtime/consumer.py",
        "if task.rate_limit and not self.disable_rate_limits and not message.passed:",
        "if False:",
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
        "        self.app.backend.mark_as_failure("
        "message.id, refusal, request=context, store_result=not message.ignore_result)\n",
        "",
        "test_task_decorator.py::test_send_task_unknown",
    ),
    _mutant(
        "guard-against-waiting-is-off",
        "result_guard.py",
        "if result.task_join_will_block():",
        "if False:",
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
        "edited-entries-forget-their-last-run",
        "beat.py",
        "                schedule[name].update(entry)",
        "                schedule[name] = entry",
        "test_beat_scheduler.py::test_merge",
        "test_beat_persistent.py::test_last_runs_survive",
    ),
    _mutant(
        "tasks-of-beat-are-not-marked",
        "beat.py",
        '"celery_beat_task": True}',
        "}",
        "test_beat_scheduler.py::test_header_and_options",
    ),
    _mutant(
        "an-entry-that-fails-stops-beat",
        "beat.py",
        "            due, delay = ask()\n        except Exception:",
        "            due, delay = ask()\n        except ZeroDivisionError:",
        "test_beat_scheduler.py::test_an_entry_that_cannot_be_asked",
    ),
    _mutant(
        "entries-in-the-order-of-the-settings",
        "beat.py",
        "        heapify(self._heap)\n",
        "",
        "test_beat_scheduler.py::test_order_of_due_times",
    ),
    _mutant(
        "stores-that-expire-are-cleaned-too",
        "beat.py",
        "            and not self.app.backend.supports_autoexpire\n",
        "",
        "test_beat_scheduler.py::test_clean_up_of_results",
    ),
    _mutant(
        "state-is-not-written-by-count",
        "beat.py",
        "self._tasks_since_sync >= self.sync_every_tasks",
        "self._tasks_since_sync > self.sync_every_tasks",
        "test_beat_scheduler.py::test_when_to_sync",
    ),
    _mutant(
        "every-missed-run-is-sent",
        "runtime/beat_entries.py",
        'fields["last_run_at"] = last_run_at or self.default_now()',
        'fields["last_run_at"] = last_run_at or self.last_run_at + self.schedule.run_every',
        "test_beat_scheduler.py::test_missed_runs_are_sent_once",
    ),
    _mutant(
        "another-zone-keeps-the-last-runs",
        "runtime/beat_persistence.py",
        "        if before is not None and before != conf.timezone:",
        "        if before == 0:",
        "test_beat_persistent.py::test_settings_that_reset_the_file",
    ),
    _mutant(
        "deadline-of-missed-runs-is-ignored",
        "schedules.py",
        "        if seconds is None:\n            return False",
        "        if seconds is None or seconds > 0:\n            return False",
        "test_schedules.py::test_deadline_of_a_missed_run",
        "test_beat_scheduler.py::test_deadline",
    ),
    _mutant(
        "crontabs-in-utc",
        "schedules.py",
        "        zone = timezone.get_timezone(tz or self.tz)",
        "        zone = timezone.utc",
        "test_schedules.py::test_crontab_in_a_zone",
    ),
    _mutant(
        "ranges-do-not-go-round-the-end",
        "cronspec.py",
        "        return [*range(first, self.min_ + self.max_), *range(self.min_, last + 1)]",
        "        return [*range(first, self.min_ + self.max_)]",
        "test_schedules.py::test_fields_of_a_crontab",
    ),
)
