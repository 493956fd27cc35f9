"""What the answers and the rollups say of a metric's points, against the oracle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from contracts.times import format_millis
from testbed.point_oracle import OF_HOURS, OF_RANGES, SUMMED, PointOracle, Values
from tests.e2e.world import World, wait_until

STEPS = {"hour": "1h", "day": "1d", "week": "1w", "month": "1mo"}
ROLLED = """
SELECT period, labels[{label:String}], toUnixTimestamp(start) * 1000,
    sum(count), sum(sum), min(min), max(max), sum(sum_squares), argMax(last, last_time)
FROM (SELECT * FROM rollups FINAL) AS rolled
INNER JOIN
(
    SELECT id, labels FROM point_series FINAL
    WHERE metric = {metric:String} AND labels[{key:String}] = {value:String}
      AND labels[{label:String}] != ''
) AS named ON rolled.series = named.id
WHERE start >= fromUnixTimestamp({since:Int64}) AND start < fromUnixTimestamp({until:Int64})
GROUP BY 1, 2, 3
"""


@dataclass
class Story:
    """The points of one metric in [begin, end), epoch ms, told apart by a label; `match`: those with another only."""

    metric: str
    label: str
    begin: int
    end: int
    match: tuple[str, str] | None = None
    oracle: PointOracle = field(default_factory=PointOracle)

    def targets(self, line: str | None = None) -> list[tuple[str, str]]:
        """`match` parameters."""
        wanted = [self.match] if self.match else []
        return [("match", f"{key}:{value}") for key, value in [*wanted, *([(self.label, line)] if line else [])]]


def agree(world: World, story: Story) -> None:
    """The rollups as they stand in their table, and all answers."""
    wait_until(lambda: _differs_rolled(world, story))
    for period in STEPS:
        for statistic in OF_RANGES:
            wait_until(lambda period=period, statistic=statistic: differs_in(world, story, period, statistic))  # type: ignore[misc]  # default arguments
    asked: set[str] = set()
    for place, values in sorted(story.oracle.values("hour").items(), key=lambda item: item[0]):
        if place.line in asked:
            continue  # an hour of each line
        asked.add(place.line)
        for statistic in OF_HOURS:
            wait_until(
                lambda place=place, values=values, statistic=statistic: _differs_at(  # type: ignore[misc]  # default arguments
                    world, story, place.line, place.start, statistic, values
                )
            )


def differs_in(world: World, story: Story, period: str, statistic: str) -> str | None:
    """The answer of `/api/v1/series` with a line for each value of the label."""
    begin, end = story.begin, story.end
    query = [("metric", story.metric), ("from", begin), ("to", end), ("step", STEPS[period]), ("stat", statistic)]
    target = f"/api/v1/series?{urlencode([*query, ('group_by', story.label), *story.targets()])}"
    answer = world.call("GET", target)
    if answer.status != 200:
        return f"{target}: {answer.body!r}"
    found = {
        (line["labels"][story.label], at): value
        for line in answer.json()["series"]
        for at, value in line["points"]
        if value is not None
    }
    expected = {tuple(place): OF_RANGES[statistic](some) for place, some in story.oracle.values(period).items()}
    return _difference(target, found, expected)


_HELD: dict[str, Callable[[Values], Any]] = {
    **{name: SUMMED[name] for name in ("count", "sum", "min", "max", "last")},
    "squares": lambda values: (values * values).sum(),
}


def _differs_at(world: World, story: Story, line: str, hour: int, statistic: str, values: Values) -> str | None:
    """The answer of `/<key>/<stat>/<date>/<hour>` of one line."""
    day, _, of_day = format_millis(hour).partition("T")
    target = f"/{story.metric}/{statistic}/{day}/{int(of_day[:2])}?{urlencode(story.targets(line))}"
    answer = world.call("GET", target)
    if answer.status != 200 or answer.json()["count"] != len(values):
        return f"{target}: {answer.body!r}, not {len(values)} points"
    return _difference(target, {"value": answer.json()["value"]}, {"value": OF_HOURS[statistic](values)})


def _differs_rolled(world: World, story: Story) -> str | None:
    """What the table of rollups holds: all that sums tell, and the newest."""
    key, value = story.match or ("", "")
    parameters = {"metric": story.metric, "label": story.label, "key": key, "value": value}
    times = {"since": story.begin // 1000, "until": story.end // 1000}
    answer = world.sql(ROLLED, {**parameters, **times})
    found = {
        (period, line, int(start), name): number
        for period, line, start, *numbers in answer
        for name, number in zip(("count", "sum", "min", "max", "squares", "last"), map(float, numbers), strict=True)
    }
    expected = {
        (period, *place, name): of(values)
        for period in STEPS
        for place, values in story.oracle.values(period).items()
        for name, of in _HELD.items()
    }
    return _difference("rollups", found, expected)


def _difference(what: str, found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> str | None:
    if found.keys() != expected.keys():
        return f"{what}: {sorted(found.keys() ^ expected.keys())} are there or are not"
    for key, value in expected.items():
        if found[key] != pytest.approx(float(value), rel=1e-6, abs=1e-6):
            return f"{what} {key}: {found[key]}, not {value}"
    return None
