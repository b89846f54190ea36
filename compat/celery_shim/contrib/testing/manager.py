"""``Manager``: waits for things to happen in integration tests."""

from __future__ import annotations

import sys
from collections import defaultdict
from functools import partial
from itertools import count
from typing import Any

from kombu.exceptions import ContentDisallowed
from kombu.utils.functional import retry_over_time

from ... import states
from ...exceptions import TimeoutError
from ...result import AsyncResult, ResultSet
from ...utils.text import truncate
from ...utils.time import humanize_seconds as _humanize_seconds

E_STILL_WAITING = "Still waiting for {0}.  Trying again {when}: {exc!r}"
humanize_seconds = partial(_humanize_seconds, microseconds=True)


class Sentinel(Exception):
    """Something has not happened yet."""


class ManagerMixin:
    """The waiting."""

    app: Any

    def _init_manager(
        self, block_timeout: float = 30 * 60.0, no_join: bool = False, stdout: Any = None, stderr: Any = None
    ) -> None:
        self.stdout = sys.stdout if stdout is None else stdout
        self.stderr = sys.stderr if stderr is None else stderr
        self.connerrors = self.app.connection().recoverable_connection_errors
        self.block_timeout = block_timeout
        self.no_join = no_join

    def remark(self, s: str, sep: str = "-") -> None:
        print(f"{sep}{s}", file=self.stdout)

    def warn(self, s: str) -> None:
        self.stderr.write(s + "\n")

    def missing_results(self, r: Any) -> list[str]:
        return [result.id for result in r if result.id not in result.backend._cache]

    def wait_for(
        self,
        fun: Any,
        catch: Any,
        desc: str = "thing",
        args: Any = (),
        kwargs: Any = None,
        errback: Any = None,
        max_retries: int = 10,
        interval_start: float = 0.1,
        interval_step: float = 0.5,
        interval_max: float = 5.0,
        emit_warning: bool = False,
        **options: Any,
    ) -> Any:
        """Call ``fun`` until it no longer raises ``catch``."""

        def on_error(exc: BaseException, intervals: Any, retries: int) -> Any:
            interval = next(intervals)
            if emit_warning:
                self.warn(E_STILL_WAITING.format(desc, when=humanize_seconds(interval, "in", " "), exc=exc))
            if errback:
                errback(exc, interval, retries)
            return interval

        return self.retry_over_time(
            fun,
            catch,
            args=args,
            kwargs=kwargs or {},
            errback=on_error,
            max_retries=max_retries,
            interval_start=interval_start,
            interval_step=interval_step,
            **options,
        )

    def ensure_not_for_a_while(
        self,
        fun: Any,
        catch: Any,
        desc: str = "thing",
        max_retries: int = 20,
        interval_start: float = 0.1,
        interval_step: float = 0.02,
        interval_max: float = 1.0,
        emit_warning: bool = False,
        **options: Any,
    ) -> None:
        """The opposite: fails if ``fun`` ever succeeds."""
        try:
            self.wait_for(
                fun,
                catch,
                desc=desc,
                max_retries=max_retries,
                interval_start=interval_start,
                interval_step=interval_step,
                interval_max=interval_max,
                emit_warning=emit_warning,
            )
        except catch:
            return
        raise AssertionError(f"Should not have happened: {desc}")

    def retry_over_time(self, *args: Any, **kwargs: Any) -> Any:
        return retry_over_time(*args, **kwargs)

    def join(self, r: Any, propagate: bool = False, max_retries: int = 10, **kwargs: Any) -> Any:
        """Wait for results, and again when waiting fails."""
        if self.no_join:
            return None
        results = r if isinstance(r, ResultSet) else self.app.ResultSet([r])
        received: list[str] = []
        for attempt in range(max_retries) if max_retries else count(0):
            received.clear()
            try:
                return results.get(callback=lambda id, _: received.append(id), propagate=propagate, **kwargs)
            except (OSError, TimeoutError) as exc:
                missing = self.missing_results(results)
                self.remark(
                    f"Still waiting for {len(results) - len(received)}/{len(results)}: "
                    f"[{truncate(', '.join(missing))}]: {exc!r}",
                    "!",
                )
            except self.connerrors as exc:
                self.remark(f"join: connection lost: {exc!r} (attempt {attempt})", "!")
        raise AssertionError("Test failed: Missing task results")

    def inspect(self, timeout: float = 3.0) -> Any:
        return self.app.control.inspect(timeout=timeout)

    def query_tasks(self, ids: Any, timeout: float = 0.5) -> Any:
        yield from (self.inspect(timeout).query_task(*ids) or {}).items()

    def query_task_states(self, ids: Any, timeout: float = 0.5) -> dict[str, set[Any]]:
        found = defaultdict(set)
        for _, reply in self.query_tasks(ids, timeout=timeout):
            for task_id, (state, _) in reply.items():
                found[state].add(task_id)
        return found

    def assert_accepted(
        self, ids: Any, interval: float = 0.5, desc: str = "waiting for tasks to be accepted", **policy: Any
    ) -> Any:
        return self.assert_task_worker_state(self.is_accepted, ids, interval=interval, desc=desc, **policy)

    def assert_received(
        self, ids: Any, interval: float = 0.5, desc: str = "waiting for tasks to be received", **policy: Any
    ) -> Any:
        return self.assert_task_worker_state(self.is_received, ids, interval=interval, desc=desc, **policy)

    def assert_result_tasks_in_progress_or_completed(
        self,
        async_results: Any,
        interval: float = 0.5,
        desc: str = "waiting for tasks to be started or completed",
        **policy: Any,
    ) -> Any:
        return self.assert_task_state_from_result(
            self.is_result_task_in_progress, async_results, interval=interval, desc=desc, **policy
        )

    def assert_task_state_from_result(self, fun: Any, results: Any, interval: float = 0.5, **policy: Any) -> Any:
        return self.wait_for(partial(self.true_or_raise, fun, results, timeout=interval), (Sentinel,), **policy)

    @staticmethod
    def is_result_task_in_progress(results: Any, **kwargs: Any) -> bool:
        return all(result.state in (states.STARTED, states.SUCCESS) for result in results)

    def assert_task_worker_state(self, fun: Any, ids: Any, interval: float = 0.5, **policy: Any) -> Any:
        return self.wait_for(partial(self.true_or_raise, fun, ids, timeout=interval), (Sentinel,), **policy)

    def is_received(self, ids: Any, **kwargs: Any) -> bool:
        return self._ids_matches_state(["reserved", "active", "ready"], ids, **kwargs)

    def is_accepted(self, ids: Any, **kwargs: Any) -> bool:
        return self._ids_matches_state(["active", "ready"], ids, **kwargs)

    def _ids_matches_state(self, expected_states: Any, ids: Any, timeout: float = 0.5) -> bool:
        found = self.query_task_states(ids, timeout=timeout)
        return all(any(id in found[state] for state in expected_states) for id in ids)

    def true_or_raise(self, fun: Any, *args: Any, **kwargs: Any) -> Any:
        result = fun(*args, **kwargs)
        if not result:
            raise Sentinel
        return result

    def wait_until_idle(self) -> None:
        """Until no worker runs anything."""
        self.app.control.purge()
        active = self.app.control.inspect().active()
        while active and any(active.values()):
            for tasks in active.values():
                for task in tasks:
                    try:
                        AsyncResult(task["id"], app=self.app).get(timeout=1, propagate=False)
                    except (TimeoutError, ContentDisallowed):
                        continue
            active = self.app.control.inspect().active()


class Manager(ManagerMixin):
    """Waits for things to happen."""

    def __init__(self, app: Any, **kwargs: Any) -> None:
        self.app = app
        self._init_manager(**kwargs)
