"""The plain values of the public API: priorities, states, and the records that the statistics fill in.

They know nothing of engines and compute nothing; `stats` measures, `handle` translates states.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum, IntEnum
from typing import Any

__all__ = ["EngineStats", "MemoryStats", "TaskPriority", "TaskStatus", "WorkerStats"]


class TaskPriority(IntEnum):
    """Lower runs first. The value is the number of the lane in the queue."""

    CRITICAL = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3


class TaskStatus(str, Enum):
    """Where a task stands. Delayed tasks and those that wait for a retry are PENDING.

    A member is callable and returns itself, so that `result.status` and `result.status()` mean the same.
    """

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    def __call__(self) -> TaskStatus:
        return self

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class EngineStats:
    """One reading of an engine. Times in milliseconds where the name says so, ratios 0..1, 0.0 without samples."""

    tasks_processed: int
    """Tasks that reached COMPLETED, FAILED or CANCELLED."""
    tasks_per_second: float
    """Finished tasks per second over the last 10 seconds (or since the start, if that is shorter)."""
    average_task_time_ms: float
    p50_execution_time_ms: float
    p95_execution_time_ms: float
    p99_execution_time_ms: float
    critical_queue_wait_p50_ms: float
    critical_queue_wait_p99_ms: float
    high_queue_wait_p50_ms: float
    high_queue_wait_p99_ms: float
    normal_queue_wait_p50_ms: float
    normal_queue_wait_p99_ms: float
    low_queue_wait_p50_ms: float
    low_queue_wait_p99_ms: float
    enqueue_rate: float
    """Submitted tasks per second over the last 10 seconds."""
    contention_events: int
    """Lost compare-and-swap races in the queues."""
    overflow_events: int
    """Pushes that went past a lane's ring into its overflow list."""
    queued_tasks: int
    delayed_tasks: int
    running_tasks: int
    completed_tasks: int
    failed_tasks: int
    retried_tasks: int
    cancelled_tasks: int
    expired_tasks: int
    timed_out_tasks: int
    """Attempts that passed their time limit."""
    error_rate: float
    """Failed tasks as a share of the finished ones."""
    critical_queue_size: int
    high_queue_size: int
    normal_queue_size: int
    low_queue_size: int
    queue_pressure: float
    """Fullest priority's share of `queue_size`; 0.0 when the queues are unbounded."""
    active_workers: int
    idle_workers: int
    total_workers: int
    """Configured workers before the start, living ones after it (without stuck ones and the reserve)."""
    stuck_workers: int
    worker_utilization: float
    """Share of the workers' lifetime spent inside tasks."""
    tasks_compiled_to_c: int
    c_compilation_success_rate: float
    c_speedup_factor: float
    memory_usage_mb: float
    """Resident memory of the whole process."""
    queue_memory_usage_mb: float
    peak_memory_usage_mb: float
    memory_efficiency: float
    """Bytes in use as a share of the bytes reserved by the engine's pool."""
    worker_cpu_usage: float
    """Cores used by the worker threads since the previous reading (1.0 is one whole core)."""
    worker_memory_usage: int
    """Bytes of the engine's own memory (pool and queues)."""
    engine_cpu_usage: float
    """Cores used by the whole process since the previous reading."""
    uptime_seconds: float
    pid: int

    @property
    def total_tasks_processed(self) -> int:
        return self.tasks_processed

    @property
    def avg_execution_time_ms(self) -> float:
        return self.average_task_time_ms

    @property
    def total_queued(self) -> int:
        return self.queued_tasks

    @property
    def avg_worker_utilization(self) -> float:
        return self.worker_utilization

    @property
    def retry_count(self) -> int:
        return self.retried_tasks

    @property
    def timeout_count(self) -> int:
        return self.timed_out_tasks

    @property
    def engine_memory_usage(self) -> int:
        return self.worker_memory_usage

    def to_dict(self) -> dict[str, Any]:
        """The figures by name, the other names included, ready for JSON."""
        others = {name: getattr(self, name) for name, kind in vars(EngineStats).items() if isinstance(kind, property)}
        return asdict(self) | others


@dataclass(frozen=True)
class WorkerStats:
    """One reading of one worker thread."""

    worker_id: int
    status: str
    """"idle", "busy" or "stuck"."""
    tasks_processed: int
    avg_task_time_ms: float
    cpu_usage_percent: float
    """Of one core, since this worker's previous reading."""
    memory_usage_mb: float
    """Resident memory of the process: threads share it, there is no figure for one of them."""
    uptime_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The figures by name, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class MemoryStats:
    """One reading of the engine's memory, in bytes and MB."""

    allocator: str
    """"jemalloc", "malloc", or "python" for the pure Python core."""
    has_jemalloc: bool
    reserved_bytes: int
    in_use_bytes: int
    queue_bytes: int
    fragmentation_percent: float
    memory_usage_mb: float
    peak_memory_usage_mb: float

    def to_dict(self) -> dict[str, Any]:
        """The figures by name, ready for JSON."""
        return asdict(self)
