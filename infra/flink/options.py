"""Flink options that go with a job, wherever it runs: the submitting client hands them over with the job's graph."""

import sys
from typing import Final

from contracts.settings import Settings

DETECTION_MODULE: Final = "jobs.detection"


def job_options(settings: Settings, module: str = "") -> dict[str, str]:
    """Parallelism, checkpoints, restarts and Python bundles, by the settings; `flink.options` win.

    `module`: of the job, for what one has otherwise than the rest.
    """
    flink = settings.flink
    python = flink.python or sys.executable
    return {
        "parallelism.default": str(flink.parallelism),
        "execution.checkpointing.interval": f"{round(flink.checkpoint_seconds * 1000)} ms",
        "execution.checkpointing.min-pause": f"{round(flink.checkpoint_seconds * 500)} ms",
        "execution.checkpointing.timeout": "10 min",
        "execution.checkpointing.storage": "filesystem",  # by default they are kept in the JobManager's memory
        "execution.checkpointing.dir": settings.checkpoint_dir,
        "execution.checkpointing.savepoint-dir": settings.savepoint_dir,
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.num-retained": "3",
        # Those attempted while a TaskManager is away fail, and say nothing about the job.
        "execution.checkpointing.tolerable-failed-checkpoints": "1000000",
        "state.backend.type": flink.state_backend,
        "execution.checkpointing.incremental": "true" if flink.state_backend == "rocksdb" else "false",
        # Operators of one task hand a record on as it is; by default each copies its bytes, be they a quarter megabyte.
        "pipeline.object-reuse": "true",
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": "1000000000",
        "restart-strategy.fixed-delay.delay": "1 s",
        "python.executable": python,
        "python.client.executable": python if not flink.host else sys.executable,
        "python.execution-mode": "process",
        "python.fn-execution.bundle.size": str(flink.bundle_size),
        "python.fn-execution.bundle.time": str(flink.bundle_milliseconds),
        **(_detection(settings) if module == DETECTION_MODULE else {}),
        **flink.options,
    }


def _detection(settings: Settings) -> dict[str, str]:
    """An alert leaves with a checkpoint, so these are frequent; then each may hold only what changed since the last."""
    milliseconds = round(settings.detection.checkpoint_seconds * 1000)
    return {
        "parallelism.default": str(settings.detection.parallelism),
        "execution.checkpointing.interval": f"{milliseconds} ms",
        "execution.checkpointing.min-pause": f"{milliseconds // 3} ms",
        "state.backend.type": "rocksdb",
        "execution.checkpointing.incremental": "true",
        # Of its own, as the cluster has no managed memory for it where the other job's state lies on the heap.
        "state.backend.rocksdb.memory.fixed-per-slot": f"{settings.detection.rocksdb_mb}m",
    }
