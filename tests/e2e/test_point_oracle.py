"""Seeded points by every interface, shuffled, late, twice, malformed: all statistics and rollups against numpy."""

import os
import random
import socket
import time
from collections.abc import Iterable, Iterator, Mapping

import pytest

from client import Client
from contracts.settings import Settings
from contracts.times import DAY_MS, MINUTE_MS
from stores import rollups
from testbed.point_oracle import begin_of
from tests.e2e.point_answers import Story, agree, differs_in
from tests.e2e.point_senders import BUILD, METRIC, SENDERS, Lines, Points, by_errors
from tests.e2e.world import PATIENCE, World, wait_until

HOUR_MS = 60 * MINUTE_MS
START_MS = 1_297_036_800_000  # 2011-02-07T00:00:00Z, a Monday: of this file's own
DAYS = 40  # so that there are several weeks and months
CODES = ("-7", "0", "404")
SEED = int(os.environ.get("SEED") or 5)  # part of the tests' names, and so printed
TWICE = "lines"  # the interface whose every call is made twice, without a key: it counts twice


@pytest.mark.parametrize("seed", [SEED])
def test_points_of_long_ago(world: World, seed: int) -> None:
    """First those of the later hours, which become rollups; then more of them, and of hours of weeks before, late."""
    dice = random.Random(seed)  # noqa: S311  # repeatable
    hours = sorted(START_MS + hour * HOUR_MS for hour in dice.sample(range(DAYS * 24), 6))
    until = START_MS + 64 * DAY_MS
    story = Story(METRIC, "host", START_MS - 7 * DAY_MS, until)
    errors = Story("errors", "code", START_MS - 7 * DAY_MS, until, ("build", BUILD))
    times = _times(dice, hours)
    for late, those in enumerate((hours[3:], hours)):
        for name, send in SENDERS.items():
            points = _points(dice, [next(times[hour]) for hour in those for _ in range(8)])
            for _ in range(2 if name == TWICE else 1):
                send(world, name, points)
                story.oracle.add(name, points)
        keyed = _points(dice, [next(times[hour]) for hour in those for _ in range(40)])
        Lines("gauge", "gzip", f"oracle-{late}")(world, "keyed", keyed)
        story.oracle.add("keyed", keyed)
        for code in CODES:
            found = [(next(times[hour]), 1.0) for hour in those for _ in range(5)]
            dice.shuffle(found)
            by_errors(world, code, found)
            errors.oracle.add(code, found)
        for one in (story, errors):
            wait_until(lambda one=one: differs_in(world, one, "month", "count"))  # type: ignore[misc]  # default arguments
        rollups.roll_up(world.settings)
        for one in (story, errors):
            agree(world, one)


@pytest.mark.parametrize("seed", [SEED])
def test_points_of_now(world: World, seed: int) -> None:
    """What the clients stamp, or nobody does: known to be of this hour."""
    dice = random.Random(seed)  # noqa: S311  # repeatable
    wait_until(lambda: "the hour ends" if _now() % HOUR_MS > HOUR_MS - 30_000 else None)
    hour = begin_of("hour", _now())
    story = Story(METRIC, "host", begin_of("month", hour), begin_of("month", begin_of("month", hour) + 32 * DAY_MS))
    for line, values in [*_by_statsd(world.settings, dice), *_by_client(world.settings, dice)]:
        story.oracle.add(line, [(hour + at, value) for at, value in enumerate(values)])
    wait_until(lambda: differs_in(world, story, "hour", "count"))
    rollups.roll_up(world.settings)
    agree(world, story)


def _times(dice: random.Random, hours: Iterable[int]) -> Mapping[int, Iterator[int]]:
    """Of each hour, its milliseconds at random, each once: what is newest must be known."""
    return {hour: iter(dice.sample(range(hour, hour + HOUR_MS), 4000)) for hour in hours}


def _points(dice: random.Random, times: list[int]) -> Points:
    dice.shuffle(times)
    return [(at, round(dice.gauss(20, 5) * 4) / 4 if dice.random() < 0.7 else dice.gauss(0, 1e6)) for at in times]


def _by_statsd(settings: Settings, dice: random.Random) -> Iterator[tuple[str, list[float]]]:
    """Sampled counters by UDP, a datagram each; by TCP gauges, every other a change, and timings; malformed lines."""
    counters = [(float(dice.randrange(1, 100)), dice.choice((1.0, 0.5, 0.1))) for _ in range(30)]
    place = (settings.host, settings.api.statsd_port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for value, rate in counters:
            udp.sendto(f"{METRIC}:{value}|c|@{rate}|#host:statsd-udp\n{METRIC}:x|c".encode(), place)
    yield "statsd-udp", [value / rate for value, rate in counters]
    readings, timings = ([dice.randrange(1, 1000) / 4 for _ in range(40)] for _ in range(2))
    level, levels, lines = 0.0, list[float](), list[str]()
    for at, value in enumerate(readings):
        level = level + value if at % 2 else value
        levels.append(level)
        lines.append(f"{METRIC}:{'+' if at % 2 else ''}{value}|g|#host:statsd-gauge\n{METRIC}:inf|g\n{METRIC}\n")
    lines += [
        f"{METRIC}:{value}|{('ms', 'h', 'd')[at % 3]}|#host:statsd-tcp\n{METRIC}:1|q\n"
        for at, value in enumerate(timings)
    ]
    with socket.create_connection(place) as tcp:
        tcp.sendall("".join(lines).encode())
    yield "statsd-gauge", levels
    yield "statsd-tcp", timings


def _by_client(settings: Settings, dice: random.Random) -> Iterator[tuple[str, list[float]]]:
    """All kinds, each point in a millisecond of its own; some that are no numbers."""
    client = Client(f"http://{settings.host}:{settings.api.port}")
    for line, add in (("client-g", client.gauge), ("client-c", client.counter), ("client-h", client.observe)):
        values = [dice.randrange(1, 1000) / 4 for _ in range(40)]
        for value in values:
            before = _now()
            while _now() == before:
                pass
            add(METRIC, value, host=line)
        add(METRIC, float("nan"), host=line)
        yield line, values
    client.close(PATIENCE)
    assert client.counts == (120, 0, 3)


def _now() -> int:
    return time.time_ns() // 1_000_000
