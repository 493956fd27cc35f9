"""What is found in bodies of points, to compare."""

from collections.abc import Iterable
from typing import Any

from api.collect.point_parse import Numbered
from api.collect.prepared import LineError
from contracts.points import Point

NOW = 1_700_000_000_000  # 2023-11-14T22:13:20Z


def plain(found: Iterable[Numbered | LineError]) -> list[tuple[Any, ...]]:
    """Good points as (name, kind, labels, time, value), others as (number, field)."""
    return [fields(one.point) if isinstance(one, Numbered) else (one.line, one.field) for one in found]


def fields(point: Point) -> tuple[Any, ...]:
    """As (name, kind, labels, time, value)."""
    return (point.series.name, point.series.kind, dict(point.series.labels), point.time, point.value)
