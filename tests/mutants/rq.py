"""The breaks of the RQ shim: one per semantic that applications lean on."""

from __future__ import annotations

from .mutation import Mutant

_SHIM = "compat/rq_shim/"
_TESTS = "tests/conformance/rq/"


def _mutant(name: str, path: str, before: str, after: str, *tests: str) -> Mutant:
    return Mutant(name, _SHIM + path, before, after, tuple(_TESTS + test for test in tests))


MUTANTS = (
    _mutant(
        "front-is-back",
        "queue.py",
        "        line.push(job_id, front=at_front, lane=lane)",
        "        line.push(job_id, lane=lane)",
        "test_enqueue.py::test_at_front",
    ),
    _mutant(
        "retry-too-many",
        "runtime/joboutcome.py",
        "        return self.retries_left is not None and self.retries_left > 0",
        "        return self.retries_left is not None and self.retries_left >= 0",
        "test_retry.py::test_retries_run_out",
    ),
    _mutant(
        "returned-retry-without-limit",
        "runtime/workerrun.py",
        "            if not job.number_of_retries or job.number_of_retries < retry.max:",
        "            if not job.number_of_retries or job.number_of_retries <= retry.max:",
        "test_retry.py::test_returned_retry_until_the_limit",
    ),
    _mutant(
        "retry-intervals-from-the-end",
        "runtime/joboutcome.py",
        "        return self.retry_intervals[max(len(self.retry_intervals) - self.retries_left, 0)]",
        "        return self.retry_intervals[-1]",
        "test_retry.py::test_intervals_in_use",
    ),
    _mutant(
        "repeat-for-ever",
        "repeat.py",
        "        job.repeats_left -= 1\n",
        "        job.repeats_left -= 0.5\n",
        "test_repeat.py::test_runs_once_more_than_times",
    ),
    _mutant(
        "repeat-intervals-are-not-used-up",
        "repeat.py",
        "                job.repeat_intervals = job.repeat_intervals[1:]",
        "                pass",
        "test_repeat.py::test_order_of_the_intervals",
    ),
    _mutant(
        "failed-parents-release",
        "runtime/joblinks.py",
        "            if status == JobStatus.FAILED and not self.allow_dependency_failures:",
        "            if status is None:",
        "test_dependencies.py::test_failed_parent_keeps_its_child",
    ),
    _mutant(
        "canceled-parents-release",
        "runtime/joblinks.py",
        "            if status in (JobStatus.CANCELED, JobStatus.STOPPED):\n                return False\n",
        "",
        "test_commands.py::test_child_of_a_stopped_parent",
    ),
    _mutant(
        "allowed-failures-are-not-allowed",
        "runtime/joblinks.py",
        "        good = {JobStatus.FINISHED, JobStatus.FAILED} if self.allow_dependency_failures else "
        "{JobStatus.FINISHED}",
        "        good = {JobStatus.FINISHED}",
        "test_dependencies.py::test_allow_failure_of_one_holds_for_all",
    ),
    _mutant(
        "one-parent-is-enough",
        "runtime/joblinks.py",
        "        return all(record.status in good for",
        "        return True or all(record.status in good for",
        "test_dependencies.py::test_two_parents_in_two_queues",
    ),
    _mutant(
        "cancel-leaves-the-queue-alone",
        "runtime/joblinks.py",
        "            self._remove_from_registries(pipeline=pipeline, remove_from_queue=True)",
        "            self._remove_from_registries(pipeline=pipeline, remove_from_queue=False)",
        "test_job_lifecycle.py::test_cancel_a_queued_job",
    ),
    _mutant(
        "cancel-twice",
        "runtime/joblinks.py",
        "        if self.is_canceled:  # type",
        "        if False:  # type",
        "test_job_lifecycle.py::test_cancel_a_queued_job",
        "test_programs.py::test_program",
    ),
    _mutant(
        "canceled-is-in-no-registry",
        "runtime/joblinks.py",
        '            self._registry("CanceledJobRegistry").add(self, pipeline=pipeline)\n',
        "",
        "test_job_lifecycle.py::test_cancel_a_queued_job",
    ),
    _mutant(
        "stop-is-retried",
        "runtime/workerrun.py",
        "            retry = job.should_retry and not stopped",
        "            retry = job.should_retry or stopped",
        "test_commands.py::test_stop_a_running_job",
    ),
    _mutant(
        "stopped-is-failed",
        "runtime/workerrun.py",
        "                job.set_status(JobStatus.STOPPED)",
        "                job.set_status(JobStatus.FAILED)",
        "test_commands.py::test_stop_a_running_job",
    ),
    _mutant(
        "failures-are-not-counted",
        "runtime/workerrun.py",
        "            self.increment_failed_job_count()\n            if job.started_at and job.ended_at:",
        "            if job.started_at and job.ended_at:",
        "test_worker_burst.py::test_statistics",
    ),
    _mutant(
        "dependents-of-a-failure-are-forgotten",
        "runtime/workerrun.py",
        "        if not retry:\n            self._enqueue_dependents_safely(queue, job)\n"
        "        self._release_slot_safely(job)\n\n    def _enqueue_dependents_safely",
        "        self._release_slot_safely(job)\n\n    def _enqueue_dependents_safely",
        "test_dependencies.py::test_allow_failure",
    ),
    _mutant(
        "ready-dependents-stay",
        "runtime/workerrun.py",
        "        queue.enqueue_ready_jobs_by_queue(ready)\n        release_slot(job)\n        taken",
        "        release_slot(job)\n        taken",
        "test_dependencies.py::test_child_runs_after_its_parent",
    ),
    _mutant(
        "failures-are-kept-a-day",
        "registry.py",
        "        ttl = DEFAULT_FAILURE_TTL if ttl is None else ttl",
        "        ttl = 86400 if ttl is None else ttl",
        "test_ttl.py::test_ttl_of_a_failed_job",
    ),
    _mutant(
        "expired-jobs-run",
        "runtime/store.py",
        "        if record is not None and record.expires_at is not None and record.expires_at <= clock.time():",
        "        if record is None:",
        "test_ttl.py::test_expired_job_is_skipped",
        "test_ttl.py::test_result_expires",
    ),
    _mutant(
        "suspension-is-not-seen",
        "suspension.py",
        "    return client_of(connection).exists(WORKERS_SUSPENDED)",
        "    return 0",
        "test_suspension.py::test_burst_worker_ends",
    ),
    _mutant(
        "all-results-for-ever",
        "runtime/store.py",
        "            results = (*before, tuple(entry))[-MOST_RESULTS:]",
        "            results = (*before, tuple(entry))[-1:]",
        "test_results.py::test_history_of_a_requeued_job",
    ),
    _mutant(
        "worker-ignores-its-default-ttl",
        "runtime/workerrun.py",
        "            result_ttl = job.get_result_ttl(self.default_result_ttl)",
        "            result_ttl = job.get_result_ttl(500)",
        "test_ttl.py::test_default_result_ttl_of_the_worker",
    ),
    _mutant(
        "handlers-that-raise-are-swallowed",
        "runtime/workerrun.py",
        "        self.handle_exception(job, *exc_info)\n",
        "        try:\n            self.handle_exception(job, *exc_info)\n        except Exception:\n            pass\n",
        "test_callbacks.py::test_handler_that_raises",
        "test_callbacks.py::test_handler_that_raises_in_a_forking_worker",
    ),
    _mutant(
        "cron-strings-in-utc",
        "runtime/cronjob.py",
        "croniter(self.cron, base.astimezone().replace(tzinfo=None))",
        "croniter(self.cron, base.replace(tzinfo=None))",
        "test_cron.py::test_times_west_of_greenwich",
    ),
    _mutant(
        "foreign-fields-are-lost",
        "runtime/hashes.py",
        "            rare.setdefault(FOREIGN, {})[field] = value",
        "            pass",
        "test_key_views.py::test_writing_into_the_hash",
    ),
    _mutant(
        "json-arguments-are-texts",
        "cli/helpers.py",
        "            return keyword, json.loads(value)\n",
        "            return keyword, value\n",
        "test_cli.py::test_arguments_of_enqueue",
    ),
    Mutant(
        "passed-results-come-last",
        _SHIM + "runtime/passing.py",
        "            args = values + args",
        "            args = args + values",
        ("tests/unit/rq_shim/test_extensions.py::test_results_are_passed_in_the_order_of_the_parents",),
    ),
    _mutant(
        "a-second-signal-fails-the-job",
        "runtime/workerrun.py",
        "        except ColdShutDown:\n            case.claim()\n            raise\n",
        "",
        "test_commands.py::test_two_signals_end_the_worker_at_once",
    ),
)
