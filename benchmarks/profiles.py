"""Tags from Kafka into the profile store: 1,000,000 cookies, records of 100 lines, as the collector makes them."""

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from typing import Final
from zlib import crc32

import click
import pyarrow as pa

from benchmarks.results import Result
from benchmarks.rig import log, sources, stack
from benchmarks.rig.events import Stream
from benchmarks.rig.log import Payload
from benchmarks.rig.progress import Course, Lanes, follow
from benchmarks.rig.stack import Stack
from contracts.codec import encode_lines
from contracts.events import tags_of
from contracts.tags import encode_tag
from infra import log_start
from infra.flink.rest import until
from infra.log_start import LogError
from stores.profiles import open_store

SEED: Final = 5
EVENTS: Final = 10_000_000
A_RECORD: Final = 100
LOOKED_AT: Final = 500  # one cookie in so many is compared with what was sent
SECONDS: Final = 900.0
RIVAL: Final = "PyFlink, key_by cookie, KeyedProcessFunction, ListState"
RIVAL_JOB: Final = "rival-keyed-state"
RIVAL_EVENTS: Final = 100_000  # it takes minutes for more
CALL_SECONDS: Final = 5.0
RIVAL_TOPIC: Final = "one-tag-a-record"


def run() -> list[Result]:
    """One run, long enough to be no matter of luck, and one of the rival over the first of the same events.

    EVENTS in the environment makes it shorter: profiles of fewer events take more bytes for each.
    """
    stream = Stream(SEED, int(os.environ.get("EVENTS") or EVENTS), a_minute=600_000, groups=10_000)
    click.echo(f"seed {SEED}: {stream.events} events of {stream.cookies} cookies")
    with stack.running("profiles") as parts:
        ours, size = store(parts, stream)
        theirs = _rival(parts, stream.batch(0, min(RIVAL_EVENTS, stream.events)))
    each = stream.events / stream.cookies
    return [
        Result("profiles", ours.rate, "tags/s", RIVAL, theirs.rate, ours.cpu_us),
        Result(f"profiles.disk.{each:g}_a_cookie", size, "bytes an event"),
    ]


def store(parts: Stack, stream: Stream) -> tuple[Course, float]:
    """One run of our pipeline over the stream, and the bytes an event that its store takes on disk."""
    sent: defaultdict[str, list[bytes]] = defaultdict(list)
    log.fill(parts.settings, parts.settings.topics.user_tags, _payloads(stream, sent))
    with parts.job("profiles", "jobs.profiles", parts.topic_argument()):
        course = follow(lambda: _committed(parts), stream.events, parts.cpu, SECONDS)
        click.echo(course.table())
        until(lambda: _same(parts, sent) or None, CALL_SECONDS, "the last tags")
    return course, (parts.settings.profiles_path / "data.mdb").stat().st_blocks * 512 / stream.events


def _payloads(stream: Stream, sent: defaultdict[str, list[bytes]]) -> Iterator[Payload]:
    """The stream as records; notes in `sent` what some of the cookies sent, oldest first."""
    for events in stream.batches(A_RECORD * 50):
        tags, times = tags_of(events), events.column("time").to_pylist()
        for tag in tags:
            if crc32(tag.cookie.encode()) % LOOKED_AT == 0:
                sent[tag.cookie].append(encode_tag(tag))
        for first in range(0, len(tags), A_RECORD):
            part = tags[first : first + A_RECORD]
            yield Payload(encode_lines(part), times[first + len(part) - 1])


def _committed(parts: Stack) -> Lanes:
    """Tags by partition that a checkpoint has seen the source hand on; none while the broker still finds the group."""
    try:
        committed = log_start.committed(parts.settings, parts.settings.topics.user_tags.name, ["profiles"])
    except LogError:
        return {}
    return {partition: offset * A_RECORD for partition, offset in committed.items()}


def _same(parts: Stack, sent: dict[str, list[bytes]]) -> bool:
    """Whether the store holds what those cookies sent, all of it and nothing else."""
    with closing(open_store(parts.settings, writable=False)) as store:
        for cookie, lines in sent.items():
            profile = store.read(cookie)
            if sorted(event.json for event in [*profile.views, *profile.buys]) != sorted(lines):
                return False
    return bool(sent)


def _rival(parts: Stack, events: pa.RecordBatch) -> Course:
    """By what its source has handed on, which is little ahead of what was worked on: no buffer holds much."""
    topic = log.create(parts.settings, RIVAL_TOPIC, parts.settings.topics.user_tags.partitions)
    lines = (encode_tag(tag) for tag in tags_of(events))
    times = events.column("time").to_pylist()
    log.fill(parts.settings, topic, map(Payload, lines, times))
    with parts.job(RIVAL_JOB, "rivals.keyed_state", [parts.settings.bootstrap_servers, topic.name]):
        return follow(lambda: sources.handed_on(parts.settings), events.num_rows, parts.cpu, SECONDS)
