"""How cost grows: counting at a tenth, once and ten times the groups and the partitions, profiles likewise the cookies.

CPU an event is what counts for sizing: it adds up over machines, and is less of a matter of luck than a rate. Each
figure is of one run. EVENTS in the environment makes them shorter.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import click

from benchmarks import profiles
from benchmarks.results import Result
from benchmarks.rig import log, stack
from benchmarks.rig.aggregates import count, payloads
from benchmarks.rig.counted import Counted
from benchmarks.rig.events import Stream
from contracts.codec import encode_arrow

ROWS: Final = 5000  # a record
BASE: Final = Stream(seed=7, events=6_000_000, a_minute=1_000_000, groups=10_000)
PROFILE_EVENTS: Final = 1_000_000
GROUPS: Final = (1_000, 10_000, 100_000)
PARTITIONS: Final = (2, 20)  # one partition a subtask is the least that makes sense on two cores
COOKIES: Final = (100_000, 1_000_000, 10_000_000)


def run() -> list[Result]:
    """CPU an event by part is printed for each."""
    return [*_groups(), *_partitions(), *_cookies()]


def _groups() -> Iterator[Result]:
    for groups in GROUPS:
        yield _counting(f"growth.groups.{groups}", replace(BASE, groups=groups))


def _partitions() -> Iterator[Result]:
    for partitions in PARTITIONS:
        yield _counting(f"growth.partitions.{partitions}", BASE, partitions)


def _counting(name: str, stream: Stream, partitions: int | None = None) -> Result:
    click.echo(f"-- {name}")
    stream = replace(stream, events=int(os.environ.get("EVENTS") or stream.events))
    with stack.running("growth", partitions) as parts:
        counted = Counted()
        log.fill(parts.settings, parts.settings.topics.user_tags, payloads(stream, ROWS, encode_arrow, counted))
        course = count(parts, stream.events, counted)
    return Result(name, course.rate, "events/s", cpu_us=course.cpu_us)


def _cookies() -> Iterator[Result]:
    events = int(os.environ.get("EVENTS") or PROFILE_EVENTS)
    for cookies in COOKIES:
        click.echo(f"-- growth.cookies.{cookies}")
        stream = Stream(profiles.SEED, events, a_minute=600_000, groups=10_000, cookies=cookies)
        with stack.running("growth") as parts:
            course, size = profiles.store(parts, stream)
        yield Result(f"growth.cookies.{cookies}", course.rate, "tags/s", cpu_us=course.cpu_us)
        yield Result(f"growth.cookies.{cookies}.disk", size, "bytes an event")
