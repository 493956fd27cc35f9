"""Where a start without state begins: at a block's start, so that the blocks are cut as before."""

import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple
from uuid import UUID

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

import sql
from contracts.names import (
    BLOCKS_TABLE,
    DATA_PIPELINES,
    EVENT_TIME_HEADER,
    POINT_BLOCKS_TABLE,
    POINT_PIPELINES,
    POINTS_TABLE,
    USER_TAGS_TABLE,
)
from contracts.settings import Settings, Topic
from contracts.times import NO_TIME_MS, event_time
from jobs.consumers import opened
from stores import clickhouse

BROKER_SECONDS = 10.0
ASK_SECONDS = 0.2
LOOK_RECORDS: Final = 64


class StartError(Exception):
    """No start is right; the message says why and what to do."""


class _Stream(NamedTuple):
    """What is read of one topic: by these pipelines, into a table of blocks and one that keeps it for so many days."""

    topic: Topic
    pipelines: tuple[str, ...]
    blocks: str
    archive: str
    days: int


def block_starts(settings: Settings, topic_id: UUID) -> dict[int, int]:
    """Those of the user tags; see `_starts`."""
    topic, days = settings.topics.user_tags, settings.clickhouse.archive_days
    return _starts(settings, _Stream(topic, DATA_PIPELINES, BLOCKS_TABLE, USER_TAGS_TABLE, days), topic_id)


def point_block_starts(settings: Settings, topic_id: UUID) -> dict[int, int]:
    """Those of the points; see `_starts`."""
    topic, days = settings.topics.points, settings.clickhouse.points_days
    return _starts(settings, _Stream(topic, POINT_PIPELINES, POINT_BLOCKS_TABLE, POINTS_TABLE, days), topic_id)


STARTS_BY_BLOCKS: Final[dict[str, Callable[[Settings, UUID], dict[int, int]]]] = {
    "user_tags": block_starts,
    "points": point_block_starts,
}  # by the stream's name in the settings' topics


def _starts(settings: Settings, stream: _Stream, topic_id: UUID) -> dict[int, int]:
    """An offset for each partition: the start of a block of which all that came before is in ClickHouse, and its dead
    letters in their topic.

    Where the log was trimmed beyond that block's start, the offset after the last that its listing names: its rows are
    written, and reading a part of it again would count that part twice under another name. StartError when the log
    begins after that as well. Empty when no block is listed yet; a partition without blocks begins where its log does.
    """
    committed = _committed(settings, stream)
    parameters = {
        "blocks": stream.blocks,
        "archive": stream.archive,
        "topic_id": str(topic_id),
        "days": stream.days,
        "places": list(committed),
        "committed": list(committed.values()),
    }
    with clickhouse.connect(settings) as client:
        rows = client.query(sql.read("queries/block_starts"), parameters).result_rows
    if not rows:
        return {}
    listed = {int(partition): (int(block), int(last)) for partition, block, last in rows}
    return {
        partition: start_of(partition, begin, listed.get(partition))
        for partition, begin in _begins(settings, stream.topic).items()
    }


def recent_starts(settings: Settings, topic: Topic, back_ms: int) -> dict[int, int]:
    """An offset for each partition: of the first record that is at most `back_ms` older than the topic's newest.

    By event time, and about: a record may be older than one before it. For a job that has no results of its own to go
    on from, and needs to know only a while. Empty for a topic without events.
    """
    with opened(settings, topic, "tidewatch-starts") as (consumer, places):
        logs = [_Log(consumer, place) for place in places]
        newest = max((log.newest() for log in logs), default=NO_TIME_MS)
        if newest <= NO_TIME_MS:
            return {}
        return {log.partition: log.first_since(newest - back_ms) for log in logs}


class _Log:
    """A partition's records by event time. Those that know no time tell nothing: `NO_TIME_MS`."""

    def __init__(self, consumer: Consumer, place: TopicPartition) -> None:
        self._consumer, self._place = consumer, place
        self._begin, self._end = consumer.get_watermark_offsets(place, timeout=BROKER_SECONDS)
        self.partition: int = place.partition

    def newest(self) -> int:
        """Of the last records that know a time; `NO_TIME_MS` where none does."""
        high, look = self._end, LOOK_RECORDS
        while high > self._begin:
            low = max(self._begin, high - look)
            newest = max((time for _, time in self._timed(low, high)), default=NO_TIME_MS)
            if newest > NO_TIME_MS:
                return newest
            high, look = low, 4 * look
        return NO_TIME_MS

    def first_since(self, since: int) -> int:
        """The offset of a record of that time or later, of which the one before is older; the end if there is none."""
        low, high = self._begin, self._end
        while low < high:
            middle = (low + high) // 2
            offset, found = next(self._timed(middle, high), (high, since))
            if found >= since:
                high = middle
            else:
                low = offset + 1
        return low

    def _timed(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Offset and event time of the records from `low` up to `high` that know one."""
        self._place.offset = low
        self._consumer.assign([self._place])
        deadline = time.monotonic() + BROKER_SECONDS
        while time.monotonic() < deadline:
            for message in self._consumer.consume(LOOK_RECORDS, timeout=ASK_SECONDS):
                offset = message.offset() or 0
                if message.error() is None and offset < high and (at := _event_time(message)) > NO_TIME_MS:
                    yield offset, at
                # The last of them, one beyond, or the end of the log: not all offsets are records.
                if offset >= high - 1:
                    return
        raise StartError(f"the broker does not hand out offset {low} of {self._place.topic}/{self.partition}")


def _event_time(message: Message) -> int:
    told = dict(message.headers() or []).get(EVENT_TIME_HEADER)
    return event_time(told.encode() if isinstance(told, str) else told, int(message.timestamp()[1]))


def start_of(partition: int, begin: int, listed: tuple[int, int] | None) -> int:
    """For a log that begins at `begin`, and its listed (block, last offset), if any; see `_starts`."""
    if listed is None:
        return begin
    block, last = listed
    if begin <= block:
        return block
    if begin <= last + 1:
        return last + 1
    raise StartError(
        f"partition {partition}: the aggregates reach offset {last}, and the log begins at {begin}: what lay between "
        "is gone. Restore from a savepoint (--from), or give the topic a new name (topics.user_tags.name)"
    )


def _begins(settings: Settings, topic: Topic) -> dict[int, int]:
    """The first offset of each partition's log."""
    with opened(settings, topic, "tidewatch-starts") as (consumer, places):
        return {place.partition: consumer.get_watermark_offsets(place, timeout=BROKER_SECONDS)[0] for place in places}


def _committed(settings: Settings, stream: _Stream) -> dict[int, int]:
    """By partition, up to where those pipelines have committed that ever did; the least of them."""
    least: dict[int, int] = {}
    for pipeline in stream.pipelines:
        with opened(settings, stream.topic, f"tidewatch-{pipeline}") as (consumer, places):
            for place in _told(consumer, places):
                if place.offset >= 0:
                    least[place.partition] = min(place.offset, least.get(place.partition, place.offset))
    return least


def _told(consumer: Consumer, places: list[TopicPartition]) -> list[TopicPartition]:
    """What the group has committed. A broker that is only about to lead the group says so, and is asked again."""
    soon = (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
    deadline = time.monotonic() + BROKER_SECONDS
    while True:
        try:
            return consumer.committed(places, timeout=BROKER_SECONDS)
        except KafkaException as error:
            if error.args[0].code() not in soon or time.monotonic() > deadline:
                raise
            time.sleep(ASK_SECONDS)
