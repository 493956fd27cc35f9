"""How far the jobs' consumer groups are behind the end of the log."""

import time
from collections import defaultdict
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from contracts.names import DATA_PIPELINES, POINT_PIPELINES
from contracts.settings import Settings, Topic
from infra.embedded.freshness import Waiting

CALL_SECONDS: Final = 3.0


class Behind(NamedTuple):
    """What a pipeline has not committed: how many records, and for how long the oldest waits (0.0: there is none)."""

    records: int
    seconds: float


class Lag:
    """Asks over connections of its own, which are kept; threads may not share it.

    By consumers that never subscribe, not by the admin client: librdkafka (2.x, seen) crashes the process when a
    coordinator that is still starting refuses the admin client's question for a group's offsets.
    """

    def __init__(self, settings: Settings) -> None:
        tags, points = _places(settings.topics.user_tags), _places(settings.topics.points)
        self._places = dict.fromkeys(DATA_PIPELINES, tags) | dict.fromkeys(POINT_PIPELINES, points)
        quiet = {"log_level": 0, "enable.auto.commit": False}
        self._consumers = {
            name: Consumer({**settings.kafka_client, **quiet, "group.id": f"tidewatch-{name}"}) for name in self._places
        }
        self._waiting: dict[tuple[str, int], Waiting] = defaultdict(Waiting)  # by pipeline and partition

    def ask(self) -> dict[str, Behind]:
        """By pipeline, what its Flink source has not committed yet, as of its last checkpoint.

        A partition of which nothing was committed counts from its first record. Seconds count from when it was first
        asked for on. Empty while the broker is away.
        """
        try:
            return {name: self._behind(name, consumer) for name, consumer in self._consumers.items()}
        except KafkaException:
            return {}

    def _behind(self, name: str, consumer: Consumer) -> Behind:
        records, seconds = 0, 0.0
        for place in consumer.committed(self._places[name], timeout=CALL_SECONDS):
            begin, end = consumer.get_watermark_offsets(place, timeout=CALL_SECONDS)
            committed = place.offset if place.offset >= 0 else begin
            records += end - committed
            waiting = self._waiting[name, place.partition]
            seconds = max(seconds, waiting.seconds(committed, end, time.monotonic()))
        return Behind(records, seconds)


def _places(topic: Topic) -> list[TopicPartition]:
    return [TopicPartition(topic.name, number) for number in range(topic.partitions)]
