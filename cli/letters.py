"""Dead letters: read from their topic, and what of them can be sent again."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from confluent_kafka import KafkaException

from contracts.codec import Record, Reject, decode
from contracts.dead_letters import DeadLetter
from contracts.dead_letters import decode as read_letter
from contracts.events import tags_of
from contracts.point_codec import decode_points
from contracts.points import Point, encode_point
from contracts.settings import Settings
from contracts.tags import encode_tag
from infra import topic_records

TAGS: Final = "/v1/user-tags"
POINTS: Final = "/v1/points"


def read(settings: Settings) -> Iterator[DeadLetter]:
    """All that the topic holds now of committed transactions; ClickException when the broker does not tell."""
    try:
        for message in topic_records.held(settings, settings.topics.dead_letters):
            yield read_letter(message.value() or b"")
    except KafkaException as error:
        raise click.ClickException(
            f"the broker at {settings.bootstrap_servers} does not show dead letters: {error}; see `tidewatch status`"
        ) from None


def route(settings: Settings, letter: DeadLetter) -> str | None:
    """Where the API takes what came in the letter's topic; None for a topic that is not one of ours any more."""
    topics = settings.topics
    return {topics.user_tags.name: TAGS, topics.points.name: POINTS}.get(letter.topic)


def lines_of(letter: DeadLetter, route: str) -> list[bytes]:
    """What the API takes of a letter: its line, or, of a whole Arrow record, the events that can be read of it."""
    if not letter.is_record:
        return [letter.original()]
    now = int(time.time() * 1000)
    record = Record(letter.offset, now, now, letter.original())
    found, rejects = _points(record) if route == POINTS else _tags(record)
    for reject in rejects:
        click.echo(f"  {letter.id}, an Arrow record: {reject.reason}")
    return found


def _tags(record: Record) -> tuple[list[bytes], list[Reject]]:
    events, rejects = decode([record])
    return [encode_tag(tag) for tag in tags_of(events)], rejects


def _points(record: Record) -> tuple[list[bytes], list[Reject]]:
    points, series, rejects = decode_points([record])
    columns = (points[name].to_pylist() for name in ("series", "time", "value"))
    return [encode_point(Point(series[one], at, value)) for one, at, value in zip(*columns, strict=True)], rejects


def save(path: Path, letters: list[DeadLetter]) -> None:
    """Lines to the file, each whole record to one beside it; says how many and where."""
    lines = [letter.original() for letter in letters if not letter.is_record]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    click.echo(f"{len(lines)} lines in {path}: mend them and send them by --load {path}")
    for letter in letters:
        if letter.is_record:
            beside = path.with_name(f"{path.stem}-{letter.partition}-{letter.offset}.arrow")
            beside.write_bytes(letter.original())
            click.echo(f"a record of its own, {letter.reason}: {beside}")
