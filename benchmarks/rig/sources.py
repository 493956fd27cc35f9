"""How much a Flink job's source has handed on so far, asked of the TaskManager's metrics, which lag by nothing."""

import re
from typing import Final
from urllib.request import urlopen

from benchmarks.rig.progress import Lanes
from contracts.settings import Settings

_METRIC: Final = r"^flink_taskmanager_job_task_operator_numRecordsOut"
_LABELS: Final = r'\{(?=.*operator_name="Source)(?=.*subtask_index="(\d+)").*\}'
_HANDED_ON: Final = re.compile(rf"{_METRIC}{_LABELS} (\S+)$", re.MULTILINE)


def handed_on(settings: Settings) -> Lanes:
    """Records by subtask of the sources."""
    with urlopen(f"http://{settings.host}:{settings.flink.taskmanager_metrics_port}/metrics") as response:  # noqa: S310
        text = response.read().decode()
    return {int(subtask): int(float(value)) for subtask, value in _HANDED_ON.findall(text)}
