"""What of the log must stay: from where a restore from any retained restore point would read. Pure but for the file.

Flink commits what it has read when a checkpoint completes, and says nowhere what an older checkpoint had read. But a
checkpoint that completes after somebody looked at the committed offsets holds at least these. So each look remembers
the offsets of the look before it for the restore points that came in between.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from infra import state_file

Offsets = Mapping[int, int]  # by partition; one that is not in it is not known


class Holds(BaseModel):
    """At one look: what all pipelines of a job have committed, and what each restore point had read at least."""

    model_config = ConfigDict(frozen=True)

    topic_id: str
    committed: dict[int, int]
    points: dict[str, dict[int, int]]  # by the restore point's path

    def floor(self) -> dict[int, int]:
        """By partition, the first offset that must stay; of a partition that is not in it, all must."""
        return lowest([self.committed, *self.points.values()])


def look(before: Holds | None, topic_id: str, committed: Offsets, paths: Iterable[str]) -> Holds:
    """The next look. `committed` must have been read before the `paths` of the topic's restore points were listed.

    Of points that were there at the first look nothing is known.
    """
    known = before if before and before.topic_id == topic_id else Holds(topic_id=topic_id, committed={}, points={})
    points = {path: known.points.get(path, known.committed) for path in paths}
    return Holds(topic_id=topic_id, committed=dict(committed), points=points)


def lowest(all_offsets: Iterable[Offsets]) -> dict[int, int]:
    """By partition the lowest of the offsets; a partition that one of them does not know is left out."""
    first, *others = all_offsets
    return {
        partition: min(offset, *(other[partition] for other in others)) if others else offset
        for partition, offset in first.items()
        if all(partition in other for other in others)
    }


def load(path: Path) -> Holds | None:
    """Of the last look; None when there was none, or when its file cannot be read: then nothing is known."""
    try:
        return Holds.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def save(path: Path, holds: Holds) -> None:
    """For the next look, as `load` reads it."""
    state_file.replace(path, holds.model_dump_json(indent=1))
